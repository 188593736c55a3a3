"""Is this process still doing its work? What /healthz says; a restart cures what it finds."""

import time
from collections.abc import Callable, Iterable

from studio.kube import Kind

WATCH_SILENCE_SECONDS = 600.0
LONGEST_PASS_SECONDS = 300.0
MISSED_SLOW_PASSES = 3


class WatchActivity:
    """When each watch was last heard of: a stream that was opened, or an event of it.

    Each of the `namespaces` has a watch of its own for every kind; without any, one watch, of the namespace None, is of
    the whole cluster. The server ends every stream after a few minutes and the client opens the next one, so a watch
    that nobody opens any more is dead even if nothing ever changes in the cluster.
    """

    def __init__(self, namespaces: Iterable[str] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self.namespaces: tuple[str | None, ...] = tuple(namespaces) or (None,)
        self._clock = clock
        self._heard: dict[tuple[str | None, str], float] = {}

    def opened(self, path: str) -> None:
        """A watch of the collection at this URL path was answered."""
        *_, before, name, plural = path.rstrip("/").split("/")
        self._heard[name if before == "namespaces" else None, plural] = self._clock()

    def told(self, kind: Kind, namespace: str) -> None:
        """An event came, about an object in this namespace."""
        self._heard[namespace if namespace in self.namespaces else None, kind.plural] = self._clock()

    def last(self, namespace: str | None, kind: Kind) -> float | None:
        """When the watch was heard of last; None: never."""
        return self._heard.get((namespace, kind.plural))


class Liveness:
    """Collects the complaints. Before `lead` there is nothing to watch, hence nothing to complain about."""

    def __init__(
        self,
        *,
        kinds: Iterable[Kind],
        activity: WatchActivity,
        oldest_running: Callable[[], float],
        last_slow_pass: Callable[[], float | None],
        slow_pass_period: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kinds = tuple(kinds)
        self._activity = activity
        self._oldest_running = oldest_running
        self._last_slow_pass = last_slow_pass
        self._period = slow_pass_period
        self._clock = clock
        self._leading_since: float | None = None

    def lead(self) -> None:
        """From now on this process is to do the work."""
        self._leading_since = self._clock()

    def complaints(self) -> list[str]:
        """What is wrong, each in a sentence; empty when all is well."""
        if self._leading_since is None:
            return []
        found = [
            f"the watch of {kind.plural}{f' in {namespace}' if namespace else ''} is dead"
            for kind in self._kinds
            for namespace in self._activity.namespaces
            if self._silent(namespace, kind)
        ]
        if (age := self._oldest_running()) > LONGEST_PASS_SECONDS:
            found.append(f"a pass has been running for {age:.0f} s")
        since = max(self._last_slow_pass() or 0.0, self._leading_since)
        if (age := self._clock() - since) > MISSED_SLOW_PASSES * self._period:
            found.append(f"no slow pass was completed for {age:.0f} s")
        return found

    def _silent(self, namespace: str | None, kind: Kind) -> bool:
        known = (self._leading_since, self._activity.last(namespace, kind))
        return self._clock() - max(moment for moment in known if moment is not None) > WATCH_SILENCE_SECONDS
