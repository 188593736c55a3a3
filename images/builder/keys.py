"""References that carry their content: a key over everything that goes into an image.

Two checkouts with the same inputs get the same reference; a changed input gives a new one, so "the reference exists"
means "nothing to do", for the local store and for a cluster alike.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from builder.catalog import Image
from builder.errors import BuildError

REPOSITORY = "localhost/studio-operator"
KEY_LENGTH = 12
# The same names are in .dockerignore: what is not in the build context must not be in the key either.
IGNORED_NAMES = frozenset(
    {".git", ".venv", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", "node_modules"}
)
IGNORED_SUFFIXES = (".pyc",)


def reference(name: str, key: str) -> str:
    """The full reference of an image."""
    return f"{REPOSITORY}/{name}:{key}"


def digest(parts: Iterable[str]) -> str:
    """The key over a sequence of texts; each is delimited, so no two sequences run together."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode()
        total.update(len(data).to_bytes(8, "big"))
        total.update(data)
    return total.hexdigest()[:KEY_LENGTH]


def ignored(path: Path) -> bool:
    """Whether a file stays out of build context and key."""
    return path.suffix in IGNORED_SUFFIXES or not IGNORED_NAMES.isdisjoint(path.parts)


def files_below(root: Path, relative: str) -> Iterator[Path]:
    """Files behind one COPY source, relative to the root, in a stable order."""
    start = root / relative
    if start.is_dir():
        found = (path.relative_to(root) for path in start.rglob("*") if path.is_file() or path.is_symlink())
        yield from sorted(path for path in found if not ignored(path))
    elif start.exists():
        yield Path(relative)
    else:
        raise BuildError(f"{relative} is copied into an image but does not exist: create it, or remove the COPY line.")


def fingerprint(root: Path, path: Path) -> str:
    """Name, executable bit and content of one file."""
    full = root / path
    if full.is_symlink():
        return f"{path.as_posix()} link {full.readlink()}"
    executable = "x" if os.access(full, os.X_OK) else "-"
    return f"{path.as_posix()} {executable} {hashlib.sha256(full.read_bytes()).hexdigest()}"


def image_key(
    image: Image,
    *,
    root: Path,
    parent_keys: Mapping[str, str],
    arguments: Mapping[str, str],
    sources_of: Callable[[str], tuple[str, ...]],
) -> str:
    """The key of one image.

    ``sources_of`` replaces a staged input by what it is built from, so that the key is known without building it.
    """
    inputs = [source for path in (image.containerfile, *image.inputs) for source in sources_of(path)]
    return digest(
        [
            *(f"parent {parent} {parent_keys[parent]}" for parent in image.parents),
            *(f"argument {name}={value}" for name, value in sorted(arguments.items())),
            *(f"file {fingerprint(root, path)}" for source in inputs for path in files_below(root, source)),
        ]
    )
