"""What a cluster provider does, and which one to use."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

PROVIDERS = ("local", "kind", "existing")


class Provider(Protocol):
    """One way to have a cluster. Every method raises ClusterError with a sentence for the user."""

    def check(self) -> None:
        """Raise at once what would keep ``up`` from beginning; changes nothing."""

    def up(self) -> None:
        """Make the cluster run; does nothing when it runs and is healthy."""

    def down(self) -> None:
        """Take away everything that ``up`` made; does nothing when there is nothing."""

    def load(self, archive: Path) -> None:
        """Make the images of a tar archive available to pods, unless they are present."""

    def images(self) -> tuple[str, ...]:
        """References of the images that are present, sorted."""

    def kubeconfig(self) -> Path:
        """Path of the kubeconfig file with administrator rights."""

    def status(self) -> tuple[bool, str]:
        """Whether the cluster is up and healthy, and one line about it."""


def choose_provider(
    wanted: str, environment: Mapping[str, str], docker_answers: bool, ours: Mapping[str, Path] | None = None
) -> str:
    """Name the provider to use.

    Args:
        wanted: ``auto`` or one of PROVIDERS, which is then taken as it is.
        environment: the process's environment; KUBECONFIG means that a cluster exists.
        docker_answers: whether a Docker daemon answers; the client alone cannot run kind.
        ours: the kubeconfig that each provider writes; a shell that has exported one means that provider's cluster.
    """
    if wanted != "auto":
        return wanted
    if config := environment.get("KUBECONFIG"):
        return next((name for name, path in (ours or {}).items() if path == Path(config)), "existing")
    return "kind" if docker_answers else "local"
