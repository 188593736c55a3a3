"""Names that changed, coalesced for each subscriber: a slow reader costs no more memory than there are names."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class Subscription:
    """The names that changed since the last `wait` of one subscriber."""

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


class Subscriptions:
    """All subscribers of one process."""

    def __init__(self) -> None:
        self._all: set[Subscription] = set()

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """A subscription for as long as the context lasts."""
        subscription = Subscription()
        self._all.add(subscription)
        try:
            yield subscription
        finally:
            self._all.discard(subscription)

    def spread(self, names: Iterable[str]) -> None:
        """Tell everybody."""
        for name in names:
            for subscription in self._all:
                subscription.add(name)
