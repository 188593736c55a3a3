"""The running orchestrator may die before or after any write about warm engines: the end is always the same."""

from collections.abc import AsyncIterator

import pytest
from tests.support.fate import connections
from tests.unit.services.lives import Play, dying_anywhere, player, trouble_everywhere
from tests.unit.services.orchestrators.test_running_crashes import Studio
from tests.unit.services.orchestrators.world import UID, fingerprint

from studio.contract import labels
from studio.kube.kinds import SERVICE
from studio.model_service import queue
from studio.model_service.items import Lease
from studio.model_service.orchestrators.running.warmer import Warmer
from studio.settings import DatabaseSettings


class WarmStudio(Studio):
    """The same orchestrator, in a Studio that warms."""

    async def turn(self) -> None:
        await super().turn()
        await self.until_answered(lambda: Warmer(self.pool).look())

    async def train(self, content: str) -> Lease:
        """A training is at work, and a running consumer has nothing to do."""
        async with self.others.acquire() as conn, conn.transaction():
            await queue.insert(
                conn, id=f"concierge-t-{content}", kind="training", uid=UID, assistant="concierge",
                fingerprint=fingerprint(content), spec={"engine": {"image": "engine:1"}}, spec_digest="d", who="test",
            )  # fmt: skip
        lease = await self.queue.claim("training", "trainer")
        assert lease is not None
        await self.queue.update(lease, reason="Training")
        await self.queue.present("run", "one")
        await self.turn()
        return lease

    async def warm(self) -> Lease:
        """A consumer has started an engine that waits for its model."""
        lease = await self.queue.claim("run", "one")
        assert lease is not None
        assert lease.item.state == "Warming"
        await self.queue.update(lease, reason="Warm")
        await self.turn()
        return lease

    async def end_training(self, lease: Lease, state: str) -> None:
        await self.queue.finish(lease, state, state)
        await self.turn()


async def a_model_into_a_warm_engine(studio: WarmStudio) -> None:
    await studio.want("a", warming=True)
    training = await studio.train("a")
    engine = await studio.warm()
    await studio.have_model(1, "a")
    await studio.end_training(training, "Succeeded")
    item = await studio.queue.heartbeat(engine)
    assert item is not None
    assert (item.state, item.model_version, item.stop_requested) == ("Starting", 1, False)
    await studio.queue.update(engine, state="Ready", reason="Ready")
    await studio.turn()
    assert studio.server.objects[SERVICE, "ns", "concierge"]["spec"]["selector"][labels.RUN] == engine.item.id


async def a_warm_engine_without_a_model(studio: WarmStudio) -> None:
    await studio.want("a", warming=True)
    training = await studio.train("a")
    engine = await studio.warm()
    await studio.end_training(training, "Failed")
    await studio.end(engine, "GivenUp")
    await studio.have_model(1, "a")
    cold = await studio.serve("one")
    assert cold.item.id != engine.item.id


async def an_engine_that_was_lost(studio: WarmStudio) -> None:
    await studio.want("a", warming=True)
    training = await studio.train("a")
    engine = await studio.warm()
    await studio.queue.finish(engine, "Failed", "PodDeleted", expected="Warming")
    await studio.have_model(1, "a")
    await studio.end_training(training, "Succeeded")
    await studio.serve("one")


STORIES = (a_model_into_a_warm_engine, a_warm_engine_without_a_model, an_engine_that_was_lost)


@pytest.fixture(params=STORIES, ids=lambda story: story.__name__)
async def play(request: pytest.FixtureRequest, studio_database: DatabaseSettings) -> AsyncIterator[Play]:
    async with connections(studio_database) as opened:
        yield player(WarmStudio, request.param, opened)


async def test_dying_at_any_write_makes_no_difference(play: Play) -> None:
    await dying_anywhere(play)


async def test_trouble_at_any_call_makes_no_difference(play: Play) -> None:
    await trouble_everywhere(play)
