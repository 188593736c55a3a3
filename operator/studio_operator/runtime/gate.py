"""The gate that every write passes: closed as soon as another process might believe that it leads."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class NotLeader(Exception):
    """This process does not hold the lease (any more): nothing was written, or nobody knows whether it was."""


class WriteGate:
    """Open until a monotonic deadline that the renewal of the lease moves on."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._deadline = float("-inf")

    def open_until(self, deadline: float) -> None:
        """Let writes pass until the deadline, in seconds of the clock."""
        self._deadline = deadline

    def close(self) -> None:
        """Let nothing pass."""
        self._deadline = float("-inf")

    @property
    def remaining(self) -> float:
        """Seconds for which writes may still pass; negative when closed."""
        return self._deadline - self._clock()

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Around one write: it must end before the deadline, so that no answer is waited for beyond it.

        Raises NotLeader.
        """
        remaining = self.remaining
        if remaining <= 0:
            raise NotLeader("the lease has run out: this process must not write")
        try:
            async with asyncio.timeout(remaining):
                yield
        except TimeoutError as error:
            if self.remaining > 0:
                raise
            raise NotLeader("the lease ran out during a write") from error
