"""Checks whether this machine can run the cluster, and says in one sentence what is missing and how to mend it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from cluster.errors import ClusterError
from cluster.local.control_groups import missing_controllers
from cluster.local.mounts import file_system_of
from cluster.paths import Paths

GIGABYTE = 10**9
# Go's module and build caches take most of it, the binaries and images the rest.
BUILD_GIGABYTES = 12
RUN_GIGABYTES = 4


def check_user(effective_uid: int) -> None:
    """Raise ClusterError unless the user is root."""
    if effective_uid != 0:
        raise ClusterError("The local cluster needs root to make namespaces and mounts: run this command with sudo.")


def check_system(name: str) -> None:
    """Raise ClusterError unless the operating system is Linux."""
    if name != "Linux":
        raise ClusterError(f"The local cluster needs Linux, not {name}: start Docker to use kind, or set KUBECONFIG.")


def check_disk(free_bytes: int, tools_are_built: bool, folder: Path) -> None:
    """Raise ClusterError when the cache's file system has too little room left."""
    needed = RUN_GIGABYTES if tools_are_built else BUILD_GIGABYTES
    if free_bytes < needed * GIGABYTE:
        raise ClusterError(
            f"{folder} has only {free_bytes / GIGABYTE:.1f} GB left and the cluster needs {needed} GB: "
            "free some space or set XDG_CACHE_HOME to a folder on a larger disk."
        )


def check_file_systems(filesystems: str) -> None:
    """Raise ClusterError unless /proc/filesystems lists overlayfs."""
    if "overlay" not in filesystems.split():
        raise ClusterError("The kernel has no overlayfs, which containers need: load it with `modprobe overlay`.")


def check_snapshots(file_system: str, folder: Path) -> None:
    """Raise ClusterError when containerd's folder is on a file system that cannot hold the layers of containers."""
    if file_system == "overlay":
        raise ClusterError(
            f"{folder} lies on overlayfs, as in a container, and containers cannot be mounted on top of that: mount a "
            "volume there or set XDG_CACHE_HOME to a folder on one."
        )


def check_namespaces(exists: Callable[[str], bool]) -> None:
    """Raise ClusterError unless the kernel has the namespaces that pods need."""
    missing = [name for name in ("ipc", "mnt", "net", "pid", "uts") if not exists(f"/proc/self/ns/{name}")]
    if missing:
        raise ClusterError(f"The kernel has no {', '.join(missing)} namespaces, which pods need: use another kernel.")


def check_control_groups(mounts: str, controllers_v2: str) -> None:
    """Raise ClusterError when a control group controller that kubelet needs is missing."""
    missing = missing_controllers(mounts, controllers_v2)
    if missing:
        raise ClusterError(
            f"The control group controllers {', '.join(missing)} are missing, which kubelet needs: "
            "enable them on the kernel's command line or mount them under /sys/fs/cgroup."
        )


def check_caller() -> None:
    """Check what even a look at the cluster needs: it keeps its files as root.

    Raises:
        ClusterError: the first check that fails.
    """
    check_system(os.uname().sysname)
    check_user(os.geteuid())


def check_machine(paths: Paths, tools_are_built: bool) -> None:
    """Check what a start needs of this machine.

    Raises:
        ClusterError: the first check that fails.
    """
    paths.cache.mkdir(parents=True, exist_ok=True)
    check_disk(shutil.disk_usage(paths.cache).free, tools_are_built, paths.cache)
    check_file_systems(Path("/proc/filesystems").read_text())
    images = paths.containerd_root.resolve()
    check_snapshots(file_system_of(Path("/proc/self/mountinfo").read_text(), images), images)
    check_namespaces(os.path.exists)
    unified = Path("/sys/fs/cgroup/cgroup.controllers")
    check_control_groups(Path("/proc/mounts").read_text(), unified.read_text() if unified.exists() else "")
