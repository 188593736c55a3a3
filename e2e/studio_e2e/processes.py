"""The processes of a pod as this machine sees them, for clusters whose node is this machine."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MEBIBYTE = 2**20
# The sandbox of a pod; killing it is not what any fault in the field does.
_SANDBOX = "pause"


@dataclass(frozen=True)
class Process:
    """One process, the id of its user, and its command line; `rss` is its resident memory in bytes.

    `pss`: the same, but what it shares with others is divided among them, so that sums count each page once
    (https://docs.kernel.org/filesystems/proc.html, smaps_rollup).
    """

    pid: int
    user: int
    command: str
    rss: int
    pss: int


def of_pod(uid: str, root: Path = Path("/proc")) -> list[Process]:
    """The processes whose control group belongs to the pod with this uid; empty when none is on this machine."""
    return [process for folder in _folders(uid, root) if (process := _read(folder)) is not None]


def has_sandbox(uid: str, root: Path = Path("/proc")) -> bool:
    """Whether the pod's sandbox is on this machine: it stays while a container waits for its next start."""
    return any(_is_sandbox(_fields(folder / "status")) for folder in _folders(uid, root))


def _folders(uid: str, root: Path) -> Iterator[Path]:
    return (folder for folder in root.iterdir() if folder.name.isdecimal() and _belongs(folder, uid))


def _belongs(folder: Path, uid: str) -> bool:
    # The systemd driver writes uids with underscores, the cgroupfs driver with dashes.
    groups = _text(folder / "cgroup")
    return uid in groups or uid.replace("-", "_") in groups


def _read(folder: Path) -> Process | None:
    status, memory = _fields(folder / "status"), _fields(folder / "smaps_rollup")
    name, resident = status.get("Name", ""), _bytes(status.get("VmRSS", ""))
    if not resident or _is_sandbox(status):
        return None
    command = _text(folder / "cmdline").replace("\0", " ").strip()
    user = int(status["Uid"].split()[0])
    return Process(int(folder.name), user, command or name, rss=resident, pss=_bytes(memory.get("Pss", "")) or resident)


def _is_sandbox(status: dict[str, str]) -> bool:
    # What has ended and nobody has waited for yet has a name still, and no memory.
    return status.get("Name") == _SANDBOX and "VmRSS" in status


def _fields(file: Path) -> dict[str, str]:
    pairs = (line.split(":", 1) for line in _text(file).splitlines() if ":" in line)
    return {key: value.strip() for key, value in pairs}


def _bytes(value: str) -> int:
    """Of `12 kB`; 0 where nothing is said."""
    return int(value.split(maxsplit=1)[0]) * 1024 if value else 0


def _text(path: Path) -> str:
    """A file of /proc; empty when the process has ended meanwhile."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
