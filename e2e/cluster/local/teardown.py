"""Takes the cluster away, in whatever state it is; running it twice does no harm."""

import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from cluster.command import CommandError
from cluster.errors import ClusterError
from cluster.local.containerd import Containerd
from cluster.local.control_groups import delete_groups, kill_members
from cluster.local.host_settings import remove_traces, restore_settings
from cluster.local.mounts import unmount_below
from cluster.local.network import delete_link
from cluster.local.processes import ProcessRecord, ProcessTable, end_all, running_processes
from cluster.paths import Paths
from cluster.waiting import wait_until

CONTAINERD = "containerd"
COMPONENTS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    CONTAINERD,
)


def take_down(paths: Paths) -> None:
    """End the cluster's processes and remove its mounts, links, control groups and state; images and tools stay.

    Raises:
        ClusterError: something of the cluster could not be removed.
    """
    table = ProcessTable(paths.records)
    # Only containerd has something to put in order at its end; everything else works on data that is deleted.
    table.stop([record.name for record in table.records() if record.name != CONTAINERD], force=True)
    end_all(unrecorded_processes(paths))
    kill_members()
    clear_containers(paths)
    end_all(running_processes(lambda words: is_shim(words, paths)))
    table.stop()
    unmount_below([paths.run, paths.state, paths.containerd_root])
    delete_link()
    delete_groups()
    remove_traces(paths)
    restore_settings(paths.run / "host-settings.json")
    remove_folders([paths.state, paths.run])


def remove_folders(folders: Iterable[Path]) -> None:
    """Delete folders with all that is in them; those that do not exist are no error.

    Raises:
        ClusterError: something stays, which is named; everything else is gone.
    """
    failures: dict[Path, BaseException] = {}
    for folder in folders:
        shutil.rmtree(folder, onerror=lambda _step, path, raised: failures.setdefault(Path(path), raised[1]))
    stuck = [path for path in failures if os.path.lexists(path)]
    # A folder stays because of what is stuck in it.
    around = {parent for path in stuck for parent in path.parents}
    left = [f"{path} ({getattr(failures[path], 'strerror', '')})" for path in stuck if path not in around]
    if left:
        raise ClusterError(
            f"{', '.join(left[:3])}{' and others' if left[3:] else ''} could not be removed: end what uses it and run "
            "`python -m cluster down` again."
        )


def unrecorded_processes(paths: Paths) -> tuple[ProcessRecord, ...]:
    """The control plane's processes that run on this cluster's state without a record: ``up`` was killed meanwhile."""
    recorded = {record.pid for record in ProcessTable(paths.records).records()}
    found = running_processes(lambda words: is_component(words, paths))
    return tuple(record for record in found if record.pid not in recorded)


def is_component(words: Sequence[str], paths: Paths) -> bool:
    """Tell whether a command line is that of a component of this cluster."""
    program = Path(words[0])
    known = program.name in COMPONENTS and (program.name == CONTAINERD or program.is_relative_to(paths.tools))
    return known and any(f"{paths.state}/" in word for word in words[1:])


def is_shim(words: Sequence[str], paths: Paths) -> bool:
    """Tell whether a command line is that of a shim (a container's parent) of our containerd."""
    address = ["-address", str(paths.containerd_socket)]
    return Path(words[0]).name.startswith("containerd-shim") and any(
        list(words[at : at + 2]) == address for at in range(len(words))
    )


def clear_containers(paths: Paths) -> int:
    """Remove what containerd knows of containers, so that only images stay in its root; return how many there were.

    Without a containerd that answers this does nothing: the next ``up`` finds the containers and removes them.
    """
    containerd = Containerd(paths)
    if not containerd.answers():
        return 0
    removed = containerd.remove_containers()
    if removed:
        with suppress(CommandError):
            wait_until("containerd forgot the containers", lambda: _cleared(containerd), seconds=20, interval=0.3)
    return removed


def _cleared(containerd: Containerd) -> bool:
    return containerd.remove_containers() == 0
