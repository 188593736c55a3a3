"""Content as a zip archive, in and out. Pure, and made for archives of strangers.

Nothing is ever written to a disk. What an archive claims about itself is not believed: bytes are counted as they come
out, and reading stops at the first one too many.
"""

import io
import stat
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO

from studio.backend.content import rules
from studio.http.limits import MIB
from studio.http.problems import Refused

ARCHIVE_BYTES = 8 * MIB
MAX_MEMBERS = 5000
# Text rarely shrinks to less than a tenth; what shrinks a hundredfold was made to burst.
MAX_RATIO = 100
_HARMLESS_BYTES = 64 * 1024
_CHUNK = 64 * 1024
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
# Parts of a Rasa project that are no content: channels and stores come from elsewhere, the rest is code and products.
_LEFT_OUT_FILES = frozenset({"endpoints.yml", "credentials.yml", "endpoints.yaml", "credentials.yaml"})
_LEFT_OUT_FOLDERS = frozenset({"tests", "test", "actions", "models", "results", "__MACOSX", "node_modules", "venv"})
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Unpacked:
    """What an archive holds: the files of content by path, and the names of what was left out."""

    files: dict[str, str]
    left_out: list[str]


def unpack(data: bytes) -> Unpacked:
    """Read an archive of a Rasa project. Raises Refused, naming the member."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _read(archive)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, ValueError, RuntimeError) as error:
        raise Refused(422, f"the body is not a readable zip archive: {error}") from error


def pack(files: Mapping[str, str]) -> bytes:
    """An archive of the files; the same files give the same bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(path, date_time=_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[path])
    return packed.getvalue()


def _read(archive: zipfile.ZipFile) -> Unpacked:
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise Refused(422, f"the archive has {len(members)} members, at most {MAX_MEMBERS} are read")
    for member in members:
        _check(member)
    wrapper = _wrapper([member.filename for member in members])
    files: dict[str, str] = {}
    left_out: list[str] = []
    total = 0
    for member in members:
        path = member.filename.removeprefix(wrapper)
        if member.is_dir() or not path:
            continue
        if not _is_content(path):
            left_out.append(path)
            continue
        rules.check_path(path)
        if path in files:
            raise Refused(422, f"{path}: the archive holds it twice")
        if len(files) >= rules.MAX_FILES:
            raise Refused(413, f"more than {rules.MAX_FILES} files: merge some")
        content = _inflate(archive, member, room=rules.TOTAL_BYTES - total)
        total += len(content)
        files[path] = rules.text_of(path, content)
    if not files:
        raise Refused(422, "the archive holds no content: it needs config.yml, domain.yml and data/*.yml")
    rules.check_set({path: len(text.encode()) for path, text in files.items()})
    return Unpacked(files, sorted(left_out)[:100])


def _check(member: zipfile.ZipInfo) -> None:
    """Whoever packs a member that leads out of its folder means no good: the whole archive is refused."""
    name = member.filename
    if not name:
        raise Refused(422, "the archive has a member without a name; pack it anew")
    parts = PurePosixPath(name).parts
    if name.startswith("/") or "\\" in name or ".." in parts or ":" in (parts[0] if parts else ""):
        raise Refused(422, f"{name[:250]!r}: the path leads out of the archive; pack relative paths only")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise Refused(422, f"{name[:250]!r}: it is a link or a special file; pack plain files only")
    if member.flag_bits & _ENCRYPTED:
        raise Refused(422, f"{name[:250]!r}: it is encrypted; pack it without a password")
    if member.compress_type not in _COMPRESSIONS:
        raise Refused(422, f"{name[:250]!r}: its compression is not supported; use deflate")


def _wrapper(names: list[str]) -> str:
    """The one folder that everything lies in, as archives of repositories have it; empty if there is none."""
    visible = [name for name in names if not name.startswith("__MACOSX/")]
    tops = {name.partition("/")[0] for name in visible}
    if len(tops) != 1 or any("/" not in name for name in visible):
        return ""
    top = f"{tops.pop()}/"
    return top if f"{top}config.yml" in visible else ""


def _is_content(path: str) -> bool:
    parts = PurePosixPath(path).parts
    name = parts[-1]
    if not name.endswith((".yml", ".yaml")) or any(part.startswith(".") for part in parts):
        return False
    if name in _LEFT_OUT_FILES or name.startswith("test_"):
        return False
    return len(parts) == 1 or parts[0] not in _LEFT_OUT_FOLDERS


def _inflate(archive: zipfile.ZipFile, member: zipfile.ZipInfo, *, room: int) -> bytes:
    """The bytes of a member, at most as many as a file may have and as there is room for. Raises Refused."""
    limit = min(rules.FILE_BYTES, room)
    with archive.open(member) as stream:
        return _read_at_most(stream, member, limit)


def _read_at_most(stream: IO[bytes], member: zipfile.ZipInfo, limit: int) -> bytes:
    out = bytearray()
    while chunk := stream.read(_CHUNK):
        out += chunk
        if len(out) > limit:
            raise Refused(413, f"{member.filename}: it has more than the {limit} bytes that are left for it")
        if len(out) > max(_HARMLESS_BYTES, MAX_RATIO * member.compress_size):
            raise Refused(422, f"{member.filename}: it grows more than {MAX_RATIO} times when unpacked")
    return bytes(out)
