"""docs/model-service.md draws exactly the transitions that the code allows."""

import re
from pathlib import Path

import pytest

from studio.model_service.items import FINAL_STATES, KINDS, Kind, transitions

PAGE = (Path(__file__).parents[4] / "docs" / "model-service.md").read_text()


def drawn(kind: Kind) -> set[tuple[str, str]]:
    """The arrows of the diagram of a kind."""
    diagrams = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", PAGE, re.DOTALL)
    (diagram,) = [text for text in diagrams if f"%% {kind}\n" in text]
    return set(re.findall(r"^  (\S+) --> (\S+)$", diagram, re.MULTILINE))


@pytest.mark.parametrize("kind", KINDS)
def test_the_diagram_shows_what_the_code_allows(kind: Kind) -> None:
    allowed = {(state, following) for state, after in transitions(kind).items() for following in after}
    ends = {(state, "[*]") for _, state in allowed if state in FINAL_STATES}
    assert drawn(kind) == allowed | ends | {("[*]", "Queued")}
