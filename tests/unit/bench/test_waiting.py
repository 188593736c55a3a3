import pytest

from studio_e2e.waiting import NotYet, TimedOut, eventually


def test_what_becomes_true_is_returned() -> None:
    answers = iter([None, "", "there"])
    assert eventually("it", lambda: next(answers), within=5, every=0) == "there"


def test_the_deadline_tells_what_was_seen_last() -> None:
    def probe() -> bool:
        raise NotYet("2 of 3 ready")

    with pytest.raises(TimedOut, match="three pods: not within 0 s; last seen: 2 of 3 ready"):
        eventually("three pods", probe, within=0, every=0)
