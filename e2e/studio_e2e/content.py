"""The content of the assistants of the suite, as flat files."""

from collections.abc import Mapping
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
HALL = REPOSITORY / "examples" / "concert-hall"
FRONT_DESK = Path(__file__).parent / "front_desk"
_PORTER = Path(__file__).parent / "porter"

GREETING = "Good day."
ANNOUNCEMENT = "{visitor} on floor {floor} knows that you are here."


def hall() -> dict[str, str]:
    """The concert hall of examples/: a form with validation and custom actions."""
    return _files(HALL / "content")


def porter(*, greeting: str = GREETING, announcement: str = ANNOUNCEMENT) -> dict[str, str]:
    """The smallest assistant with a form and no action server; other texts are other content, thus another training."""
    files = _files(_PORTER)
    files["domain.yml"] = files["domain.yml"].replace(GREETING, greeting).replace(ANNOUNCEMENT, announcement)
    return files


def with_component(files: Mapping[str, str], component: str) -> dict[str, str]:
    """The same content with one more component at the head of its pipeline."""
    config = files["config.yml"].replace("pipeline:\n", f"pipeline:\n  - name: {component}\n")
    return {**files, "config.yml": config}


def _files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.glob("*.yml"))}
