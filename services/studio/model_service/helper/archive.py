"""Archives from elsewhere, read with suspicion: content (tar.gz of text files) and models (tar.gz of a tree).

A model is code (CVE-2024-49375) and the engine unpacks it itself, so names, kinds and sizes are checked before it may.
Nothing of an archive is believed: not its sizes, for decompression is counted, nor its headers, for they are bounded.
"""

import gzip
import hashlib
import io
import os
import re
import stat
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from studio.contract.content import is_trained
from studio.contract.model_service import FileDigest

_CHUNK = 64 * 1024
_MI = 1024 * 1024
# Keys of ConfigMaps, and folders of them: https://kubernetes.io/docs/concepts/configuration/configmap/
_PATH = re.compile(r"^[-._a-zA-Z0-9]{1,253}(/[-._a-zA-Z0-9]{1,253}){0,15}$")
_DOMAIN = re.compile(r"^(domain[^/]*\.ya?ml|domain/.*)$")
_PLAIN_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE)
# The extended header of one member; beyond it lies only malice.
_LARGEST_HEADER = _MI


class UnsafeArchive(Exception):
    """The archive is not what it should be and must not be unpacked; the text says why."""


@dataclass(frozen=True)
class Limits:
    """The most that an archive may hold: unpacked bytes, all headers included, and members."""

    unpacked: int
    members: int


CONTENT_LIMITS = Limits(unpacked=64 * _MI, members=2_000)
MODEL_LIMITS = Limits(unpacked=8 * 1024 * _MI, members=20_000)


def digest(path: Path) -> FileDigest:
    """sha256 and size of a plain file. UnsafeArchive if it is missing or anything else, such as a symbolic link."""
    hasher, size = hashlib.sha256(), 0
    with open_plain(path) as file:
        while chunk := file.read(_CHUNK):
            hasher.update(chunk)
            size += len(chunk)
    return FileDigest(sha256=hasher.hexdigest(), size=size)


def open_plain(path: Path) -> BinaryIO:
    """Open a plain file that somebody else may have made; links are not followed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UnsafeArchive(f"{path.name} cannot be read as a plain file: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnsafeArchive(f"{path.name} is not a plain file")
    return os.fdopen(descriptor, "rb")


def unpack_content(archive: Path, target: Path, *, limits: Limits = CONTENT_LIMITS) -> list[str]:
    """Unpack an archive of content into `target`: config.yml, domain/, data/. Gives the paths in it, sorted.

    Raises UnsafeArchive for anything but plain files under plain relative paths, for duplicates, and beyond `limits`.
    """
    for folder in (target / "domain", target / "data"):
        folder.mkdir(parents=True, exist_ok=True)
    names: set[str] = set()
    with _reading(archive, limits) as tar:
        for member in tar:
            _check_count(names, limits)
            name = member.name
            if not _PATH.fullmatch(name) or {".", ".."} & set(name.split("/")):
                raise UnsafeArchive(f"the content has a file named {name!r}: rename it to a plain relative path")
            if member.type not in _PLAIN_FILES:
                raise UnsafeArchive(f"{name} in the content is not a plain file")
            if name in names:
                raise UnsafeArchive(f"{name} is in the content twice")
            names.add(name)
            if (place := _place(name)) is not None:
                _make_room(target / place, name)
                _write(tar, member, target / place)
    if "config.yml" not in names:
        raise UnsafeArchive("the content has no config.yml")
    return sorted(names)


def model_members(archive: Path, *, limits: Limits = MODEL_LIMITS) -> list[str]:
    """The names of the plain files in a model, sorted. UnsafeArchive if unpacking it could do harm."""
    names: set[str] = set()
    with _reading(archive, limits) as tar:
        for member in tar:
            _check_count(names, limits)
            name = member.name
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
                raise UnsafeArchive(f"the model has a member named {name!r}, which leads out of its folder")
            if member.isdir():
                continue
            if member.type not in _PLAIN_FILES:
                raise UnsafeArchive(f"{name} in the model is neither a plain file nor a folder")
            if name in names:
                raise UnsafeArchive(f"{name} is in the model twice")
            names.add(name)
    if not names:
        raise UnsafeArchive("the model is empty")
    return sorted(names)


class _Bounded(io.RawIOBase):
    """A decompressed stream that refuses to go beyond a number of bytes, and to give very much at once."""

    def __init__(self, stream: gzip.GzipFile, limit: int) -> None:
        self._stream = stream
        self._limit = limit

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence != os.SEEK_SET or offset > self._limit:
            raise UnsafeArchive(f"the archive unpacks to more than {self._limit} bytes")
        return self._stream.seek(offset)

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > _LARGEST_HEADER:
            raise UnsafeArchive("the archive has a header of more than a megabyte")
        if self._stream.tell() + size > self._limit + _CHUNK:
            raise UnsafeArchive(f"the archive unpacks to more than {self._limit} bytes")
        return self._stream.read(size)


@contextmanager
def _reading(archive: Path, limits: Limits) -> Iterator[tarfile.TarFile]:
    try:
        with open_plain(archive) as file, gzip.GzipFile(fileobj=file) as stream:
            bounded = _Bounded(stream, limits.unpacked)
            with tarfile.open(fileobj=bounded, mode="r:", errorlevel=2) as tar:
                yield tar
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, UnicodeError, ValueError) as error:
        raise UnsafeArchive(f"{archive.name} is not a readable tar.gz: {error}") from error


def _check_count(names: set[str], limits: Limits) -> None:
    if len(names) >= limits.members:
        raise UnsafeArchive(f"the archive has more than {limits.members} members")


def _place(name: str) -> str | None:
    """Where a file of the content goes; None: the engine's training does not get it.

    The whole path stays beneath domain/ or data/, so that no two files can meet.
    """
    if name == "config.yml":
        return name
    if not is_trained(name):
        return None
    return f"domain/{name}" if _DOMAIN.match(name) else f"data/{name}"


def _make_room(path: Path, name: str) -> None:
    """The folders above a file. Nothing in `target` is a link, for only plain files are ever written there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnsafeArchive(f"{name} in the content lies in what is a file already") from error
    if path.is_dir():
        raise UnsafeArchive(f"{name} in the content is a file and a folder")


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    source = tar.extractfile(member)
    if source is None:
        raise UnsafeArchive(f"{member.name} cannot be read")
    with source, path.open("wb") as file:
        while chunk := source.read(_CHUNK):
            file.write(chunk)
