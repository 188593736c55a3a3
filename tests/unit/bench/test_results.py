import json
from pathlib import Path

import pytest
import render
from hypothesis import given
from hypothesis import strategies as st
from measuring import goals, results
from measuring.goals import Goal
from measuring.results import Circumstances, Result, judge
from measuring.scenarios import moments_of

WHERE = Circumstances("make bench", "2026-01-02", "abc1234")
FAST = Goal("fast", "s", 10)
MANY = Goal("many", "kills", 10, at_least=True)
FREE = Goal("free", "MiB")


@pytest.mark.parametrize(
    ("goal", "value", "met"),
    [(FAST, 10, True), (FAST, 10.5, False), (MANY, 10, True), (MANY, 9, False), (FREE, 1e9, None)],
)
def test_a_value_is_held_against_its_goal(goal: Goal, value: float, met: bool | None) -> None:
    assert judge(goal, value, WHERE).met is met


def test_the_newest_result_of_a_measure_stays_in_the_order_of_the_goals() -> None:
    before = [judge(MANY, 1, WHERE), judge(FAST, 1, WHERE), judge(FREE, 1, WHERE)]
    kept = results.merged(before, [judge(FAST, 2, WHERE)], [FAST, MANY])
    assert [(result.measure, result.value) for result in kept] == [("fast", 2), ("many", 1)]


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "results.json"
    written = [judge(FAST, 1.234, WHERE, spread="1 / 2 / 3"), judge(FREE, 5, WHERE)]
    results.save(path, written)
    assert results.load(path) == written
    assert list(json.loads(path.read_text())[0]) == [
        *("measure", "unit", "value", "spread", "goal", "met", "peers", "command", "date", "commit")
    ]


def test_no_file_is_no_results(tmp_path: Path) -> None:
    assert results.load(tmp_path / "none.json") == []


def test_measures_are_told_apart_by_name() -> None:
    names = [goal.measure for goal in goals.FIRST_CHAT]
    assert len(set(names)) == len(names)


def rendered(result: Result | None, reasons: dict[str, str] | None = None) -> str:
    return render.chapter("Title", "make it", [FAST], [result] if result else [], reasons or {})


def test_a_goal_that_is_met_and_one_that_nobody_measured() -> None:
    assert "| fast | 9 s | at most 10 s | yes |" in rendered(judge(FAST, 9, WHERE))
    assert "| fast | not measured yet | at most 10 s | |" in rendered(None)


def test_a_missed_goal_needs_its_reason() -> None:
    missed = judge(FAST, 11, WHERE)
    assert "| no: two cores |" in rendered(missed, {"fast": "two cores"})
    with pytest.raises(KeyError, match="fast"):
        rendered(missed)


def test_the_page_says_how_values_lay_and_how_to_measure_again() -> None:
    told = rendered(judge(FAST, 9, WHERE, spread="8 / 9 / 9"))
    assert "- fast: 8 / 9 / 9; 2026-01-02, abc1234, `make bench`" in told


def test_check_compares_and_does_not_write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(render, "PAGE", tmp_path / "measurements.md")
    monkeypatch.setattr(render, "FOLDER", tmp_path)
    assert render.main(["--check"]) == 1
    assert not (tmp_path / "measurements.md").exists()
    assert render.main([]) == 0
    assert render.main(["--check"]) == 0
    (tmp_path / "measurements.md").write_text("old")
    assert render.main(["--check"]) == 1


@given(kills=st.integers(1, 30), applies=st.integers(1, 5), within=st.floats(1, 300), seed=st.integers())
def test_moments_are_spread_over_the_applies_and_the_time(kills: int, applies: int, within: float, seed: int) -> None:
    drawn = moments_of(kills, applies, within=within, seed=seed)
    assert sum(len(moments) for moments in drawn) == kills
    assert max(map(len, drawn)) - min(map(len, drawn)) <= 1
    assert all(0 <= moment <= within for moments in drawn for moment in moments)
    assert drawn == moments_of(kills, applies, within=within, seed=seed)
