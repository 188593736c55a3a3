"""LISTEN that survives the loss of its connection: notifications are hints, so a gap shows as one wake-up."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import asyncpg
import structlog

from studio.waiting import wait_at_most

log = structlog.get_logger(__name__)

# How often an idle connection is asked whether it still lives, and how long the answer may take.
PROBE_SECONDS = 15.0
PROBE_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Notification:
    """One NOTIFY. `channel` is empty for a wake-up that stands for whatever was missed while not connected."""

    channel: str
    payload: str


class Listener:
    """An async context manager; `wait` gives the notifications since the last call."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        channels: tuple[str, ...],
        *,
        poll: float = 5.0,
    ) -> None:
        """Listen to `channels`; while not connected, `wait` returns at least every `poll` seconds."""
        self._connect = connect
        self._channels = channels
        self._poll = poll
        self._pending: dict[Notification, None] = {}
        self._wake = asyncio.Event()
        self._lost = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.connected = False

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._keep_listening(), name="listen")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def wait(self, timeout: float) -> list[Notification]:  # noqa: ASYNC109
        """What was notified, without duplicates and in order; an empty list after `timeout` seconds."""
        limit = timeout if self.connected else min(timeout, self._poll)
        await wait_at_most(self._wake, limit)
        self._wake.clear()
        notes = list(self._pending)
        self._pending.clear()
        return notes

    def _add(self, channel: str, payload: str) -> None:
        self._pending[Notification(channel, payload)] = None
        self._wake.set()

    async def _keep_listening(self) -> None:
        pause = 0.1
        while True:
            try:
                await self._listen_once()
                pause = 0.1
            except Exception as error:  # noqa: BLE001 (a listener that ends is missed by nobody)
                # Not only what asyncpg documents: a connection that breaks between two messages ends in other errors.
                log.warning("not listening to the database, polling until it is back", error=repr(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, self._poll)

    async def _listen_once(self) -> None:
        """Listen until the connection is lost."""
        conn = await self._connect()
        try:
            self._lost.clear()
            conn.add_termination_listener(lambda _: self._lost.set())
            for channel in self._channels:
                await conn.add_listener(channel, lambda _c, _p, name, payload: self._add(name, payload))
            self.connected = True
            self._add("", "")
            while not self._lost.is_set():
                await wait_at_most(self._lost, PROBE_SECONDS)
                if not self._lost.is_set():
                    await conn.fetchval("select 1", timeout=PROBE_TIMEOUT)
        finally:
            self.connected = False
            conn.terminate()
