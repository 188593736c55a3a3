"""Finds and removes the mounts under our own folders."""

from collections.abc import Iterable
from pathlib import Path

from cluster.command import CommandError, run


def mounts_below(mountinfo: str, folders: Iterable[Path]) -> tuple[str, ...]:
    """The mount points at or below the folders, last mounted first.

    Args:
        mountinfo: content of /proc/self/mountinfo (proc(5)), which escapes spaces and the like as octal numbers.
        folders: absolute paths without symbolic links.
    """
    points = [_unescape(line.split()[4]) for line in mountinfo.splitlines()]
    roots = tuple(folders)
    return tuple(point for point in reversed(points) if any(Path(point).is_relative_to(root) for root in roots))


def file_system_of(mountinfo: str, folder: Path) -> str:
    """The type of the file system that a folder is on, or would be on if it were made: ``ext4``, ``overlay``.

    Args:
        mountinfo: content of /proc/self/mountinfo.
        folder: an absolute path without symbolic links.
    """
    mounts = [(Path(_unescape(line.split()[4])), line.split(" - ")[1].split()[0]) for line in mountinfo.splitlines()]
    around = [(point, kind) for point, kind in mounts if folder.is_relative_to(point)]
    # Of several at the same place the last one covers the others.
    return max(reversed(around), key=lambda mount: len(mount[0].parts))[1]


def unmount_below(folders: Iterable[Path]) -> None:
    """Unmount everything at or below the folders.

    Raises:
        CommandError: a mount stays even when detached lazily.
    """
    resolved = tuple(folder.resolve() for folder in folders)
    for point in mounts_below(Path("/proc/self/mountinfo").read_text(), resolved):
        try:
            run(["umount", point])
        except CommandError:
            # Busy: detach it now, the kernel drops it when its last user ends.
            if point in mounts_below(Path("/proc/self/mountinfo").read_text(), resolved):
                run(["umount", "--lazy", point])


def _unescape(text: str) -> str:
    for code in ("040", "011", "012", "134"):
        text = text.replace(f"\\{code}", chr(int(code, 8)))
    return text
