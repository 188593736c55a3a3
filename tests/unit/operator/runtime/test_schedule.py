"""The schedule against a model of what it promises."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from studio_operator.runtime.keys import Key
from studio_operator.runtime.schedule import FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS, Schedule, backoff

KEYS = [Key("Assistant", "n", name) for name in "abc"]
A = KEYS[0]
# Times are sums of powers of two, so that they add up exactly.
DEBOUNCE = 1 / 16


def schedule() -> Schedule:
    return Schedule(debounce=DEBOUNCE, backoff=lambda failures: min(60.0, 2.0 ** (failures - 1)))


class ScheduleMachine(RuleBasedStateMachine):
    """No request is lost, no key runs twice at a time, nothing runs before it may."""

    def __init__(self) -> None:
        super().__init__()
        self.schedule = schedule()
        self.now = 0.0
        self.owed: dict[Key, float] = {}
        self.running: set[Key] = set()
        self.floor: dict[Key, float] = {}

    @rule(key=st.sampled_from(KEYS), delay=st.sampled_from([0.0, 0.0, 1.0, 30.0]))
    def add(self, key: Key, delay: float) -> None:
        self.schedule.add(key, self.now, delay)
        due = max(self.now + max(delay, DEBOUNCE), self.floor.get(key, 0.0))
        self.owed[key] = min(due, self.owed.get(key, due))

    @rule(seconds=st.sampled_from([1 / 64, 1 / 16, 0.5, 1.0, 5.0, 100.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def take(self) -> None:
        key = self.schedule.take(self.now)
        if key is None:
            assert all(due > self.now for key, due in self.owed.items() if key not in self.running)
            return
        assert key not in self.running
        assert self.owed.pop(key) <= self.now
        self.running.add(key)

    @precondition(lambda self: self.running)
    @rule(again=st.sampled_from([None, 0.0, 10.0]), data=st.data())
    def done(self, again: float | None, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        self.running.remove(key)
        self.floor.pop(key, None)
        self.schedule.done(key, self.now, again)
        if key in self.owed:
            self.owed[key] = max(self.owed[key], self.now)
        if again is not None:
            due = self.now + max(again, DEBOUNCE)
            self.owed[key] = min(due, self.owed.get(key, due))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        self.running.remove(key)
        delay = self.schedule.failed(key, self.now)
        assert delay >= FIRST_BACKOFF_SECONDS
        self.floor[key] = self.now + FIRST_BACKOFF_SECONDS
        self.owed[key] = self.now + delay

    @invariant()
    def agrees(self) -> None:
        assert set(self.schedule.running) == self.running
        waiting = {key: due for key, due in self.owed.items() if key not in self.running}
        assert len(self.schedule) == len(waiting)
        assert self.schedule.next_due() == min(waiting.values(), default=None)


TestSchedule = ScheduleMachine.TestCase
TestSchedule.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)


def test_requests_fold() -> None:
    queue = schedule()
    for moment in (0.0, 1 / 64, 1 / 32):
        queue.add(A, moment)
    assert queue.take(1 / 32) is None
    assert queue.take(1 / 16) == A
    assert queue.take(1.0) is None


def test_a_request_while_running_makes_one_more_turn() -> None:
    queue = schedule()
    queue.add(A, 0)
    queue.take(1)
    queue.add(A, 1)
    queue.add(A, 2)
    assert queue.take(9) is None
    queue.done(A, 10, None)
    assert queue.take(10) == A
    queue.done(A, 11, None)
    assert queue.next_due() is None


def test_an_event_brings_a_delayed_turn_forward() -> None:
    queue = schedule()
    queue.add(A, 0)
    queue.take(1)
    queue.done(A, 1, 300)
    queue.add(A, 5)
    assert queue.next_due() == 5 + DEBOUNCE


def test_back_off_grows_and_is_forgotten_on_success() -> None:
    queue = schedule()
    queue.add(A, 0)
    now, delays = DEBOUNCE, []
    for _ in range(8):
        assert queue.take(now) == A
        delays.append(queue.failed(A, now))
        now += delays[-1]
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60]
    queue.take(now)
    queue.done(A, now, None)
    assert queue.failures(A) == 0


def test_the_event_of_a_failing_pass_does_not_make_it_spin() -> None:
    queue = schedule()
    queue.add(A, 0)
    queue.take(1)
    queue.failed(A, 1)
    queue.take(2)
    queue.failed(A, 2)
    queue.add(A, 2 + 1 / 64)
    assert queue.next_due() == 2 + FIRST_BACKOFF_SECONDS


def test_back_off_has_jitter_and_an_end() -> None:
    assert all(0.8 <= backoff(1) <= 1.2 for _ in range(50))
    assert all(backoff(failures) <= LONGEST_BACKOFF_SECONDS * 1.2 for failures in (7, 50, 10_000))
    assert len({backoff(3) for _ in range(10)}) > 1
