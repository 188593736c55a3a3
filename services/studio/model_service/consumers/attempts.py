"""When the next attempt of an item may start, and when to give up. Pure.

The history of an item is the list of how its earlier attempts ended. It travels as an annotation on the Job of each
attempt, so that a consumer that adopts the item goes on where its predecessor was.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from studio.contract.reasons import Reason

LONGEST_DELAY = 60.0
# A run that was ready for so long has proved itself: what follows is a new failure, not the same one again.
PROVEN_SECONDS = 300.0
CRASH_LOOP = 5
# Disruptions are free, yet a cluster that ends every attempt must not make Jobs for ever.
MOST_ATTEMPTS = 12
MORE_MEMORY = 1.5


class Ending(StrEnum):
    """How an attempt ended, as far as the next one depends on it."""

    DISRUPTED = Reason.DISRUPTED.value  # the cluster or somebody ended it: eviction, node lost, Job or pod deleted
    OUT_OF_MEMORY = Reason.OUT_OF_MEMORY.value
    STALLED = Reason.STALLED.value  # the engine of a training did not go on
    PROBLEM = "Problem"  # a helper could not do its part: storage, orchestrator, network
    CRASHED = "Crashed"  # the engine of a run ended by itself


@dataclass(frozen=True)
class Lost:
    """One lost attempt. `ready_seconds` is how long a run had been ready in it."""

    ending: Ending
    ready_seconds: float = 0.0


@dataclass(frozen=True)
class Again:
    """Start the next attempt after `delay` seconds, with the engine's memory times `memory_factor`."""

    delay: float
    memory_factor: float = 1.0


@dataclass(frozen=True)
class GiveUp:
    """No further attempt. `reason` is shown to users."""

    reason: str


History = Sequence[Lost]


def next_training_attempt(history: History, *, attempts: int) -> Again | GiveUp:
    """What follows a lost attempt of a training, the last one of `history`; `attempts` are allowed for problems.

    Out of memory: one more attempt with more memory. A stall: one more attempt. Disruptions: free.
    Problems: up to `attempts`.
    """
    endings = [lost.ending for lost in history]
    if endings.count(Ending.OUT_OF_MEMORY) > 1:
        return GiveUp(Ending.OUT_OF_MEMORY)
    if endings.count(Ending.STALLED) > 1:
        return GiveUp(Ending.STALLED)
    if endings.count(Ending.PROBLEM) >= max(attempts, 1):
        return GiveUp(Reason.ATTEMPTS_EXHAUSTED)
    if len(history) >= MOST_ATTEMPTS:
        return GiveUp(Reason.TOO_MANY_LOSSES)
    delay = 0.0 if endings[-1:] == [Ending.OUT_OF_MEMORY] else _delay(_repeats(history))
    return Again(delay, memory_factor(history))


def memory_factor(history: History) -> float:
    """By how much the memory of a training's next attempt is multiplied."""
    return MORE_MEMORY if any(lost.ending is Ending.OUT_OF_MEMORY for lost in history) else 1.0


def next_run_attempt(history: History) -> Again | GiveUp:
    """What follows the end of a run that nobody asked for, the last one of `history`.

    Delays double from one second to a minute. Five fast failures of the run's own in a row are a crash loop; what the
    cluster did to it delays, but never ends a run.
    """
    recent = _since_proven(history)
    if sum(lost.ending is not Ending.DISRUPTED for lost in recent) >= CRASH_LOOP:
        return GiveUp(Reason.CRASH_LOOP)
    return Again(_delay(len(recent)))


def encode(history: History) -> str:
    """The history as the text of an annotation; only what still matters is kept."""
    return json.dumps([[lost.ending, round(lost.ready_seconds)] for lost in history[-MOST_ATTEMPTS:]])


def decode(text: str | None) -> tuple[Lost, ...]:
    """The history in an annotation; what cannot be read counts as no history."""
    try:
        return tuple(Lost(Ending(ending), float(seconds)) for ending, seconds in json.loads(text or "[]"))
    except (ValueError, TypeError):
        return ()


def _since_proven(history: History) -> History:
    proven = [number for number, lost in enumerate(history) if lost.ready_seconds >= PROVEN_SECONDS]
    return history[proven[-1] + 1 :] if proven else history


def _repeats(history: History) -> int:
    """How many attempts at the end of the history ended in the same way."""
    last = history[-1].ending if history else None
    return next((n for n, lost in enumerate(reversed(history)) if lost.ending is not last), len(history))


def _delay(repeats: int) -> float:
    """1, 2, 4, … 60 seconds; at once after an attempt that had proved itself."""
    return min(LONGEST_DELAY, 2.0 ** (repeats - 1)) if repeats else 0.0
