"""Renders docs/measurements.md from bench/results; `--check` only tells whether the page is up to date."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from measuring.goals import FIRST_CHAT, MODEL_SERVICE, STUDIO, Goal
from measuring.results import FOLDER, Result, load

PAGE = Path(__file__).parents[1] / "docs" / "measurements.md"
# Why a goal is missed is for a person to find out and to write down here.
REASONS = FOLDER / "reasons.json"
CHAPTERS = {
    "first-chat": ("The first chat", "make bench-first-chat", FIRST_CHAT),
    "studio": ("The whole studio", "make bench-studio", STUDIO),
    "model-service": ("The model service", "make bench-model-service", MODEL_SERVICE),
}


def page(results: Mapping[str, Sequence[Result]], reasons: Mapping[str, str]) -> str:
    """The whole page. Raises KeyError naming a measure that misses its goal without a reason."""
    chapters = [
        chapter(title, command, goals, results.get(name, []), reasons)
        for name, (title, command, goals) in CHAPTERS.items()
    ]
    return (
        "# Measurements\n\n<!-- Written by bench/render.py: `make generate`. -->\n\n"
        "Measured on the local cluster: one node, 2 cores. Every line has the command that measures it again.\n\n"
        + "\n".join(chapters)
    )


def chapter(
    title: str, command: str, goals: Sequence[Goal], results: Sequence[Result], reasons: Mapping[str, str]
) -> str:
    """One table: a line a goal, also where nothing was measured yet, then how single values lay and what peers do."""
    found = {result.measure: result for result in results}
    lines = [f"## {title}", "", f"`{command}`", "", "| what | measured | goal | met |", "|---|---|---|---|"]
    lines += [_row(goal, found.get(goal.measure), reasons) for goal in goals]
    notes = [note for goal in goals if (result := found.get(goal.measure)) for note in _notes(result)]
    return "\n".join([*lines, *(["", *notes] if notes else []), ""])


def _row(goal: Goal, result: Result | None, reasons: Mapping[str, str]) -> str:
    if result is None:
        return f"| {goal.measure} | not measured yet | {_with_unit(goal.text, goal.unit)} | |"
    measured, wanted = _with_unit(f"{result.value:g}", result.unit), _with_unit(result.goal, result.unit)
    return f"| {result.measure} | {measured} | {wanted} | {_verdict(result, reasons)} |"


def _verdict(result: Result, reasons: Mapping[str, str]) -> str:
    if result.met is None:
        return ""
    return "yes" if result.met else f"no: {reasons[result.measure]}"


def _notes(result: Result) -> list[str]:
    when = f"{result.date}, {result.commit}"
    details = [detail for detail in (result.spread, result.peers) if detail]
    return [f"- {result.measure}: {'; '.join([*details, when])}, `{result.command}`"]


def _with_unit(text: str, unit: str) -> str:
    return f"{text} {unit}" if text else ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or compare it. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    reasons: dict[str, str] = json.loads(REASONS.read_text()) if REASONS.exists() else {}
    try:
        rendered = page({name: load(FOLDER / f"{name}.json") for name in CHAPTERS}, reasons)
    except KeyError as missing:
        print(f"error: {missing} misses its goal: write the reason into {REASONS.name}", file=sys.stderr)
        return 1
    if options.check:
        return _compare(rendered)
    PAGE.write_text(rendered)
    return 0


def _compare(rendered: str) -> int:
    if PAGE.exists() and PAGE.read_text() == rendered:
        return 0
    print("error: docs/measurements.md is out of date: run `make generate`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
