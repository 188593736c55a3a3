"""How often a status may be written for a place in the queue alone."""

from datetime import UTC, datetime, timedelta

from studio_operator.reconcile.pacing import PERIOD, Pacing

KEY = ("team", "concierge")
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def test_ten_seconds_lie_between_two_places() -> None:
    pacing = Pacing()
    assert pacing.wait(KEY, NOW) == 0
    pacing.wrote(KEY, NOW)
    assert pacing.wait(KEY, NOW + timedelta(seconds=4)) == PERIOD - 4
    assert pacing.wait(("team", "other"), NOW) == 0
    assert pacing.wait(KEY, NOW + timedelta(seconds=PERIOD)) == 0
    pacing.forget(KEY)
    assert pacing.wait(KEY, NOW) == 0
