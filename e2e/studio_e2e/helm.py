"""Helm as a user runs it, with the chart of this checkout."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cluster.command import run
from cluster.paths import Paths
from cluster.toolchain import Toolchain
from stage.chart import CHART

RELEASE = "studio-operator"


@dataclass(frozen=True)
class Helm:
    """One Helm, one cluster, one namespace."""

    program: Path
    kubeconfig: str
    namespace: str

    @classmethod
    def built(cls, kubeconfig: str, namespace: str, name: str = "helm") -> "Helm":
        """The one of the toolchain; it is built the first time, which takes a minute or two."""
        program = Toolchain(Paths.from_environment().tools, print).ensure([name])[name]
        return cls(program, kubeconfig, namespace)

    def run(self, *arguments: str, timeout: float = 180) -> str:
        """Standard output of one call. Raises ClusterError with Helm's own words."""
        where = ("--kubeconfig", self.kubeconfig, "--namespace", self.namespace)
        return run([self.program, *arguments, *where], timeout=timeout)

    def install(self, refs: Mapping[str, str], *options: str) -> None:
        """Install the chart with these images and wait until the operator has rolled out."""
        override = ("--set-json", f"images.override={json.dumps(dict(refs))}")
        self.run("install", RELEASE, str(CHART), *override, "--wait", "--timeout=90s", *options)

    def upgrade(self, *options: str) -> None:
        """Upgrade with other values, the rest as they were."""
        self.run("upgrade", RELEASE, str(CHART), "--reuse-values", "--wait", "--timeout=90s", *options)

    def uninstall(self) -> None:
        """Remove the release; fine when there is none."""
        self.run("uninstall", RELEASE, "--ignore-not-found", "--wait", "--timeout=90s")
