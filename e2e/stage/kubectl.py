"""kubectl as a user has it: one binary, one kubeconfig."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cluster.cli import make_provider, provider_name
from cluster.errors import ClusterError
from cluster.paths import Paths
from cluster.progress import Progress
from cluster.toolchain import Toolchain
from stage.objects import Objects

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Kubectl:
    """A kubectl that talks to the cluster at hand."""

    program: str
    kubeconfig: str

    @classmethod
    def find(cls) -> "Kubectl":
        """The kubectl on the PATH, else our own, which is built if need be; the cluster that is up.

        Raises:
            ClusterError: there is no cluster at hand, or kubectl could not be built.
        """
        paths, progress = Paths.from_environment(), Progress()
        toolchain = Toolchain(paths.tools, progress.say)
        config = make_provider(provider_name("auto", paths), paths, toolchain, progress).kubeconfig()
        if not config.is_file():
            raise ClusterError("There is no cluster at hand: start one with `make up`, or set KUBECONFIG.")
        return cls(str(toolchain.find("kubectl")), str(config))

    def run(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        """Standard output of one call.

        Raises:
            ClusterError: kubectl failed, with its own message, or did not end within `timeout` seconds.
        """
        shown = f"kubectl {' '.join(arguments[:4])}"
        try:
            done = subprocess.run(
                self.command(*arguments), input=stdin, text=True, capture_output=True, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise ClusterError(f"{shown}: it did not end within {timeout:g} s") from error
        if done.returncode:
            raise ClusterError(f"{shown}: {done.stderr.strip()[-2000:]}")
        return done.stdout

    @cached_property
    def objects(self) -> Objects:
        """What is in the cluster, for those who look often."""
        return Objects(self.kubeconfig)

    def apply(self, manifest: str, *, namespace: str | None = None) -> None:
        """Server-side apply of YAML or JSON text; fields of other managers are taken over.

        `namespace` is for objects that name none.
        """
        scope = ("-n", namespace) if namespace else ()
        self.run(*scope, "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=manifest)

    def command(self, *arguments: str) -> Sequence[str]:
        """The argument list of one call, for those who start a process of their own."""
        return [self.program, "--kubeconfig", self.kubeconfig, *arguments]


def conditions(resource: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    """The conditions of a resource by type."""
    return {c["type"]: c for c in (resource or {}).get("status", {}).get("conditions", [])}
