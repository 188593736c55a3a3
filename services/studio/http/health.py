"""What the probes of a process are told."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

READY_CACHE_SECONDS = 3.0
UNREADY_CACHE_SECONDS = 0.5
STUCK_SECONDS = 60.0


class Pool(Protocol):
    """A bounded pool of connections, as that of asyncpg tells about itself."""

    def get_size(self) -> int:
        """Connections that are open."""

    def get_max_size(self) -> int:
        """Connections that may be open."""

    def get_idle_size(self) -> int:
        """Open connections that nobody uses now."""


@dataclass
class Health:
    """Whether the process works (`alive`) and whether it can serve (`ready`)."""

    pool: Pool
    check: Callable[[], Awaitable[None]]
    clock: Callable[[], float] = time.monotonic
    _busy_since: float | None = field(default=None, init=False)
    _checked_at: float = field(default=float("-inf"), init=False)
    _problem: str | None = field(default=None, init=False)

    def alive(self) -> str | None:
        """What is broken for good: connections that never come back to the pool. None: nothing."""
        busy = self.pool.get_idle_size() == 0 and self.pool.get_size() == self.pool.get_max_size()
        if not busy:
            self._busy_since = None
            return None
        self._busy_since = self._busy_since if self._busy_since is not None else self.clock()
        stuck = self.clock() - self._busy_since > STUCK_SECONDS
        return f"no database connection was free for {STUCK_SECONDS:.0f} s" if stuck else None

    async def ready(self) -> str | None:
        """Why requests cannot be served now; None: they can. Asks the dependencies every 3 s, sooner if one failed."""
        valid = READY_CACHE_SECONDS if self._problem is None else UNREADY_CACHE_SECONDS
        if self.clock() - self._checked_at > valid:
            self._checked_at = self.clock()
            try:
                async with asyncio.timeout(5):
                    await self.check()
                self._problem = None
            except Exception as error:  # noqa: BLE001 (any failure of a dependency means not ready)
                self._problem = f"{type(error).__name__}: {error}"
        return self._problem
