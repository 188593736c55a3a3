"""What changed, from the database to everybody who listens over HTTP: names of assistants, coalesced."""

import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager

from studio.db.listening import Listener
from studio.http.subscriptions import Subscription, Subscriptions


class ChangeStream:
    """Spreads the notifications of `studio_changes` (`<kind>:<assistant>`) of some kinds to its subscribers."""

    def __init__(self, kinds: frozenset[str], *, everybody: Callable[[], Awaitable[list[str]]]) -> None:
        """`everybody` gives all names: after a gap in the notifications each of them may have changed."""
        self._kinds = kinds
        self._everybody = everybody
        self._subscriptions = Subscriptions()

    def subscribe(self) -> AbstractContextManager[Subscription]:
        """A subscription for as long as the context lasts."""
        return self._subscriptions.subscribe()

    async def follow(self, listener: Listener) -> None:
        """Spread until cancelled."""
        while True:
            for note in await listener.wait(60):
                kind, _, name = note.payload.partition(":")
                if kind in self._kinds:
                    self._subscriptions.spread([name])
                elif not note.channel:
                    # From before we listened, too: whoever has subscribed by then may have missed something.
                    with contextlib.suppress(Exception):  # the next gap or the subscribers' own slow pass covers it
                        self._subscriptions.spread(await self._everybody())
