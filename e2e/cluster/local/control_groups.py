"""The control groups that hold the cluster's pods, in both versions of the kernel's interface."""

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cluster.errors import ClusterError
from cluster.local.configs import CGROUP
from cluster.waiting import wait_until

REQUIRED_CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "pids")
REQUIRED_CONTROLLERS_V2 = ("cpu", "cpuset", "memory", "pids")
END_SECONDS = 20


def hierarchies(mounts: str) -> tuple[Path, ...]:
    """The mount points of all control group hierarchies in the content of /proc/mounts."""
    rows = [line.split() for line in mounts.splitlines()]
    return tuple(Path(row[1]) for row in rows if len(row) > 2 and row[2] in {"cgroup", "cgroup2"})  # noqa: PLR2004


def missing_controllers(mounts: str, controllers_v2: str) -> tuple[str, ...]:
    """Name the controllers that kubelet needs and that no hierarchy has.

    Args:
        mounts: content of /proc/mounts.
        controllers_v2: content of cgroup.controllers at the root of the version 2 hierarchy, empty without one.
    """
    rows = [line.split() for line in mounts.splitlines()]
    v1 = {option for row in rows if row[2] == "cgroup" for option in row[3].split(",")}
    wanted = REQUIRED_CONTROLLERS if "memory" in v1 else REQUIRED_CONTROLLERS_V2
    return tuple(name for name in wanted if name not in v1 | set(controllers_v2.split()))


def our_groups() -> tuple[Path, ...]:
    """Our group in every hierarchy, whether it exists or not."""
    return tuple(mount / CGROUP for mount in hierarchies(Path("/proc/mounts").read_text()))


def create_groups() -> None:
    """Make the group that kubelet expects (setting cgroupRoot) in every hierarchy.

    Raises:
        ClusterError: the kernel refuses, as inside a container that may not manage control groups.
    """
    try:
        _create_groups()
    except OSError as error:
        raise ClusterError(
            f"Control groups cannot be made ({error}): run the cluster on the host, or in a container with "
            "a writable /sys/fs/cgroup and no processes in its topmost group."
        ) from error


def _create_groups() -> None:
    for group in our_groups():
        group.mkdir(exist_ok=True)
        # Version 2 gives a child only the controllers that its parent hands down.
        controllers = group.parent / "cgroup.controllers"
        if controllers.exists():
            wanted = [name for name in controllers.read_text().split() if name in REQUIRED_CONTROLLERS_V2]
            for name in wanted:
                (group.parent / "cgroup.subtree_control").write_text(f"+{name}")


def kill_members() -> None:
    """Kill every process in our groups: all containers of all pods, also those whose containerd is gone.

    Raises:
        ClusterError: processes still run after many tries.
    """

    def gone() -> bool:
        members = set(members_of(our_groups()))
        for pid in members:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not members

    wait_until("the containers' processes ended", gone, seconds=END_SECONDS, interval=0.05)


def delete_groups() -> None:
    """Delete our groups, deepest first; they must be empty of processes."""
    for group in our_groups():
        for folder, _, _ in os.walk(group, topdown=False):
            with suppress(FileNotFoundError):
                Path(folder).rmdir()


def members_of(groups: Iterable[Path]) -> Iterable[int]:
    """The processes in groups and their children; groups may vanish meanwhile, as they do when their last one ends."""
    for group in groups:
        # os.walk passes over folders that are gone; Path.rglob of Python 3.11 raises.
        for folder, _, _ in os.walk(group):
            with suppress(OSError):
                yield from (int(pid) for pid in (Path(folder) / "cgroup.procs").read_text().split())
