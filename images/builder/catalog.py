"""Which images exist and what goes into each: read from the Containerfiles, so that nothing is listed twice.

Conventions of a Containerfile under ``images/<name>/``:

* ``ARG BASE_IMAGE=...`` stands for the common base; ``ARG <NAME>_IMAGE`` stands for the image ``<name>`` of this
  repository. The builder passes the reference.
* ``COPY`` sources (outside ``--from``) are relative to the repository root and are exactly the inputs of the image.
"""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

BASE = "base"
PUBLIC_BASE = "docker.io/library/python:3.11-slim-bookworm"
_PARENT_ARG = re.compile(r"^ARG\s+([A-Z][A-Z0-9_]*)_IMAGE\b", re.MULTILINE)
_CONTINUATION = re.compile(r"\\\n")


@dataclass(frozen=True)
class Image:
    """One image: its Containerfile, the images it starts from, the paths it copies."""

    name: str
    containerfile: str
    parents: tuple[str, ...]
    inputs: tuple[str, ...]


def parents_of(text: str) -> tuple[str, ...]:
    """Names of the images that stand behind the ``..._IMAGE`` arguments, in order of appearance."""
    return tuple(name.lower().replace("_", "-") for name in _PARENT_ARG.findall(text))


def argument_of(parent: str) -> str:
    """The build argument that carries the reference of a parent image."""
    return parent.upper().replace("-", "_") + "_IMAGE"


def copied_paths(text: str) -> tuple[str, ...]:
    """Sources of all COPY lines that read the build context, sorted, without duplicates."""
    found: set[str] = set()
    for line in _CONTINUATION.sub(" ", text).splitlines():
        words = line.split()
        if not words or words[0] != "COPY" or any(word.startswith("--from=") for word in words):
            continue
        sources = [word for word in words[1:] if not word.startswith("--")][:-1]
        found.update(str(PurePosixPath(source)) for source in sources)
    return tuple(sorted(found))


def parse(name: str, containerfile: str, text: str) -> Image:
    """An image from the text of its Containerfile."""
    return Image(name=name, containerfile=containerfile, parents=parents_of(text), inputs=copied_paths(text))


def discover(root: Path) -> dict[str, Image]:
    """All images of the repository, by name."""
    return {
        path.parent.name: parse(path.parent.name, path.relative_to(root).as_posix(), path.read_text())
        for path in sorted(root.glob("images/*/Containerfile"))
    }
