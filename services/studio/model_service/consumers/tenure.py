"""Holding one item: the heartbeat of its lease, its freshest row, and the certainty to be still the holder."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

import asyncpg
import structlog

from studio.contract.model_service import Progress
from studio.model_service.items import Item, Lease, LeaseLost
from studio.model_service.leasing import Queue
from studio.waiting import wait_at_most

log = structlog.get_logger(__name__)

TTL = 20.0
BEAT = 5.0
# Nothing is begun so short before the lease may pass to somebody else.
_MARGIN = 2.0


class Tenure:
    """An async context manager around the time during which a consumer holds an item.

    `wake` is set when the item changed or the lease was lost; others may set it too. After the lease's own deadline,
    measured by the monotonic clock, nothing is allowed any more, even if the database cannot be asked.
    """

    def __init__(self, queue: Queue, lease: Lease, *, ttl: float = TTL, beat: float = BEAT) -> None:
        """`lease` was taken just now for `ttl` seconds; it is renewed every `beat` seconds."""
        self._queue = queue
        self._ttl = ttl
        self._beat = beat
        self._deadline = time.monotonic() + ttl
        self._seen = _seen(lease.item, ttl, time.monotonic())
        self._lost = False
        self._poked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.lease = lease
        self.item: Item = lease.item
        self.wake = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._keep(), name="heartbeat")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def poke(self) -> None:
        """Read the item now instead of at the next heartbeat."""
        self._poked.set()

    def now(self) -> datetime:
        """The time by the database's clock, carried on by the monotonic one: the machine's own clock may jump."""
        if self._seen is None:
            return datetime.now(UTC)
        told, at = self._seen
        return told + timedelta(seconds=time.monotonic() - at)

    def ensure(self) -> None:
        """Raise LeaseLost unless the lease is certainly still ours."""
        if self._lost or time.monotonic() > self._deadline - _MARGIN:
            self._lost = True
            raise LeaseLost(f"the lease of {self.item.kind} {self.item.id} was not renewed in time")

    @contextlib.asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Around every write to the cluster: it is cut off, as LeaseLost, when the lease ends meanwhile."""
        self.ensure()
        remaining = self._deadline - _MARGIN / 2 - time.monotonic()
        limit = asyncio.timeout(remaining)
        try:
            async with limit:
                yield
        except TimeoutError as error:
            if limit.expired():
                raise LeaseLost(f"the lease of {self.item.kind} {self.item.id} ended during a request") from error
            raise

    async def say(
        self, reason: str, message: str, state: str | None = None, *, progress: Progress | None = None
    ) -> None:
        """Tell users what happens; nothing is written when they have been told already.

        `progress` is what the message says of it.
        """
        same_state = state is None or state == self.item.state
        if not (same_state and (self.item.reason, self.item.message) == (reason, message)):
            await self.update(reason=reason, message=message, state=None if same_state else state, progress=progress)

    async def update(self, **changes: Any) -> Item:
        """Change the item, as Queue.update does."""
        fresh = await self._queue.update(self.lease, **changes)
        self._heed(fresh)
        self.item = fresh
        return fresh

    async def finish(self, state: str, reason: str, message: str, *, expected: str | None = None) -> Item:
        """End the item, as Queue.finish does."""
        self.item = await self._queue.finish(self.lease, state, reason, message, expected=expected)
        return self.item

    async def find(self, item_id: str) -> Item | None:
        """The row of any item, held by whomever; None if there is none."""
        return await self._queue.get(item_id)

    async def wait(self, seconds: float) -> None:
        """Until something changed, at most `seconds`."""
        await wait_at_most(self.wake, seconds)

    async def _keep(self) -> None:
        while not self._lost:
            await wait_at_most(self._poked, self._beat)
            poked = self._poked.is_set()
            self._poked.clear()
            await self._renew()
            if poked or self._lost or time.monotonic() > self._deadline:
                self.wake.set()

    async def _renew(self) -> None:
        asked, before = time.monotonic(), self.item
        try:
            fresh = await self._queue.heartbeat(self.lease, ttl=self._ttl)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            log.warning("the heartbeat failed", item=self.item.id, error=str(error))
            return
        if fresh is None:
            self._lost = True
            return
        self._deadline = asked + self._ttl
        self._seen = _seen(fresh, self._ttl, asked)
        self._heed(fresh)
        if self.item is before:
            self.item = fresh

    def _heed(self, fresh: Item) -> None:
        """What others write into the row is news, whichever answer of the database brought it."""
        if _told_by_others(fresh) != _told_by_others(self.item):
            self.wake.set()


def _told_by_others(item: Item) -> tuple[object, ...]:
    """That it is to end, the model that it made or is to run, and what its helper found."""
    return item.stop_requested, item.model_version, item.report


def _seen(item: Item, ttl: float, at: float) -> tuple[datetime, float] | None:
    """The database's time at the monotonic moment `at`, when it gave the lease for `ttl` seconds."""
    return None if item.lease_until is None else (item.lease_until - timedelta(seconds=ttl), at)
