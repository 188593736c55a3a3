"""For how long an engine has trained."""

from datetime import timedelta

import pytest
from tests.unit.services.consumers.scenery import START

from studio.model_service.consumers import stopwatch
from studio.model_service.consumers.stopwatch import Stopwatch


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the monotonic clock shows."""
    shown = [1000.0]
    monkeypatch.setattr(stopwatch, "monotonic", lambda: shown[0])
    return shown


@pytest.mark.parametrize("jump", [timedelta(hours=-5), timedelta(0), timedelta(hours=5)], ids=str)
def test_after_the_first_look_no_clock_that_jumps_counts(ticks: list[float], jump: timedelta) -> None:
    watch = Stopwatch()
    assert watch.seconds("p", START, now=START + timedelta(seconds=30)) == 30
    ticks[0] += 12
    assert watch.seconds("p", START, now=START + jump) == 42


def test_each_pod_is_timed_anew(ticks: list[float]) -> None:
    watch = Stopwatch()
    watch.seconds("p", START, now=START + timedelta(seconds=30))
    ticks[0] += 12
    assert watch.seconds("q", START, now=START + timedelta(seconds=3)) == 3


def test_an_engine_that_begins_in_the_future_has_just_begun(ticks: list[float]) -> None:
    watch = Stopwatch()
    assert watch.seconds("p", START, now=START - timedelta(hours=1)) == 0
    ticks[0] += 5
    assert watch.seconds("p", START, now=START) == 5
