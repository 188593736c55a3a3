"""`.studio.json`: which assistant a project folder belongs to, and what both had when they last agreed."""

import json
from dataclasses import dataclass
from pathlib import Path

from studio.cli.config import write_atomically
from studio.cli.errors import UsageError
from studio.cli.merging import Base
from studio.cli.project import Content, digest

FILE_NAME = ".studio.json"


@dataclass(frozen=True)
class Link:
    """An assistant of a Studio, and sha256 by path of the content that both sides had."""

    url: str
    assistant: str
    files: dict[str, str]

    def base(self, url: str, assistant: str) -> Base:
        """What was agreed with this assistant; None if the folder last spoke with another one."""
        return self.files if (self.url, self.assistant) == (url, assistant) else None


def read(folder: Path) -> Link | None:
    """The folder's link; None without one. Raises UsageError for one that cannot be used."""
    path = folder / FILE_NAME
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Link(str(found["url"]), str(found["assistant"]), {str(k): str(v) for k, v in found["files"].items()})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} cannot be used", repr(error), remedy="Delete it, then pull again.") from error


def write(folder: Path, url: str, assistant: str, content: Content) -> None:
    """Remember that the folder and the assistant agree on this content. Raises UsageError if the file cannot be."""
    write_digests(folder, url, assistant, {path: digest(text) for path, text in content.items()})


def write_digests(folder: Path, url: str, assistant: str, files: dict[str, str]) -> None:
    """The same from sha256 by path."""
    document = {"url": url, "assistant": assistant, "files": dict(sorted(files.items()))}
    try:
        write_atomically(folder / FILE_NAME, (json.dumps(document, indent=1) + "\n").encode())
    except OSError as error:
        raise UsageError(f"{folder / FILE_NAME} cannot be written", error.strerror or str(error)) from error
