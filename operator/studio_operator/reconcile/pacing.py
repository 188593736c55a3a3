"""When the status of each Assistant was last written. Kept in memory: after a restart one write may come early."""

from datetime import datetime

# A place in a long queue moves with every training of everybody; the exact one is the orchestrator's to tell.
PERIOD = 10.0


class Pacing:
    """Keys are namespace and name."""

    def __init__(self) -> None:
        self._written: dict[tuple[str, str], datetime] = {}

    def wait(self, key: tuple[str, str], now: datetime) -> float:
        """Seconds until a status in which nothing but a place in the queue has moved may be written again."""
        written = self._written.get(key)
        # A clock that is set back must not keep anybody waiting for longer.
        return 0.0 if written is None else min(PERIOD, max(0.0, PERIOD - (now - written).total_seconds()))

    def wrote(self, key: tuple[str, str], now: datetime) -> None:
        """The status was written."""
        self._written[key] = now

    def forget(self, key: tuple[str, str]) -> None:
        """The Assistant is gone."""
        self._written.pop(key, None)
