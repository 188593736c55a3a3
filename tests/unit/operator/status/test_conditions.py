"""How conditions replace each other, and which changes are worth an event."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from studio_operator.status.conditions import (
    MAX_MESSAGE,
    ONLY_WHILE_TRUE,
    Condition,
    Transition,
    false,
    known,
    paused,
    render,
    timestamp,
    transitions,
    true,
    unknown,
)

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def rendered(
    *conditions: Condition, before: list[dict[str, Any]] | None = None, generation: int = 1, now: datetime = NOW
) -> list[dict[str, Any]]:
    return render(conditions, before=before or [], generation=generation, now=now)


def test_the_form_is_that_of_metav1() -> None:
    assert rendered(unknown("Ready", "Pending", "waits")) == [
        {
            "type": "Ready",
            "status": "Unknown",
            "reason": "Pending",
            "message": "waits",
            "observedGeneration": 1,
            "lastTransitionTime": "2026-11-21T12:00:00Z",
        }
    ]


def test_the_transition_time_moves_with_the_status_only() -> None:
    first = rendered(false("Ready", "A"))
    second = rendered(false("Ready", "B", "other words"), before=first, generation=2, now=LATER)
    assert second[0]["lastTransitionTime"] == timestamp(NOW)
    assert (second[0]["reason"], second[0]["observedGeneration"]) == ("B", 2)
    third = rendered(true("Ready", "B"), before=second, now=LATER)
    assert third[0]["lastTransitionTime"] == timestamp(LATER)


STATUSES = st.sampled_from([True, False, None])
CONDITIONS = st.lists(
    st.builds(Condition, st.sampled_from(["Ready", "Available", "Stalled", "Paused"]), STATUSES, st.sampled_from("AB")),
    unique_by=lambda condition: condition.type,
)


@given(CONDITIONS)
def test_rendering_the_same_again_changes_nothing(conditions: list[Condition]) -> None:
    once = rendered(*conditions)
    assert rendered(*conditions, before=once, now=LATER) == once
    assert transitions(once, once) == []


@given(CONDITIONS, CONDITIONS)
def test_what_is_wrong_when_true_is_present_only_then(before: list[Condition], after: list[Condition]) -> None:
    old = rendered(*before)
    new = rendered(*after, before=old, now=LATER)
    assert all(c["status"] == "True" for c in new if c["type"] in ONLY_WHILE_TRUE)
    assert {c["type"] for c in new} <= {c.type for c in after}
    times = {c["type"]: (c["status"], c["lastTransitionTime"]) for c in old}
    for condition in new:
        same = times.get(condition["type"], ("", ""))[0] == condition["status"]
        assert condition["lastTransitionTime"] == timestamp(NOW if same else LATER)


def test_long_messages_are_cut() -> None:
    assert len(rendered(true("Stalled", "X", "x" * 5000))[0]["message"]) == MAX_MESSAGE


def test_what_is_carried_over_keeps_the_generation_it_was_found_for() -> None:
    old = rendered(true("Trained", "Trained", "model 1"), generation=3)
    assert rendered(known(old)["Trained"], before=old, generation=4, now=LATER) == old


def test_paused_keeps_everything_else_as_it_was() -> None:
    old = rendered(false("Ready", "A"), true("Stalled", "A"))
    once = paused(old, generation=2, now=LATER)
    assert once[:2] == old
    assert (once[2]["type"], once[2]["observedGeneration"]) == ("Paused", 2)
    assert paused(once, generation=2, now=LATER + timedelta(hours=1)) == once


def test_transitions_are_changes_of_status_or_reason_and_ends() -> None:
    before = rendered(false("Ready", "Queued"), true("Available", "A"), true("Stalled", "Bad", "words"))
    after = rendered(
        true("Ready", "Ready", "all is well"), true("Available", "A", "new words"), unknown("Trained", "Pending")
    )
    assert transitions(before, after) == [
        Transition("Ready", "Ready", "all is well", warning=False),
        Transition("Stalled", "StalledEnded", "ended: Bad", warning=False),
    ]


def test_only_what_is_wrong_is_a_warning() -> None:
    after = rendered(false("Ready", "X"), true("Stalled", "X"), true("Degraded", "Y"), true("Paused", "Z"))
    assert [change.warning for change in transitions([], after)] == [False, True, True, False]


def test_the_end_of_reconciling_is_no_news() -> None:
    assert transitions(rendered(true("Reconciling", "X")), []) == []
