"""Images and containers in the cluster's own containerd, through its command line client ctr."""

import contextlib
from pathlib import Path

from cluster.command import CommandError, run
from cluster.ctr import parse_images
from cluster.image_archive import ArchivedImage, archived_images
from cluster.paths import Paths

KUBERNETES_NAMESPACE = "k8s.io"
IMPORT_SECONDS = 900


def absent_images(archived: tuple[ArchivedImage, ...], present: dict[str, str]) -> tuple[ArchivedImage, ...]:
    """The images of an archive that are not present with the same content, as far as the archive tells the content."""
    return tuple(image for image in archived if image.digest is None or present.get(image.name) != image.digest)


class Containerd:
    """The containerd behind the cluster's socket."""

    def __init__(self, paths: Paths) -> None:
        """Talk to the containerd of these paths; it need not run yet."""
        self._paths = paths

    def answers(self) -> bool:
        """Tell whether containerd serves requests."""
        if not self._paths.containerd_socket.exists():
            return False
        try:
            self._ctr("version", timeout=10)
        except CommandError:
            return False
        return True

    def images(self) -> dict[str, str]:
        """Digests of the images that are present, by name.

        Raises:
            CommandError: containerd does not answer.
        """
        return parse_images(self._ctr("images", "list"))

    def load(self, archive: Path) -> tuple[str, ...]:
        """Import the images of an archive unless all are present, and return the names of those that were not.

        The image is unpacked at once, so that no pod waits for it later.

        Raises:
            ClusterError: the archive is unusable or containerd does not answer.
        """
        absent = absent_images(archived_images(archive), self.images())
        if absent:
            self._ctr("images", "import", archive, timeout=IMPORT_SECONDS)
        return tuple(image.name for image in absent)

    def containers(self) -> tuple[str, ...]:
        """Ids of all containers and pod sandboxes, running or not."""
        return tuple(self._ctr("containers", "list", "--quiet").split())

    def remove_containers(self) -> int:
        """Remove every container whose processes have ended, with its snapshot, and return how many there were."""
        found = self.containers()
        if found:
            with contextlib.suppress(CommandError):  # one that is being removed by containerd itself is no failure
                self._ctr("containers", "remove", *found, timeout=120)
        return len(found)

    def _ctr(self, *arguments: str | Path, timeout: float = 30) -> str:
        address = ("--address", self._paths.containerd_socket, "--namespace", KUBERNETES_NAMESPACE)
        return run(["ctr", *address, *arguments], timeout=timeout)
