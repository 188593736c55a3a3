"""The running orchestrator may die before or after any of its writes: the end is always the same."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar

import asyncpg
import pytest
from tests.support.fate import Call, Fate, connections
from tests.unit.services.lives import Lives, Play, dying_anywhere, player, trouble_everywhere
from tests.unit.services.orchestrators.models import model
from tests.unit.services.orchestrators.world import UID, desired_running

from studio.contract import labels
from studio.contract.model_service import EventBrokerLogin
from studio.kube.kinds import SERVICE
from studio.model_service.items import Lease
from studio.model_service.orchestrators.running.front import Front
from studio.model_service.orchestrators.running.reconciler import Reconciler
from studio.model_service.orchestrators.running.service import RunningService
from studio.model_service.orchestrators.running.service_object import SINCE
from studio.settings import DatabaseSettings

T = TypeVar("T")
NAME = "concierge"


class Studio(Lives):
    """The running orchestrator, and what others do with it."""

    def __init__(self, others: asyncpg.Pool, fate: Fate) -> None:
        self.conversations = {UID}
        super().__init__(others, fate)

    def stores_digest(self, events: EventBrokerLogin | None) -> str:
        """They stay where they are."""
        del events
        return "here"

    async def heard(self, uid: str) -> datetime | None:
        """Nobody talks in these stories."""
        return None

    async def drop(self, uid: str) -> None:
        """The conversations of an assistant go, in one transaction of another database."""

        async def do() -> None:
            self.conversations.discard(uid)

        await self.fate.call(Call("trackers", "drop", writes=True), do)

    async def ask(self, request: Callable[[RunningService], Awaitable[T]]) -> T:
        """As all its clients do: again after a lost answer."""

        def asked() -> Awaitable[T]:
            trackers: Any = self
            service = RunningService(self.pool, self.bucket, trackers, studio="studio", namespace="ns")
            return request(service)

        return await self.until_answered(asked)

    async def want(self, content: str, **changes: Any) -> None:
        await self.ask(lambda service: service.put_assistant(desired_running(content, **changes)))
        await self.turn()

    async def turn(self) -> None:
        """A pass, as its loop does it."""
        await self.until_answered(lambda: Reconciler(self.pool, Front(self.kube, version="1"), self).reconcile(UID))

    async def have_model(self, version: int, content: str) -> None:
        made = model(version, content)
        await self.others.execute(
            """insert into models (uid, version, fingerprint, sha256, size, members, object_key, engine_image, training)
               values ($1, $2, $3, $4, $5, $6, $7, 'engine:1', 't')""",
            UID, version, made.fingerprint, made.sha256, made.size, made.members, made.object_key,
        )  # fmt: skip
        self.store.objects[made.object_key] = b"the model"
        await self.turn()

    async def serve(self, consumer: str) -> Lease:
        """A consumer takes the next run and gets it ready."""
        lease = await self.queue.claim("run", consumer)
        assert lease is not None
        await self.queue.update(lease, state="Ready", reason="Ready")
        await self.turn()
        selector = self.server.objects[SERVICE, "ns", NAME]["spec"]["selector"]
        assert selector[labels.RUN] == lease.item.id, "what is ready answers"
        return lease

    async def end(self, lease: Lease, reason: str) -> None:
        """Its consumer ends a run that it was asked to."""
        held = await self.queue.heartbeat(lease)
        assert held is not None
        assert (held.stop_requested, held.stop_reason) == (True, reason)
        await self.queue.finish(lease, "Stopped", reason)
        await self.turn()

    async def let_settle(self) -> None:
        """As if the Service had been flipped long ago."""
        body = self.server.objects[SERVICE, "ns", NAME]
        body["metadata"]["annotations"][SINCE] = "2026-01-01T00:00:00.000+00:00"
        self.server.put(body)
        await self.turn()

    async def draw(self) -> Any:
        await self.turn()
        return {**await super().draw(), "conversations": self.conversations}


async def a_swap(studio: Studio) -> None:
    await studio.want("a")
    await studio.have_model(1, "a")
    old = await studio.serve("one")
    await studio.want("b")
    await studio.have_model(2, "b")
    await studio.serve("two")
    await studio.let_settle()
    await studio.end(old, "Replaced")


async def stops_and_starts(studio: Studio) -> None:
    await studio.want("a")
    await studio.have_model(1, "a")
    run = await studio.serve("one")
    await studio.ask(lambda service: service.stop_by_hand(NAME, "ann"))
    await studio.end(run, "Stopped")
    await studio.ask(lambda service: service.start_by_hand(NAME, "ann"))
    run = await studio.serve("one")
    await studio.want("a", mode="Never")
    await studio.end(run, "Halted")


async def removal(studio: Studio) -> None:
    await studio.want("a")
    await studio.have_model(1, "a")
    run = await studio.serve("one")
    removal = await studio.ask(lambda service: service.remove_assistant(UID, delete_data=True))
    assert not removal.gone
    await studio.turn()
    await studio.end(run, "Removed")
    assert (await studio.ask(lambda service: service.remove_assistant(UID, delete_data=True))).gone
    assert studio.conversations == set()
    assert (SERVICE, "ns", NAME) not in studio.server.objects


STORIES = (a_swap, stops_and_starts, removal)


@pytest.fixture(params=STORIES, ids=lambda story: story.__name__)
async def play(request: pytest.FixtureRequest, studio_database: DatabaseSettings) -> AsyncIterator[Play]:
    async with connections(studio_database) as opened:
        yield player(Studio, request.param, opened)


async def test_dying_at_any_write_makes_no_difference(play: Play) -> None:
    await dying_anywhere(play)


async def test_trouble_at_any_call_makes_no_difference(play: Play) -> None:
    await trouble_everywhere(play)
