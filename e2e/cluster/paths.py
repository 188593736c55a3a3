"""Every folder that the cluster command writes to."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """The folders of the local cluster.

    Attributes:
        cache: survives ``down``: built tools, image archives and containerd's store of images.
        run: sockets and process records; on a file system that a reboot empties, so no record outlives its process.
    """

    cache: Path
    run: Path = Path("/run/studio-operator")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, *, user: int | None = None) -> "Paths":
        """Honour XDG_CACHE_HOME, by default ``~/.cache``; and XDG_RUNTIME_DIR for who is not root (`user` is an id).

        https://specifications.freedesktop.org/basedir-spec/latest/
        """
        base = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        cache = Path(base).absolute() / "studio-operator"
        user = os.geteuid() if user is None else user
        if not user:
            return cls(cache)
        run = environment.get("XDG_RUNTIME_DIR")
        return cls(cache, Path(run) / "studio-operator" if run else Path(tempfile.gettempdir()) / f"studio-{user}")

    @property
    def tools(self) -> Path:
        """Built programs, in a folder for each state of their sources."""
        return self.cache / "tools"

    @property
    def archives(self) -> Path:
        """Archives of the images that the cluster itself needs."""
        return self.cache / "cluster-images"

    @property
    def containerd_root(self) -> Path:
        """Containerd's persistent data: images, and the snapshots of running containers."""
        return self.cache / "containerd"

    @property
    def state(self) -> Path:
        """Everything of one cluster: etcd's data, certificates, logs, volumes. ``down`` deletes it."""
        return self.cache / "cluster"

    @property
    def pki(self) -> Path:
        """Certificates and keys."""
        return self.state / "pki"

    @property
    def logs(self) -> Path:
        """One file for each process of the cluster."""
        return self.state / "logs"

    @property
    def pod_logs(self) -> Path:
        """The containers' output, as kubelet reads it for ``kubectl logs``."""
        return self.state / "pod-logs"

    @property
    def volumes(self) -> Path:
        """The data of persistent volumes."""
        return self.state / "volumes"

    @property
    def records(self) -> Path:
        """One file for each process that the cluster command started."""
        return self.run / "processes"

    @property
    def containerd_state(self) -> Path:
        """Containerd's data that ends with its processes, the pods' network namespaces among it."""
        return self.run / "containerd"

    @property
    def containerd_socket(self) -> Path:
        """Where containerd serves requests."""
        return self.containerd_state / "containerd.sock"

    @property
    def runc_root(self) -> Path:
        """Runc's state; its standard place is shared with every other containerd of the machine."""
        return self.run / "runc"

    @property
    def lock(self) -> Path:
        """Held while the cluster is started or stopped; outside the folders that ``down`` deletes."""
        return self.cache / "cluster.lock"

    @property
    def packages_lock(self) -> Path:
        """Held while Debian packages are installed."""
        return self.cache / "packages.lock"

    @property
    def namespace(self) -> Path:
        """The file that keeps the node's network namespace; ``nsenter --net=<file>`` enters it."""
        return self.run / "network"

    def kubeconfig(self, user: str = "admin") -> Path:
        """The kubeconfig file of one user of the certificate plan."""
        return self.state / f"{user}.kubeconfig"
