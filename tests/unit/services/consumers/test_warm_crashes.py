"""A consumer of a warm engine may die before or after any of its writes: another one goes on, the end is the same."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.fate import connections
from tests.unit.services.consumers.scenery import ID, NAMESPACE, UID, desired, ended, run_pod, running
from tests.unit.services.consumers.test_crashes import RunSlot
from tests.unit.services.lives import Play, dying_anywhere, player, trouble_everywhere

from studio.model_service import queue as q
from studio.model_service.consumers import attempts, attendant, consumer, item_watch
from studio.model_service.queue import ITEM_CHANNEL
from studio.settings import DatabaseSettings

SPEC = {**desired("run").model_dump(mode="json"), "warm_for": "kiosk-t1-abcde"}
READY = run_pod(running("run-helper"), running("engine"), ready=True)


class WarmSlot(RunSlot):
    """A run that is begun before its model is there."""

    async def _request(self) -> None:
        async with self.others.acquire() as conn, conn.transaction():
            await conn.execute(
                "insert into assistants (uid, name, namespace, studio) values ($1, 'kiosk', $2, 'studio')",
                UID, NAMESPACE,
            )  # fmt: skip
            await q.insert(
                conn, id=ID["run"], kind="run", uid=UID, assistant="kiosk", fingerprint="f", spec_digest="d", spec=SPEC,
                who="test", priority=-1,
            )  # fmt: skip

    async def warm(self) -> None:
        """Its engine is started, and waits."""
        await self.job(1)
        self.pod(1, READY)
        await self.told("Warm")

    async def assign(self) -> None:
        """Its model is there."""
        async with self.others.acquire() as conn, conn.transaction():
            item = await q.lock(conn, ID["run"])
            assert item is not None
            await q.set_facts(conn, item, model_version=1)
            spec = {**SPEC, "model_sha256": "ab"}
            await q.change(conn, item, who="test", state="Starting", reason="Assigned", spec=spec)
            await q.notify(conn, (ITEM_CHANNEL, item.id))

    async def report(self, **told: Any) -> None:
        """What its helper says."""
        async with self.others.acquire() as conn, conn.transaction():
            item = await q.lock(conn, ID["run"])
            assert item is not None
            await q.set_facts(conn, item, report={"attempt": 1, **told})
            await q.notify(conn, (ITEM_CHANNEL, item.id))

    async def replaced(self) -> None:
        """Another run takes over."""
        await self.stop("Replaced")
        await self.no_job()
        self.server.collect_garbage()
        await self.state("Stopped")
        await self.idle()


async def from_warm_to_ready(slot: WarmSlot) -> None:
    await slot.warm()
    await slot.assign()
    await slot.told("Loading")
    await slot.report(loaded="ab")
    await slot.state("Ready")
    await slot.replaced()


async def given_up(slot: WarmSlot) -> None:
    await slot.warm()
    await slot.stop("GivenUp")
    await slot.state("Stopped")
    await slot.idle()


async def lost(slot: WarmSlot) -> None:
    await slot.warm()
    slot.stage.log("engine", "bye\n", 1)
    slot.end(1, run_pod(ended("run-helper", 0), ended("engine", 0), phase="Succeeded"), complete=True)
    await slot.state("Failed")
    await slot.idle()


async def refused_by_its_engine(slot: WarmSlot) -> None:
    await slot.warm()
    slot.stage.log("engine", "bad zip\n", 1)
    await slot.assign()
    await slot.report(refused="400 bad zip")
    await slot.job(2)
    slot.pod(2, READY)
    await slot.state("Ready")
    await slot.replaced()


STORIES = (from_warm_to_ready, given_up, lost, refused_by_its_engine)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "LONGEST_DELAY", 0.0)
    for module in (attendant, item_watch):
        monkeypatch.setattr(module, "_LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(consumer, "_ERROR_PAUSE", 0.01)


@pytest.fixture(params=STORIES, ids=lambda story: story.__name__)
async def play(request: pytest.FixtureRequest, studio_database: DatabaseSettings) -> AsyncIterator[Play]:
    WarmSlot.settings = studio_database
    async with connections(studio_database) as opened:
        yield player(WarmSlot, lambda slot: slot.attended(request.param), opened)


async def test_dying_at_any_write_makes_no_difference(play: Play) -> None:
    await dying_anywhere(play)


async def test_trouble_at_any_call_makes_no_difference(play: Play) -> None:
    await trouble_everywhere(play)
