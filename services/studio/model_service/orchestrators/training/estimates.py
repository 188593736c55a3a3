"""What each queued training waits for, in words, and when it is expected to start. Pure.

The estimate plays the line through: every consumer takes what is next as soon as it is free, and every training takes
as long as those before it took. It is a forecast, not a promise: what is requested later may come first.
"""

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from studio.model_service.items import Waiting

# A training that has lasted longer than those before it is expected to need this part of their time still.
_OVERDUE = 0.1
_BOTH = 2


@dataclass(frozen=True, slots=True)
class Running:
    """A training under way: whose it is, and for how many seconds it has been."""

    uid: str
    elapsed: float


@dataclass(frozen=True, slots=True)
class Durations:
    """How many seconds trainings took: those of one assistant, else those of the whole studio; None: not measured."""

    of_assistant: Mapping[str, float] = field(default_factory=dict)
    of_studio: float | None = None

    def expected(self, uid: str) -> float:
        """The seconds that a training of the assistant will take; infinite when nothing was measured."""
        seconds = self.of_assistant.get(uid, self.of_studio)
        return math.inf if seconds is None else seconds


@dataclass(frozen=True, slots=True)
class Line:
    """The queue at one moment: what waits, in its order, what runs, and how many consumers are there."""

    now: datetime
    waiting: Sequence[Waiting]
    running: Sequence[Running]
    consumers: int
    durations: Durations


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a queued training may know of itself. `starts_in` are seconds; None: nobody can tell."""

    position: int
    waits_for: str
    starts_in: float | None


def outlooks(line: Line) -> dict[str, Outlook]:
    """The outlook of every queued training, by id."""
    starts = _starts(line)
    return {
        item.id: Outlook(item.position, waits_for(item, line), _known(starts.get(item.id, math.inf)))
        for item in line.waiting
    }


def waits_for(item: Waiting, line: Line) -> str:
    """What keeps a queued training from starting, as a sentence that stays the same while it waits for the same."""
    if item.behind_its_own and not item.paused:
        return "its own earlier training is still running"
    if item.pause:
        return item.pause
    ahead = item.position - 1
    place = "it is next" if not ahead else "1 training is ahead" if ahead == 1 else f"{ahead} trainings are ahead"
    return f"{place}; {_of_consumers(line.consumers, busy=len(line.running))}"


def _of_consumers(consumers: int, *, busy: int) -> str:
    if consumers == 0:
        return "no training consumer is there"
    if busy < consumers:
        return "a free consumer is about to take the next one"
    if consumers == 1:
        return "the only consumer is busy"
    return "both consumers are busy" if consumers == _BOTH else f"all {consumers} consumers are busy"


def _starts(line: Line) -> dict[str, float]:
    """In how many seconds each training starts that will start; infinite when a duration before it is not known."""
    if not line.consumers:
        return {}
    free = [0.0] * line.consumers
    ends: dict[str, float] = {}
    for running in sorted(line.running, key=lambda each: rest(each, line.durations)):
        ends[running.uid] = free[0] + rest(running, line.durations)
        heapq.heapreplace(free, ends[running.uid])
    starts: dict[str, float] = {}
    ready = {item.id: _ready(item, line, ends) for item in line.waiting if not item.paused}
    for item in sorted((each for each in line.waiting if not each.paused), key=lambda each: ready[each.id]):
        starts[item.id] = max(free[0], ready[item.id])
        heapq.heapreplace(free, starts[item.id] + line.durations.expected(item.uid))
    return starts


def rest(running: Running, durations: Durations) -> float:
    """The seconds that a training will still take; infinite when nothing was measured."""
    expected = durations.expected(running.uid)
    return math.inf if math.isinf(expected) else max(expected - running.elapsed, expected * _OVERDUE)


def _ready(item: Waiting, line: Line, ends: Mapping[str, float]) -> float:
    """From when on it may be claimed at all."""
    pause = (item.retry_at - line.now).total_seconds() if item.retry_at else 0.0
    own = ends.get(item.uid, 0.0) if item.behind_its_own else 0.0
    return max(pause, own, 0.0)


def _known(seconds: float) -> float | None:
    return None if math.isinf(seconds) else round(seconds, 1)
