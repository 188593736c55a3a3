"""Provider for machines with a Docker daemon: kind (Kubernetes in Docker)."""

from collections.abc import Callable
from pathlib import Path

from cluster.command import CommandError, run, succeeds
from cluster.ctr import parse_images
from cluster.image_archive import archived_images

NAME = "studio-operator"
NODE = f"{NAME}-control-plane"
UP_SECONDS = 900


def docker_answers() -> bool:
    """Tell whether a Docker daemon answers; an installed client means nothing."""
    return succeeds(["docker", "info"], timeout=15)


class KindCluster:
    """A cluster of one node that runs in a Docker container."""

    def __init__(self, kind: Callable[[], Path], kubeconfig: Path) -> None:
        """Use the program that ``kind`` gives when first asked (it may have to be built) and write ``kubeconfig``."""
        self._kind = kind
        self._kubeconfig = kubeconfig

    def check(self) -> None:
        """Nothing: a Docker daemon that answers is why this provider was chosen."""

    def up(self) -> None:
        """Create the cluster, or a new one in place of one that does not answer."""
        if self.status()[0]:
            return
        self.down()
        self._kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        create: list[str | Path] = [
            "create",
            "cluster",
            "--name",
            NAME,
            "--kubeconfig",
            self._kubeconfig,
            "--wait",
            "300s",
        ]
        run([self._kind(), *create], timeout=UP_SECONDS)

    def down(self) -> None:
        """Delete the cluster's container and the kubeconfig file."""
        run([self._kind(), "delete", "cluster", "--name", NAME, "--kubeconfig", self._kubeconfig], timeout=300)
        self._kubeconfig.unlink(missing_ok=True)

    def load(self, archive: Path) -> None:
        """Import the archive on the node, unless it has every image under the same digest or the digest is unknown."""
        present = self._present()
        if all(image.digest and present.get(image.name) == image.digest for image in archived_images(archive)):
            return
        run([self._kind(), "load", "image-archive", archive, "--name", NAME], timeout=UP_SECONDS)

    def images(self) -> tuple[str, ...]:
        """The images in the node's containerd."""
        return tuple(sorted(self._present()))

    def kubeconfig(self) -> Path:
        """A file of our own: the user's ~/.kube/config stays as it is."""
        return self._kubeconfig

    def status(self) -> tuple[bool, str]:
        """Ask the API server, from inside the node, whether it is ready."""
        kubectl = ["kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "get", "--raw", "/readyz"]
        if self._kubeconfig.exists() and succeeds(["docker", "exec", NODE, *kubectl], timeout=30):
            return True, f"kind cluster {NAME}: ready"
        return False, f"The kind cluster {NAME} is not running: start it with `python -m cluster up`."

    def _present(self) -> dict[str, str]:
        try:
            table = run(["docker", "exec", NODE, "ctr", "--namespace", "k8s.io", "images", "list"], timeout=60)
        except CommandError:
            return {}
        return parse_images(table)
