"""When which key is due. Pure: time is an argument."""

import heapq
import itertools
import random
from collections.abc import Callable

from studio_operator.runtime.keys import Key

DEBOUNCE_SECONDS = 0.05
FIRST_BACKOFF_SECONDS = 1.0
LONGEST_BACKOFF_SECONDS = 60.0


def backoff(failures: int) -> float:
    """Seconds to wait after so many failures in a row: 1, 2, 4 … 60, each give or take a fifth."""
    steady = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(failures - 1, 16))
    return steady * random.uniform(0.8, 1.2)  # noqa: S311 not a secret


class Schedule:
    """Keys that wait, and keys that run; no key does both.

    Requests for a waiting key fold into one, at the earliest time asked for; requests for a running key into one more
    turn after this one. After a failure a key waits its back-off; a request may shorten that, but not below a second,
    so that an event which the failing pass itself causes cannot make it spin.
    """

    def __init__(self, *, debounce: float = DEBOUNCE_SECONDS, backoff: Callable[[int], float] = backoff) -> None:
        self._debounce = debounce
        self._backoff = backoff
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._order = itertools.count()
        self._again: dict[Key, float] = {}
        self._failures: dict[Key, int] = {}
        self._not_before: dict[Key, float] = {}
        self.running: dict[Key, float] = {}

    def add(self, key: Key, now: float, delay: float = 0.0) -> None:
        """Ask for a turn, `delay` seconds from now."""
        wanted = max(now + max(delay, self._debounce), self._not_before.get(key, now))
        if key in self.running:
            self._again[key] = min(wanted, self._again.get(key, wanted))
        else:
            self._wait(key, wanted)

    def take(self, now: float) -> Key | None:
        """The key that is overdue longest, which now runs; None when none is due."""
        due = self.next_due()
        if due is None or due > now:
            return None
        _, _, key = heapq.heappop(self._heap)
        del self._due[key]
        self.running[key] = now
        return key

    def done(self, key: Key, now: float, again: float | None) -> None:
        """The turn went well; `again` is in how many seconds it wants the next one, if ever."""
        del self.running[key]
        self._failures.pop(key, None)
        self._not_before.pop(key, None)
        if again is not None:
            self._wait(key, now + max(again, self._debounce))
        if (requested := self._again.pop(key, None)) is not None:
            self._wait(key, max(requested, now))

    def failed(self, key: Key, now: float) -> float:
        """The turn failed; returns the seconds until the next one."""
        del self.running[key]
        self._failures[key] = self._failures.get(key, 0) + 1
        self._not_before[key] = now + FIRST_BACKOFF_SECONDS
        delay = self._backoff(self._failures[key])
        self._wait(key, now + delay)
        if (requested := self._again.pop(key, None)) is not None:
            self._wait(key, max(requested, self._not_before[key]))
        return self._due[key] - now

    def next_due(self) -> float | None:
        """When the next key is due, or None when none waits."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def failures(self, key: Key) -> int:
        """How often in a row the key has failed."""
        return self._failures.get(key, 0)

    def __len__(self) -> int:
        return len(self._due)

    def _wait(self, key: Key, due: float) -> None:
        known = self._due.get(key)
        if known is None or due < known:
            self._due[key] = due
            heapq.heappush(self._heap, (due, next(self._order), key))
