"""Results as they are kept in bench/results: one list a file, one entry a measure, the newest run of each."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from measuring.goals import Goal

FOLDER = Path(__file__).parents[1] / "results"


@dataclass(frozen=True)
class Result:
    """One measured value; `spread` says in words how the single values lay, `met` is None without a goal."""

    measure: str
    unit: str
    value: float
    spread: str
    goal: str
    met: bool | None
    peers: str
    command: str
    date: str
    commit: str


@dataclass(frozen=True)
class Circumstances:
    """What all results of one run have in common: the command, the day (ISO 8601) and the commit measured."""

    command: str
    date: str
    commit: str


def judge(goal: Goal, value: float, circumstances: Circumstances, *, spread: str = "") -> Result:
    """A value held against its goal."""
    return Result(
        measure=goal.measure,
        unit=goal.unit,
        value=round(value, 2),
        spread=spread,
        goal=goal.text,
        met=goal.met(value),
        peers=goal.peers,
        **asdict(circumstances),
    )


def merged(before: Iterable[Result], new: Iterable[Result], order: Iterable[Goal]) -> list[Result]:
    """The newest result of each measure, in the order of the goals; measures that nobody knows any more go."""
    newest = {result.measure: result for result in [*before, *new]}
    return [newest[goal.measure] for goal in order if goal.measure in newest]


def load(path: Path) -> list[Result]:
    """The results of a file; none where there is no file."""
    if not path.exists():
        return []
    items: list[dict[str, Any]] = json.loads(path.read_text())
    return [Result(**item) for item in items]


def save(path: Path, results: Iterable[Result]) -> None:
    """Write the file, one entry below the other, so that a diff shows what moved."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(result) for result in results], indent=2, ensure_ascii=False) + "\n")
