"""Work that goes on behind the requests."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

import structlog

from studio.db.retry import is_transient

log = structlog.get_logger(__name__)

GRACE_SECONDS = 3.0


class Background:
    """Tasks that run as long as the process: one that fails is begun again after a pause."""

    def __init__(self, *, pause: float = 5.0) -> None:
        self._pause = pause
        self._tasks: list[asyncio.Task[None]] = []

    def run(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Begin `work` and begin it again whenever it ends."""
        self._tasks.append(asyncio.create_task(self._keep(name, work), name=name))

    async def _keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except Exception as error:
                if is_transient(error):
                    log.warning("a background task was interrupted, it begins again", task=name, error=repr(error))
                else:
                    log.exception("a background task failed, it begins again", task=name)
            await asyncio.sleep(self._pause)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        # A statement that is under way is taken back at the server, and that may be gone for good.
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=GRACE_SECONDS)


def every(seconds: float, work: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    """A background task that does `work` every so many seconds."""

    async def repeat() -> None:
        while True:
            await work()
            await asyncio.sleep(seconds)

    return repeat
