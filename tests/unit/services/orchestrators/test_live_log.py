"""Lines of a log that is still being written have the numbers that they will have in the archive."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.model_service.engine_log import clean
from studio.model_service.orchestrators.live_log import Numbered, Position

LOGS = Path(__file__).parents[3] / "data" / "engine_logs"
RAW = st.lists(
    st.sampled_from(["line", "", "\n", "\r", "\r\n", "\x1b[91mred\x1b[0m", "Epochs:  50%|#  | 1/2 [00:01]", "ü", " "])
)


def live(data: bytes, size: int) -> list[str]:
    numbered = Numbered(1)
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    found = [each for piece in pieces for each in numbered.feed(piece)] + numbered.feed(b"", last=True)
    assert [number for number, _ in found] == list(range(1, len(found) + 1))
    return [line for _, line in found]


@given(RAW, st.integers(1, 9))
def test_live_lines_are_the_lines_of_the_archive(parts: list[str], size: int) -> None:
    raw = "".join(parts)
    assert live(raw.encode(), size) == clean(raw).splitlines()
    assert live(clean(raw).encode(), size) == clean(raw).splitlines(), "what was archived is read alike"


@pytest.mark.parametrize("path", sorted(LOGS.iterdir()), ids=lambda path: str(path.name))
def test_real_logs(path: Path) -> None:
    raw = path.read_bytes()
    assert live(raw, 1000) == clean(raw.decode(errors="replace")).split("\n")[:-1]


def test_positions() -> None:
    position = Position.parse("2.7")
    assert not position.passes(1, 9)
    assert not position.passes(2, 7)
    assert position.passes(2, 8)
    assert not position.passes(2, 8)
    assert position.passes(3, 1)
    for text in (None, "", "x", "1", "1.x", "-1.2", "9999999.1", "1.2\n"):
        assert Position.parse(text) == Position()
