"""What kubelet changes on the host outside our own folders: noted before it starts, put back after it ended."""

import json
from contextlib import suppress
from pathlib import Path

from cluster.local.configs import NETWORK_NAME
from cluster.paths import Paths

# Kubelet sets these to its defaults (setupKernelTunables in its container manager).
KERNEL_SETTINGS = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
# Folders with fixed names that kubelet and the network plugins make.
FIXED_FOLDERS = (
    "/var/lib/kubelet/device-plugins",
    "/var/lib/kubelet",
    "/var/log/containers",
    "/var/lib/cni/results",
    "/var/lib/cni",
)


def note_settings(note: Path, kernel: Path = Path("/proc/sys")) -> None:
    """Write the kernel settings and the absent folders to a file, unless it exists from a run that crashed."""
    if note.exists():
        return
    values = {name: (kernel / name).read_text().strip() for name in KERNEL_SETTINGS if (kernel / name).exists()}
    absent = [folder for folder in FIXED_FOLDERS if not Path(folder).exists()]
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps({"kernel": values, "absent": absent}))


def restore_settings(note: Path, kernel: Path = Path("/proc/sys")) -> None:
    """Put the kernel settings back and remove the folders that were absent, if they are empty."""
    if not note.exists():
        return
    noted = json.loads(note.read_text())
    for name, value in noted["kernel"].items():
        if (kernel / name).read_text().strip() != value:
            (kernel / name).write_text(value)
    for folder in noted["absent"]:
        with suppress(OSError):
            (Path(folder) / "kubelet.sock").unlink(missing_ok=True)
            (Path(folder) / "DEPRECATION").unlink(missing_ok=True)
            Path(folder).rmdir()
    note.unlink()


def remove_traces(
    paths: Paths, logs: Path = Path("/var/log/containers"), results: Path = Path("/var/lib/cni/results")
) -> None:
    """Remove the links to our pods' logs and the network plugins' cached results for our pods."""
    if logs.is_dir():
        for link in logs.iterdir():
            if link.is_symlink() and link.readlink().is_relative_to(paths.pod_logs):
                link.unlink(missing_ok=True)
    for result in results.glob(f"{NETWORK_NAME}-*-eth0"):
        sandbox = result.name.removeprefix(f"{NETWORK_NAME}-").removesuffix("-eth0")
        (results / f"cni-loopback-{sandbox}-lo").unlink(missing_ok=True)
        result.unlink(missing_ok=True)
