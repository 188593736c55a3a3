"""What changed, as subscribers of an orchestrator hear of it."""

import asyncio

from tests.support.patience import STUCK_SECONDS

from studio.db.listening import Notification
from studio.model_service.orchestrators.changes import ChangeStream
from studio.model_service.orchestrators.orchestrator import Background
from studio.model_service.queue import CHANGES_CHANNEL


class FakeListener:
    """Gives what is put into it."""

    def __init__(self) -> None:
        self.notes: asyncio.Queue[Notification] = asyncio.Queue()

    async def wait(self, seconds: float) -> list[Notification]:
        del seconds
        return [await self.notes.get()]


async def test_a_change_from_before_anybody_listened_is_not_missed() -> None:
    """A server that has just started is subscribed to before its own connection to the database listens."""

    async def everybody() -> list[str]:
        return ["concierge", "porter"]

    changes, listener, closing = ChangeStream(frozenset({"run"}), everybody=everybody), FakeListener(), asyncio.Event()
    async with Background() as background:
        background.run("changes", lambda: changes.follow(listener))  # type: ignore[arg-type]
        with changes.subscribe() as subscription:
            for _ in ("connected", "connected again"):
                listener.notes.put_nowait(Notification("", ""))
                assert await subscription.wait(STUCK_SECONDS, closing) == ["concierge", "porter"]
            listener.notes.put_nowait(Notification(CHANGES_CHANNEL, "training:porter"))
            listener.notes.put_nowait(Notification(CHANGES_CHANNEL, "run:porter"))
            assert await subscription.wait(STUCK_SECONDS, closing) == ["porter"]
