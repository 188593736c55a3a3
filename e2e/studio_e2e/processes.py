"""The processes of a pod as this machine sees them, for clusters whose node is this machine."""

from dataclasses import dataclass
from pathlib import Path

MEBIBYTE = 2**20
# The sandbox of a pod; killing it is not what any fault in the field does.
_SANDBOX = "pause"


@dataclass(frozen=True)
class Process:
    """One process; `rss` is its resident memory in bytes, `command` its command line."""

    pid: int
    command: str
    rss: int


def of_pod(uid: str, root: Path = Path("/proc")) -> list[Process]:
    """The processes whose control group belongs to the pod with this uid; empty when none is on this machine."""
    return [
        process
        for folder in root.iterdir()
        if folder.name.isdecimal() and _belongs(folder, uid)
        if (process := _read(folder)) is not None
    ]


def _belongs(folder: Path, uid: str) -> bool:
    # The systemd driver writes uids with underscores, the cgroupfs driver with dashes.
    groups = _text(folder / "cgroup")
    return uid in groups or uid.replace("-", "_") in groups


def _read(folder: Path) -> Process | None:
    status = dict(line.split(":", 1) for line in _text(folder / "status").splitlines() if ":" in line)
    name, resident = status.get("Name", "").strip(), status.get("VmRSS", "").split()
    if not resident or name == _SANDBOX:
        return None
    command = _text(folder / "cmdline").replace("\0", " ").strip()
    return Process(pid=int(folder.name), command=command or name, rss=int(resident[0]) * 1024)


def _text(path: Path) -> str:
    """A file of /proc; empty when the process has ended meanwhile."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
