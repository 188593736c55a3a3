"""A Rasa project: which files of a folder belong to an assistant's content, and reading and writing them safely.

Content is a map of POSIX paths, relative to the project, to text.
"""

import hashlib
import io
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from studio.cli.config import write_atomically
from studio.cli.errors import Refused

Content = Mapping[str, str]

# The bounds of the back end, so that a push fails here, with the name of the file.
FILE_LIMIT = 1024 * 1024
TOTAL_LIMIT = 8 * 1024 * 1024
FILES_LIMIT = 500
PATH_LIMIT = 250
# No segment begins with a dot: that leaves out `..` and hidden files.
_PATH = re.compile(r"[-_a-zA-Z0-9][-._a-zA-Z0-9]*(/[-_a-zA-Z0-9][-._a-zA-Z0-9]*)*\.ya?ml")
_SUFFIXES = (".yml", ".yaml")
_FOLDERS = ("data", "domain")
# They are the operator's, or hold credentials: never content.
_KEPT_OUT = frozenset({"endpoints.yml", "endpoints.yaml", "credentials.yml", "credentials.yaml"})
_FIXED_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Project:
    """What was found in a folder: the content, and what stays behind with the reason."""

    content: dict[str, str]
    left_out: dict[str, str]


def digest(text: str) -> str:
    """sha256 (hex) of a file's text."""
    return hashlib.sha256(text.encode()).hexdigest()


def refusal(path: str) -> str | None:
    """Why a path cannot be a file of the content; None: it can. Holds for what is pushed and for what is pulled."""
    if len(path) > PATH_LIMIT or not _PATH.fullmatch(path):
        return (
            "a path is relative, of letters, digits, '-', '_' and '.', ends in .yml or .yaml, has no hidden parts, "
            f"and at most {PATH_LIMIT} characters"
        )
    return None


def read(folder: Path, *, also: Iterable[str] = (), whole: bool = True) -> Project:
    """The content of a project. Raises Refused for a symbolic link, a file that is not UTF-8, and for sizes.

    Content is config.yml, domain.yml or domain/, data/, and other YAML beside them; tests, endpoints.yml and
    credentials.yml stay behind. Files in other folders belong to it where the Studio had them: `also`. A `whole`
    project has a config.yml; one that is about to be completed need not.
    """
    if not folder.is_dir():
        raise Refused(f"{folder} is not a folder", remedy="Name the folder that holds config.yml.")
    content: dict[str, str] = {}
    left_out: dict[str, str] = {}
    total = 0
    elsewhere = (path for path in also if refusal(path) is None and (folder / path).exists())
    for path in sorted({*_candidates(folder), *elsewhere}):
        reason = _reason_to_leave(path)
        if reason:
            left_out[path] = reason
            continue
        text = _read_text(folder, path)
        total += len(text.encode())
        if total > TOTAL_LIMIT or len(content) >= FILES_LIMIT:
            raise Refused(f"{folder} is too large", f"At most {FILES_LIMIT} files of together {TOTAL_LIMIT >> 20} MiB.")
        content[path] = text
    if whole and not content.keys() & {"config.yml", "config.yaml"}:
        raise Refused(
            f"{folder} has no config.yml", "It is not a Rasa project.", remedy="Name the folder that holds config.yml."
        )
    return Project(content, left_out)


def pack(content: Content) -> bytes:
    """A zip of the content; the same content gives the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(content):
            info = zipfile.ZipInfo(path, _FIXED_DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, content[path].encode())
    return buffer.getvalue()


def unpack(data: bytes) -> dict[str, str]:
    """The content in a zip that somebody else made. Raises Refused for anything that is not plain content."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return dict(_members(archive))
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise Refused("The Studio's archive cannot be read", str(error)) from error


def write(folder: Path, path: str, text: str) -> None:
    """Put one file in place. Raises Refused for a path that is not content, or leads through a symbolic link."""
    target = _inside(folder, path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, text.encode())
        target.chmod(0o666 & ~_umask())
    except OSError as error:
        raise Refused(f"{target} cannot be written", error.strerror or str(error)) from error


def remove(folder: Path, path: str) -> None:
    """Remove one file, if it is there. Raises as `write`."""
    _inside(folder, path).unlink(missing_ok=True)


def _candidates(folder: Path) -> Iterator[str]:
    """Files beside config.yml, and all below data/ and domain/, as relative paths."""
    for entry in _entries(folder):
        if entry.name.startswith("."):
            continue
        if entry.name in _FOLDERS and (entry.is_symlink() or entry.is_dir(follow_symlinks=False)):
            yield from _below(folder, entry.name)
        elif PurePosixPath(entry.name).suffix in _SUFFIXES and not entry.is_dir(follow_symlinks=False):
            yield entry.name


def _below(folder: Path, name: str) -> Iterator[str]:
    _refuse_link(folder / name, name)
    for entry in _entries(folder / name):
        path = f"{name}/{entry.name}"
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _below(folder, path)
        else:
            yield path


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise Refused(f"{folder} cannot be read", error.strerror or str(error)) from error


def _reason_to_leave(path: str) -> str | None:
    pure = PurePosixPath(path)
    if pure.suffix not in _SUFFIXES:
        return "not YAML"
    if pure.name in _KEPT_OUT:
        return "set in the Assistant, not in the content"
    if pure.name.startswith("test_"):
        return "a test"
    return None


def _read_text(folder: Path, path: str) -> str:
    if reason := refusal(path):
        raise Refused(f"{path!r} cannot be pushed", f"{reason}.", remedy="Rename the file.")
    file = folder / path
    _refuse_link(file, path)
    # O_NOFOLLOW, too: the file may have become a link since.
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as handle:
        if not stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
            raise Refused(f"{path} is not a plain file")
        data = handle.read(FILE_LIMIT + 1)
    if len(data) > FILE_LIMIT:
        raise Refused(f"{path} is too large", "A file of the content is at most 1 MiB.", remedy="Split it.")
    try:
        # The back end drops a byte order mark, too: with it the file would differ for ever.
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(f"{path} is not UTF-8", str(error), remedy="Save the file as UTF-8.") from error
    if "\0" in text:
        raise Refused(f"{path} is not a text file", "It holds the character U+0000.")
    return text


def _refuse_link(path: Path, name: str) -> None:
    if path.is_symlink():
        raise Refused(f"{name} is a symbolic link", "Links may lead out of the project.", remedy="Put the file there.")


def _members(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    total = 0
    for info in _files(archive.infolist()):
        if info.filename in seen:
            raise ValueError(f"{info.filename} is in it twice")
        seen.add(info.filename)
        with archive.open(info) as member:
            data = member.read(FILE_LIMIT + 1)  # what the directory says of sizes may be a lie
        total += len(data)
        if len(data) > FILE_LIMIT or total > TOTAL_LIMIT or len(seen) > FILES_LIMIT:
            raise ValueError(f"{info.filename}: more than {FILES_LIMIT} files, 1 MiB a file or 8 MiB together")
        yield info.filename, data.decode("utf-8")


def _files(infos: Iterable[zipfile.ZipInfo]) -> Iterator[zipfile.ZipInfo]:
    for info in infos:
        if not info.filename:
            raise ValueError("it has a member without a name")
        mode = info.external_attr >> 16
        if mode and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_IFMT(mode) == 0):
            raise ValueError(f"{info.filename!r} is neither a file nor a folder")
        if info.is_dir():
            continue
        if reason := refusal(info.filename):
            raise ValueError(f"{info.filename!r}: {reason}")
        yield info


def _inside(folder: Path, path: str) -> Path:
    if reason := refusal(path):
        raise Refused(f"{path!r} cannot be written", f"{reason}.")
    target = folder / path
    for part in (target, *target.parents):
        if part == folder:
            break
        _refuse_link(part, str(part.relative_to(folder)))
    return target


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current
