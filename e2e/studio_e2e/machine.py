"""What the local cluster leaves on the machine, seen without the cluster command's own eyes."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from cluster.local.configs import CGROUP
from cluster.local.host_settings import FIXED_FOLDERS, KERNEL_SETTINGS
from cluster.local.network import HOST_LINK
from cluster.paths import Paths

# What follows the interpreter (stage/entry.py).
FORWARDER = ["-m", "stage", "forward"]


def traces(paths: Paths) -> set[str]:
    """Everything of a local cluster that is on this machine now, and the settings that one changes, as words."""
    ours = processes(paths) | _forwarders()
    found = {f"process {pid}: {command}" for pid, command in ours.items()}
    return found.union(_mounts(paths), _folders(paths), _network(), _settings())


def processes(paths: Paths) -> dict[int, str]:
    """Command lines by id, of those that name one of the cluster's folders and of those in its control group (pods).

    A kubectl is somebody's who looks at the cluster, or at the one before, in another terminal.
    """
    ours = [str(folder) for folder in (paths.tools, paths.state, paths.containerd_root, paths.run)]
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (process / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
            groups = (process / "cgroup").read_text()
            named = any(folder in command for folder in ours) and Path(command.split()[0]).name != "kubectl"
            if command and (named or f"/{CGROUP}" in groups):
                found[int(process.name)] = command
    return found


def _forwarders() -> dict[int, str]:
    """The processes that keep a way from this machine to a Studio open: their words do not tell to which cluster."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if words[1:4] == FORWARDER:
                found[int(process.name)] = " ".join(words)
    return found


def _mounts(paths: Paths) -> Iterator[str]:
    ours = tuple(f"{folder}/" for folder in (paths.run, paths.state, paths.containerd_root))
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if f"{line.split()[4]}/".startswith(ours):
            yield f"mount {line.split()[4]}"
    for group in Path("/sys/fs/cgroup").rglob(CGROUP):
        yield f"control group {group}"


def _folders(paths: Paths) -> Iterator[str]:
    for folder in (paths.run, paths.state, *map(Path, FIXED_FOLDERS)):
        if folder.exists():
            yield f"folder {folder}"


def _network() -> Iterator[str]:
    if (Path("/sys/class/net") / HOST_LINK).exists():
        yield f"link {HOST_LINK}"
    for line in Path("/proc/net/route").read_text().splitlines():
        if line.split()[0] == HOST_LINK:
            yield f"route {line}"


def _settings() -> Iterator[str]:
    for name in KERNEL_SETTINGS:
        with suppress(OSError):
            yield f"{name} = {(Path('/proc/sys') / name).read_text().strip()}"
