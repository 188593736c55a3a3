"""When the next attempt may start."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.model_service.consumers.attempts import (
    MOST_ATTEMPTS,
    PROVEN_SECONDS,
    Again,
    Ending,
    GiveUp,
    Lost,
    decode,
    encode,
    next_run_attempt,
    next_training_attempt,
)

D, M, P, C = (Lost(ending) for ending in (Ending.DISRUPTED, Ending.OUT_OF_MEMORY, Ending.PROBLEM, Ending.CRASHED))
S = Lost(Ending.STALLED)
PROVEN = Lost(Ending.CRASHED, PROVEN_SECONDS)
histories = st.lists(st.builds(Lost, st.sampled_from(Ending), st.sampled_from([0.0, 299.0, 300.0, 9999.0])), min_size=1)


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([D], Again(1)),
        ([D, D, D], Again(4)),
        ([D] * 11, Again(60)),
        ([D] * MOST_ATTEMPTS, GiveUp("TooManyLosses")),
        ([M], Again(0, 1.5)),
        ([M, D], Again(1, 1.5)),
        ([M, M], GiveUp("OutOfMemory")),
        ([M, D, M], GiveUp("OutOfMemory")),
        ([S], Again(1)),
        ([S, D, S], GiveUp("Stalled")),
        ([P], Again(1)),
        ([P, P], GiveUp("AttemptsExhausted")),
        ([P, D, P], GiveUp("AttemptsExhausted")),
    ],
)
def test_trainings(history: list[Lost], expected: Again | GiveUp) -> None:
    assert next_training_attempt(history, attempts=2) == expected


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([C], Again(1)),
        ([C, C, C, C], Again(8)),
        ([C] * 5, GiveUp("CrashLoop")),
        ([C, D, C, P, C, C], GiveUp("CrashLoop")),
        ([D] * 20, Again(60)),
        ([PROVEN], Again(0)),
        ([C, C, C, C, PROVEN, C], Again(1)),
        ([C, C, C, C, PROVEN, C, C, C, C, C], GiveUp("CrashLoop")),
    ],
)
def test_runs(history: list[Lost], expected: Again | GiveUp) -> None:
    assert next_run_attempt(history) == expected


@given(histories, st.integers(0, 5))
def test_delays_are_bounded_and_trainings_end(history: list[Lost], attempts: int) -> None:
    for verdict in (next_run_attempt(history), next_training_attempt(history, attempts=attempts)):
        assert isinstance(verdict, GiveUp) or 0 <= verdict.delay <= 60
    if len(history) >= MOST_ATTEMPTS:
        assert isinstance(next_training_attempt(history, attempts=attempts), GiveUp)


@given(histories)
def test_the_annotation_keeps_what_decides(history: list[Lost]) -> None:
    kept = decode(encode(history))
    assert list(kept) == history[-MOST_ATTEMPTS:]
    assert next_run_attempt(kept) == next_run_attempt(history[-MOST_ATTEMPTS:])


@pytest.mark.parametrize("text", [None, "", "{}", "nonsense", '[["Unknown", 1]]', "[1]", '[["Problem"]]'])
def test_unreadable_annotations(text: str | None) -> None:
    assert decode(text) == ()
