"""What may be content. The same bounds as the operator's, so that what is published here is accepted there. Pure.

Nothing here parses YAML: text is kept as it is, and the operator reads it as a stream that expands nothing.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from studio.http.limits import KIB, MIB
from studio.http.problems import Refused

FILE_BYTES = 1024 * KIB
TOTAL_BYTES = 8 * MIB
MAX_FILES = 500
MAX_PATH = 250
# No segment begins with a dot: that leaves out `..` and hidden files.
_PATH = re.compile(r"[-_a-zA-Z0-9][-._a-zA-Z0-9]*(/[-_a-zA-Z0-9][-._a-zA-Z0-9]*)*\.ya?ml")


def check_path(path: str) -> None:
    """Raises Refused for what cannot be the path of a file of content."""
    if len(path) > MAX_PATH or not _PATH.fullmatch(path):
        raise Refused(
            422,
            f"path: {path[:MAX_PATH]!r} is not usable; take a relative path of letters, digits, '-', '_' and '.' that "
            f"ends in .yml or .yaml, has no hidden parts, and at most {MAX_PATH} characters",
        )


def text_of(path: str, data: bytes) -> str:
    """The text of a file. Raises Refused."""
    if len(data) > FILE_BYTES:
        raise Refused(413, f"{path}: {len(data)} bytes, at most {FILE_BYTES} are allowed: split the file")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(422, f"{path}: byte {error.start} is not UTF-8: save the file as UTF-8") from None
    if "\x00" in text:
        raise Refused(422, f"{path}: it holds the character U+0000, so it is not a text file")
    return text.removeprefix("\ufeff")


def check_set(sizes: Mapping[str, int]) -> None:
    """Raises Refused for files that cannot stand together; `sizes` are bytes by path."""
    if len(sizes) > MAX_FILES:
        raise Refused(413, f"{len(sizes)} files, at most {MAX_FILES} are allowed: merge some")
    total = sum(sizes.values())
    if total > TOTAL_BYTES:
        raise Refused(413, f"the files have {total} bytes, at most {TOTAL_BYTES} are allowed: split the assistant")
    for path in sizes:
        folder = next((str(above) for above in PurePosixPath(path).parents if str(above) in sizes), None)
        if folder is not None:
            raise Refused(409, f"{path}: {folder} is a file already: rename one of them")


def check_publishable(paths: Iterable[str]) -> None:
    """Raises Refused for a draft that no engine could be trained with."""
    if "config.yml" not in set(paths):
        raise Refused(409, "the draft has no config.yml: add one with recipe, pipeline and policies")


def digest(files: Mapping[str, str]) -> str:
    """The sha256 (hex) of files and their names."""
    canonical = json.dumps(files, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def file_digest(text: str) -> str:
    """The sha256 (hex) of one file."""
    return hashlib.sha256(text.encode()).hexdigest()
