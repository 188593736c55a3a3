"""For how long an engine has trained, whatever the clocks do meanwhile."""

from datetime import datetime
from time import monotonic


class Stopwatch:
    """The time of one pod after another.

    What passed before this consumer saw the engine run is told by clocks, once; from then on the monotonic one counts.
    So no jump of the database's clock makes a training late, or lets it go on, while it is held, and whoever adopts it
    knows what it has had already.
    """

    def __init__(self) -> None:
        self._pod = ""
        self._began = 0.0

    def seconds(self, pod: str, started: datetime, *, now: datetime) -> float:
        """For how long the engine of `pod` has run, which `started` by its node's clock; `now` counts at first only."""
        if pod != self._pod:
            self._pod = pod
            self._began = monotonic() - max(0.0, (now - started).total_seconds())
        return monotonic() - self._began
