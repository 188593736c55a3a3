"""What queued trainings are told of their wait, for any line."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.model_service.items import Waiting
from studio.model_service.orchestrators.training.estimates import Durations, Line, Outlook, Running, outlooks

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SECONDS = st.floats(0, 10_000, allow_nan=False)


def line(*waiting: Waiting, running: int = 0, consumers: int = 1, seconds: float | None = 60.0) -> Line:
    return Line(
        NOW, waiting, [Running(f"r{n}", 20.0) for n in range(running)], consumers, Durations(of_studio=seconds)
    )  # fmt: skip


def waiting(position: int = 1, **more: object) -> Waiting:
    return Waiting(f"t{position}", f"u{position}", position, **more)  # type: ignore[arg-type]


def only(line: Line) -> Outlook:
    (outlook,) = outlooks(line).values()
    return outlook


@pytest.mark.parametrize(
    ("seen", "words", "starts_in"),
    [
        (line(waiting()), "it is next; a free consumer is about to take the next one", 0.0),
        (line(waiting(), running=1), "it is next; the only consumer is busy", 40.0),
        (line(waiting(3), running=2, consumers=2), "2 trainings are ahead; both consumers are busy", 40.0),
        (line(waiting(2), running=3, consumers=3), "1 training is ahead; all 3 consumers are busy", 40.0),
        (line(waiting(), consumers=0), "it is next; no training consumer is there", None),
        (line(waiting(), running=1, seconds=None), "it is next; the only consumer is busy", None),
        (line(waiting(paused=True)), "its assistant is paused", None),
        (
            line(waiting(retry_at=NOW + timedelta(seconds=40), message="no node has room")),
            "it is tried again at 12:00:40 UTC: no node has room",
            40.0,
        ),
    ],
)
def test_words_and_starts(seen: Line, words: str, starts_in: float | None) -> None:
    outlook = only(seen)
    assert (outlook.waits_for, outlook.starts_in) == (words, starts_in)


def test_behind_its_own_it_waits_for_that_end_though_a_consumer_is_free() -> None:
    own = Waiting("t2", "r0", 1, behind_its_own=True)
    outlook = only(line(own, running=1, consumers=3))
    assert (outlook.waits_for, outlook.starts_in) == ("its own earlier training is still running", 40.0)


def test_what_the_assistant_took_counts_before_what_the_studio_took() -> None:
    durations = Durations({"u1": 10.0}, 100.0)
    seen = Line(NOW, [waiting(1), waiting(2), waiting(3)], [], 1, durations)
    assert [each.starts_in for each in outlooks(seen).values()] == [0.0, 10.0, 110.0]


def test_an_overdue_training_is_not_expected_to_end_this_moment() -> None:
    seen = Line(NOW, [waiting()], [Running("r", 500.0)], 1, Durations(of_studio=60.0))
    assert only(seen).starts_in == 6.0


def test_left_behind_trainings_are_taken_up_before_the_line() -> None:
    assert only(line(waiting(), running=3, consumers=1)).starts_in == 120.0


@st.composite
def lines(draw: st.DrawFn) -> Line:
    count = draw(st.integers(0, 8))
    kept = sorted(draw(st.lists(st.booleans(), min_size=count, max_size=count)))  # what may be claimed stands first
    items = [
        Waiting(
            f"t{n}", f"u{n}", n + 1, "why",
            paused=held and draw(st.booleans()),
            retry_at=NOW + timedelta(seconds=draw(SECONDS)) if held else None,
        )
        for n, held in enumerate(kept)
    ]  # fmt: skip
    measured = draw(st.dictionaries(st.sampled_from([f"u{n}" for n in range(8)]), SECONDS))
    running = [Running(f"r{n}", draw(SECONDS)) for n in range(draw(st.integers(0, 4)))]
    durations = Durations(measured, draw(st.none() | SECONDS))
    return Line(NOW, items, running, draw(st.integers(0, 4)), durations)


@given(lines())
def test_every_queued_training_is_told_something(seen: Line) -> None:
    told = outlooks(seen)
    assert told.keys() == {item.id for item in seen.waiting}
    for item in seen.waiting:
        outlook = told[item.id]
        assert outlook.position == item.position
        assert outlook.waits_for
        assert outlook.starts_in is None or (outlook.starts_in >= 0 and math.isfinite(outlook.starts_in))
        if item.paused or not seen.consumers:
            assert outlook.starts_in is None
        elif item.retry_at and outlook.starts_in is not None:
            assert outlook.starts_in >= round((item.retry_at - NOW).total_seconds(), 1)


@given(lines())
def test_who_stands_further_back_starts_no_earlier(seen: Line) -> None:
    told = outlooks(seen)
    due = [told[item.id].starts_in for item in seen.waiting if not item.paused and item.retry_at is None]
    starts = [math.inf if each is None else each for each in due]
    assert starts == sorted(starts)


@given(lines())
def test_with_more_consumers_nobody_who_is_due_starts_later(seen: Line) -> None:
    more = outlooks(Line(seen.now, seen.waiting, seen.running, seen.consumers + 1, seen.durations))
    for item in seen.waiting:
        before = outlooks(seen)[item.id].starts_in
        if before is not None and item.retry_at is None:
            after = more[item.id].starts_in
            assert after is not None
            assert after <= before + 0.1


@given(lines())
def test_words_do_not_count_seconds(seen: Line) -> None:
    """A status is not written because time passes: the words only change with what is waited for."""
    later = Line(NOW + timedelta(seconds=7), seen.waiting, seen.running, seen.consumers, seen.durations)
    words = {key: outlook.waits_for for key, outlook in outlooks(seen).items()}
    assert words == {key: outlook.waits_for for key, outlook in outlooks(later).items()}
