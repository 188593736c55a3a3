"""What changed, from the database to everybody who listens over HTTP: names of assistants, coalesced."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import structlog

from studio.db.listening import Listener

log = structlog.get_logger(__name__)


class Subscription:
    """The names that changed since the last `wait` of one subscriber; bounded by the number of assistants."""

    def __init__(self) -> None:
        self._pending: dict[str, None] = {}
        self._wake = asyncio.Event()

    def add(self, name: str) -> None:
        """Note a change."""
        self._pending[name] = None
        self._wake.set()

    async def wait(self, timeout: float, closing: asyncio.Event) -> list[str]:  # noqa: ASYNC109
        """Names in order of their first change; an empty list after `timeout` seconds or when `closing` is set."""
        waiting = [asyncio.ensure_future(self._wake.wait()), asyncio.ensure_future(closing.wait())]
        try:
            await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        self._wake.clear()
        names = list(self._pending)
        self._pending.clear()
        return names


class ChangeStream:
    """Spreads the notifications of `studio_changes` (`<kind>:<assistant>`) of some kinds to its subscribers."""

    def __init__(self, kinds: frozenset[str], *, everybody: Callable[[], Awaitable[list[str]]]) -> None:
        """`everybody` gives all names: after a gap in the notifications each of them may have changed."""
        self._kinds = kinds
        self._everybody = everybody
        self._subscriptions: set[Subscription] = set()

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """A subscription for as long as the context lasts."""
        subscription = Subscription()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    async def follow(self, listener: Listener) -> None:
        """Spread until cancelled."""
        first = True
        while True:
            for note in await listener.wait(60):
                kind, _, name = note.payload.partition(":")
                if kind in self._kinds:
                    self._spread([name])
                elif not note.channel and not first:
                    with contextlib.suppress(Exception):  # the next gap or the subscribers' own slow pass covers it
                        self._spread(await self._everybody())
                first = first and bool(note.channel)

    def _spread(self, names: list[str]) -> None:
        for subscription in self._subscriptions:
            for name in names:
                subscription.add(name)
