"""A consumer may die before or after any of its writes: another one goes on, and the end is always the same."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, ClassVar

import asyncpg
import pytest
from tests.support.fate import Call, Died, Fate, connections
from tests.unit.services.consumers.scenery import (
    ID,
    NAMESPACE,
    SITE,
    UID,
    FakeOrchestrator,
    Stage,
    desired,
    ended,
    run_pod,
    running,
    training_pod,
    waiting,
)
from tests.unit.services.lives import Lives, Play, dying_anywhere, player, stalling_anywhere, trouble_everywhere

from studio.db import pool
from studio.kube.kinds import JOB, POD
from studio.kube.obstacles import Obstacle
from studio.model_service import queue as q
from studio.model_service.consumers import attempts, attendant, consumer, item_watch, training_plan
from studio.model_service.consumers.attendant import Attendant
from studio.model_service.consumers.consumer import Consumer
from studio.model_service.consumers.running_strategy import RunAttendant
from studio.model_service.consumers.tenure import Tenure
from studio.model_service.consumers.training_strategy import TrainingAttendant
from studio.model_service.items import Kind
from studio.model_service.leasing import Queue
from studio.settings import DatabaseSettings

EVICTED: dict[str, Any] = {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "Evicted"}]}


class Slot(Lives):
    """One item, and consumers that attend to it one after another; the methods are what the cluster and others do."""

    kind: ClassVar[Kind]
    settings: ClassVar[DatabaseSettings]

    def __init__(self, others: asyncpg.Pool, fate: Fate) -> None:
        self.stage = Stage(self.kind)
        self.orchestrator = FakeOrchestrator()
        self._lives = 0
        self._stale: list[tuple[Fate, Consumer, asyncio.Task[None]]] = []
        super().__init__(others, fate)
        self.server = self.stage.kube
        self.live(fate)

    async def trains(self, attempt: int) -> None:
        """The engine of a training begins, and its consumer has told so."""
        self.pod(attempt, training_pod(ended("fetch", 0), running("train", datetime.now(UTC))))
        await self.told("Training")

    async def attended(self, story: Callable[["Slot"], Coroutine[Any, Any, None]]) -> None:
        """A story with a consumer at work, another one whenever it died."""
        await self._request()
        told = asyncio.create_task(story(self))
        try:
            while not told.done():
                await self._one_life(told)
                self.live(Fate())
            await told
        finally:
            told.cancel()

    async def _request(self) -> None:
        async with self.others.acquire() as conn, conn.transaction():
            await conn.execute(
                "insert into assistants (uid, name, namespace, studio) values ($1, 'kiosk', $2, 'studio')",
                UID, NAMESPACE,
            )  # fmt: skip
            await q.insert(
                conn, id=ID[self.kind], kind=self.kind, uid=UID, assistant="kiosk", fingerprint="f", spec_digest="d",
                spec=desired(self.kind).model_dump(mode="json"), who="test", model_version=None,
            )  # fmt: skip

    async def _one_life(self, told: "asyncio.Task[None]") -> None:
        """Until the story is told, or the consumer is dead, or stands still: then it goes on once the story is told."""
        self._lives += 1
        queue = Queue(self.pool, connect=lambda: pool.connect(self.settings, application_name="listener"))
        here = Consumer(self.kind, queue, f"consumer-{self._lives}", self._attendant, idle_seconds=0.02)
        life = asyncio.create_task(here.run())
        ends = [asyncio.create_task(event.wait()) for event in (self.fate.dead, self.fate.stalled)]
        await asyncio.wait({told, life, *ends}, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        if self.fate.stalled.is_set():
            self._stale.append((self.fate, here, life))
        elif self.fate.dead.is_set():
            life.cancel()
        else:
            here.stop()
        if told.done():
            return await self._end(here, life)
        # Its lease runs out.
        await self.fate.rest(self.others)
        await self.others.execute("update items set lease_until = now() - interval '1 s' where holder is not null")
        return None

    async def _end(self, here: Consumer, life: "asyncio.Task[None]") -> None:
        self.fate.woken.set()
        for stale in self._stale:
            await self._end_stale(*stale)
        with contextlib.suppress(Died):
            await life

    async def _end_stale(self, fate: Fate, stale: Consumer, life: "asyncio.Task[None]") -> None:
        fate.woken.set()
        await self._until(lambda: stale._tenure is None)
        stale.stop()
        await life

    def _attendant(self, tenure: Tenure) -> Attendant:
        shared: dict[str, Any] = {
            "kube": self.kube, "orchestrator": self, "tenure": tenure, "site": SITE, "namespace": NAMESPACE,
        }  # fmt: skip
        if self.kind == "training":
            return TrainingAttendant(**shared, queue=Queue(self.pool, connect=self.others.acquire))
        return RunAttendant(**shared)

    async def put_text(self, path: str, text: str) -> None:
        """The orchestrator, as the consumer sees it."""
        await self.fate.call(Call("http", path, writes=True), lambda: self.orchestrator.put_text(path, text))

    async def job(self, attempt: int) -> None:
        """The Job of an attempt is there."""
        await self._until(lambda: self.stage.job(attempt))

    async def told(self, reason: str) -> None:
        """The item says so."""
        await self._until_row("reason = $1", reason)

    async def state(self, state: str) -> None:
        await self._until_row("state = $1", state)

    async def idle(self) -> None:
        """A consumer has nothing to do any more."""
        await self._until_row("exists (select 1 from consumers)")

    async def no_job(self) -> None:
        await self._until(lambda: not self.stage.jobs())

    async def _until(self, condition: Callable[[], Any]) -> None:
        while not condition():  # noqa: ASYNC110 - the cluster in memory has no events for tests
            await asyncio.sleep(0.001)

    async def _until_row(self, condition: str, *values: str) -> None:
        query = f"select true from items where {condition}"
        while not await self.others.fetchval(query, *values):  # noqa: ASYNC110 - nor does the story listen to these
            await asyncio.sleep(0.002)

    def pod(self, attempt: int, status: dict[str, Any]) -> None:
        self.stage.pod(status, attempt=attempt)

    def end(self, attempt: int, status: dict[str, Any], *, complete: bool = False) -> None:
        self.stage.pod(status, attempt=attempt)
        self.stage.end_job(complete=complete, attempt=attempt)

    def collect_pods(self) -> None:
        """The pods go after their Jobs."""
        for kind, namespace, name in list(self.server.objects):
            if kind == POD and (JOB, namespace, name.removesuffix("-xxxxx")) not in self.server.objects:
                self.server.remove(POD, namespace, name)

    async def have_model(self) -> None:
        await self.others.execute(
            """insert into models (uid, version, fingerprint, sha256, size, members, object_key, engine_image, training)
               values ($1, 1, 'f', 'abc', 1, '[]', 'models/1', 'engine', $2)""",
            UID, ID["training"],
        )  # fmt: skip
        self.store.objects["models/1"] = b"the model"

    async def stop(self, reason: str) -> None:
        async with self.others.acquire() as conn, conn.transaction():
            item = await q.lock(conn, ID[self.kind])
            assert item is not None
            await q.request_stop(conn, item, who="test", reason=reason)

    async def its_turn(self) -> None:
        """The pause of a queued item is over."""
        await self.others.execute("update items set retry_at = now()")

    async def draw(self) -> Any:
        jobs = {
            body["metadata"]["name"]: body["spec"].get("ttlSecondsAfterFinished") is not None
            for body in self.stage.jobs()
        }
        return {**await super().draw(), "logs": self.orchestrator.logs, "jobs": jobs}


class TrainingSlot(Slot):
    kind = "training"


class RunSlot(Slot):
    kind = "run"


async def trained_after_an_eviction(slot: Slot) -> None:
    await slot.job(1)
    slot.pod(1, training_pod(running("fetch")))
    await slot.told("Fetching")
    await slot.trains(1)
    slot.stage.log("train", "Epochs: 10%\n", 1)
    slot.end(1, training_pod(ended("train", 143), phase="Failed", **EVICTED))
    await slot.job(2)
    await slot.trains(2)
    await slot.have_model()
    slot.end(2, training_pod(ended("upload", 0), phase="Succeeded"), complete=True)
    await slot.state("Succeeded")
    await slot.idle()


async def bad_content(slot: Slot) -> None:
    await slot.job(1)
    await slot.trains(1)
    slot.stage.log("train", "InvalidDomain: no intents\n", 1)
    slot.end(1, training_pod(ended("fetch", 0), ended("train", 1), phase="Failed"))
    await slot.state("Failed")
    await slot.idle()


async def cancelled(slot: Slot) -> None:
    await slot.job(1)
    await slot.trains(1)
    slot.stage.log("train", "Epochs: 10%\n", 1)
    await slot.stop("Cancelled")
    await slot.state("Cancelled")
    await slot.idle()


async def beyond_its_deadline(slot: Slot) -> None:
    """Its Job is deleted before the end is written down: a successor cannot know why, and finds out again."""
    late = training_pod(ended("fetch", 0), running("train"))
    await slot.job(1)
    while not await slot.others.fetchval("select true from items where state = 'Failed'"):
        slot.collect_pods()
        if slot.stage.job(1):
            slot.pod(1, late)
        await asyncio.sleep(0.005)
    await slot.idle()


async def without_its_image_at_first(slot: Slot) -> None:
    await slot.job(1)
    slot.pod(1, training_pod(waiting("fetch", "ErrImagePull", "no such image")))
    await slot.state("Queued")
    await slot.its_turn()
    await slot.job(2)
    await slot.have_model()
    slot.end(2, training_pod(ended("upload", 0), phase="Succeeded"), complete=True)
    await slot.state("Succeeded")
    await slot.idle()


async def a_run_and_its_stop(slot: Slot) -> None:
    await slot.job(1)
    slot.pod(1, run_pod(running("run-helper"), running("engine"), ready=True))
    await slot.state("Ready")
    slot.stage.log("engine", "up\n", 1)
    await slot.stop("Replaced")
    await slot.no_job()
    slot.collect_pods()
    await slot.state("Stopped")
    await slot.idle()


async def an_engine_that_ended(slot: Slot) -> None:
    await slot.job(1)
    slot.pod(1, run_pod(running("run-helper"), running("engine"), ready=True))
    await slot.state("Ready")
    slot.stage.log("engine", "bye\n", 1)
    slot.end(1, run_pod(ended("run-helper", 0), ended("engine", 0), phase="Succeeded"), complete=True)
    await slot.job(2)
    slot.pod(2, run_pod(running("run-helper"), running("engine"), ready=True))
    await slot.state("Ready")
    await slot.stop("Replaced")
    await slot.no_job()
    slot.collect_pods()
    await slot.state("Stopped")
    await slot.idle()


async def a_helper_without_its_store(slot: Slot) -> None:
    await slot.job(1)
    helper = {**waiting("run-helper", "CrashLoopBackOff"), "restartCount": 3}
    helper["lastState"] = {"terminated": {"exitCode": 1, "message": "object storage answered 503"}}
    slot.pod(1, run_pod(helper, phase="Pending"))
    await slot.state("Queued")
    await slot.its_turn()
    await slot.job(2)
    slot.pod(2, run_pod(running("run-helper"), running("engine"), ready=True))
    await slot.state("Ready")
    await slot.stop("Replaced")
    await slot.no_job()
    slot.collect_pods()
    await slot.state("Stopped")
    await slot.idle()


OF_TRAININGS = (trained_after_an_eviction, bad_content, cancelled, beyond_its_deadline, without_its_image_at_first)
OF_RUNS = (a_run_and_its_stop, an_engine_that_ended, a_helper_without_its_store)
STORIES = ((TrainingSlot, OF_TRAININGS), (RunSlot, OF_RUNS))


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "LONGEST_DELAY", 0.0)
    for module in (attendant, item_watch):
        monkeypatch.setattr(module, "_LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(consumer, "_ERROR_PAUSE", 0.01)
    monkeypatch.setitem(training_plan._PATIENCE, Obstacle.IMAGE_PULL_FAILED, 0.0)


@pytest.fixture(
    params=[(slot, story) for slot, stories in STORIES for story in stories], ids=lambda param: param[1].__name__
)
async def play(request: pytest.FixtureRequest, studio_database: DatabaseSettings) -> AsyncIterator[Play]:
    made, story = request.param
    made.settings = studio_database
    async with connections(studio_database) as opened:
        yield player(made, lambda slot: slot.attended(story), opened)


async def test_dying_at_any_write_makes_no_difference(play: Play) -> None:
    await dying_anywhere(play)


async def test_trouble_at_any_call_makes_no_difference(play: Play) -> None:
    await trouble_everywhere(play)


async def test_standing_still_at_any_write_makes_no_difference(play: Play) -> None:
    """Two believe that they hold the item: what the one does who does not hold it any more has no effect."""
    await stalling_anywhere(play)
