"""Debian packages that the cluster and the image builder need."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from cluster.command import CommandError, run
from cluster.errors import ClusterError
from cluster.paths import Paths

CLUSTER_PACKAGES = (
    "busybox-static",
    "conntrack",
    "containerd",
    "containernetworking-plugins",
    "gcc",
    "iproute2",
    "iptables",
    "libc6-dev",
    "runc",
    "util-linux",
)

APT_SECONDS = 900


def missing_packages(wanted: Iterable[str], installed: Callable[[str], bool]) -> tuple[str, ...]:
    """The wanted packages that are not installed, sorted."""
    return tuple(sorted({name for name in wanted if not installed(name)}))


def install_sentence(missing: Iterable[str]) -> str:
    """What to do about missing packages where this program may not or cannot install them."""
    names = " ".join(missing)
    return f"The packages {names} are missing: install them as root (on Debian: apt-get install {names})."


def is_installed(name: str) -> bool:
    """Tell whether dpkg has unpacked and configured a package."""
    try:
        return run(["dpkg-query", "--show", "--showformat=${db:Status-Status}", name], timeout=30) == "installed"
    except CommandError:
        return False


def ensure_packages(wanted: Iterable[str], say: Callable[[str], None]) -> None:
    """Install the Debian packages that are missing.

    Args:
        wanted: package names.
        say: takes one line of progress.

    Raises:
        ClusterError: packages are missing and this is not Debian, the user is not root, or apt-get failed.
    """
    names = tuple(wanted)
    missing = missing_packages(names, is_installed)
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise ClusterError(install_sentence(missing))
    with _alone():
        if missing := missing_packages(names, is_installed):
            say(f"installing the Debian packages {' '.join(missing)}")
            _install(missing)


@contextmanager
def _alone() -> Iterator[None]:
    """Programs and images are built beside each other, and apt-get waits for nobody who updates its lists."""
    lock = Paths.from_environment().packages_lock
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _install(missing: Iterable[str]) -> None:
    # At run level 1 packages do not start their servers: it is their programs that are wanted.
    apt = ["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get", "--yes", "-o", "DPkg::Lock::Timeout=300"]
    try:
        run([*apt, "install", "--no-install-recommends", *missing], timeout=APT_SECONDS)
    except CommandError:
        # Package lists may be absent (fresh container) or so old that they name files which no longer exist.
        run([*apt, "update"], timeout=APT_SECONDS)
        run([*apt, "install", "--no-install-recommends", *missing], timeout=APT_SECONDS)
