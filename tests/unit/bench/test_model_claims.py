"""What the bench of claims makes of what it hears."""

from types import SimpleNamespace
from typing import Any

import pytest
from measuring import model_claims
from measuring.model_claims import Claims

from studio.contract import labels


def job(item: str, uid: str) -> dict[str, Any]:
    return {"metadata": {"uid": uid, "labels": {labels.TRAINING: item}}}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The moments at which events come, one for each first Job."""
    moments = [100.0, 101.0, 104.0]
    monkeypatch.setattr(model_claims, "time", SimpleNamespace(monotonic=lambda: moments.pop(0)))
    return moments


def test_the_rate_is_from_the_first_job_to_the_last(clock: list[float]) -> None:
    found = Claims(asked=3, consumers=2)
    assert found.per_second == 0
    assert [found.note("ADDED", job(item, item)) for item in "abc"] == ["a", "b", "c"]
    assert found.per_second == pytest.approx(2 / 4)
    assert found.doubled == []


def test_a_job_that_is_heard_of_again_is_no_second_one(clock: list[float]) -> None:
    found = Claims(asked=2, consumers=2)
    assert found.note("ADDED", job("a", "1")) == "a"
    for event in ("MODIFIED", "ADDED", "DELETED"):
        assert found.note(event, job("a", "1")) is None
    assert found.doubled == []
    assert found.note("ADDED", job("a", "2")) is None
    assert found.doubled == ["a"]


def test_more_at_work_than_consumers_is_told(clock: list[float]) -> None:
    found = Claims(asked=3, consumers=1)
    found.note("ADDED", job("a", "1"))
    found.note("DELETED", job("a", "1"))
    found.note("ADDED", job("b", "2"))
    assert (found.most_present, found.beyond) == (1, 0)
    found.note("ADDED", job("c", "3"))
    assert (found.most_present, found.beyond) == (2, 1)
    found.present.clear()
    found.most_running = 4
    assert found.beyond == 3
