"""Provider for a cluster that somebody else runs: the one KUBECONFIG points to."""

import json
from collections.abc import Callable
from pathlib import Path

from cluster.command import CommandError, run
from cluster.errors import ClusterError


class ExistingCluster:
    """Uses a cluster and never changes what it consists of."""

    def __init__(self, kubeconfig: str, kubectl: Callable[[], Path]) -> None:
        """Use the kubeconfig file at this path, through the program that ``kubectl`` gives when first asked."""
        self._kubeconfig = Path(kubeconfig) if kubeconfig else None
        self._kubectl = kubectl

    def check(self) -> None:
        """Check that the cluster answers."""
        self.up()

    def up(self) -> None:
        """Check that the cluster answers."""
        healthy, line = self.status()
        if not healthy:
            raise ClusterError(line)

    def down(self) -> None:
        """Leave the cluster alone: it is not ours."""

    def load(self, archive: Path) -> None:
        """Refuse: only the cluster's owner can put images on its nodes."""
        raise ClusterError(
            f"{archive} cannot be loaded into an existing cluster: push its images to a registry that it pulls from "
            "(STUDIO_REGISTRY does so)."
        )

    def images(self) -> tuple[str, ...]:
        """The images that the nodes report; kubelets report at most 50 each by default."""
        nodes = json.loads(self._run("get", "nodes", "--output", "json"))
        reported = [image for node in nodes["items"] for image in node["status"].get("images", [])]
        return tuple(sorted({name for image in reported for name in image.get("names", [])}))

    def kubeconfig(self) -> Path:
        """The path in KUBECONFIG."""
        if self._kubeconfig is None or not self._kubeconfig.is_file():
            raise ClusterError("KUBECONFIG names no file: set it to the path of one kubeconfig file.")
        return self._kubeconfig

    def status(self) -> tuple[bool, str]:
        """Ask the API server whether it is ready."""
        try:
            self._run("get", "--raw", "/readyz")
        except CommandError as error:
            return False, f"The existing cluster of {self.kubeconfig()} does not answer: {error}"
        return True, f"existing cluster of {self.kubeconfig()}: ready"

    def _run(self, *arguments: str) -> str:
        return run(
            [self._kubectl(), "--kubeconfig", self.kubeconfig(), "--request-timeout=10s", *arguments], timeout=30
        )
