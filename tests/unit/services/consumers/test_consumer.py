"""The loop of a consumer with the real queue in PostgreSQL and a cluster in memory."""

import asyncio
import functools
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from aiohttp.test_utils import TestClient, TestServer
from tests.support.patience import STUCK_SECONDS
from tests.unit.services.consumers.scenery import ID, NAMESPACE, UID, Stage, desired, until

from studio.db import pool
from studio.kube.kinds import JOB
from studio.model_service import presence
from studio.model_service import queue as q
from studio.model_service.consumers import consumer
from studio.model_service.consumers.attendant import Attendant
from studio.model_service.consumers.consumer import Consumer, ConsumerSettings, application
from studio.model_service.consumers.tenure import Tenure
from studio.model_service.leasing import Queue
from studio.settings import DatabaseSettings


@pytest.fixture
def queue(studio_pool: asyncpg.Pool, studio_database: DatabaseSettings) -> Queue:
    return Queue(studio_pool, connect=functools.partial(pool.connect, studio_database, application_name="test"))


async def _request(studio_pool: asyncpg.Pool) -> None:
    async with studio_pool.acquire() as conn, conn.transaction():
        await conn.execute(
            "insert into assistants (uid, name, namespace, studio) values ($1, 'kiosk', $2, 'studio')", UID, NAMESPACE
        )
        await q.insert(
            conn, id=ID["training"], kind="training", uid=UID, assistant="kiosk", fingerprint="f",
            spec=desired("training").model_dump(mode="json"), spec_digest="d", who="test",
        )  # fmt: skip


async def test_claim_attend_release_adopt_and_stop(queue: Queue, studio_pool: asyncpg.Pool) -> None:
    stage = Stage()
    stage.queue = queue  # type: ignore[assignment]

    def attend(tenure: Tenure) -> Attendant:
        return stage.attendant(tenure)

    def job() -> Any:
        return stage.kube.objects.get((JOB, NAMESPACE, f"{ID['training']}-1"))

    first = Consumer("training", queue, "first", attend)
    running = asyncio.create_task(first.run())
    await asyncio.sleep(0)
    await _request(studio_pool)
    await until(job)
    assert first.alive
    async with TestClient(TestServer(application(first, queue))) as client:
        for path in ("/healthz", "/readyz", "/metrics"):
            assert (await client.get(path)).status == 200
    uid = job()["metadata"]["uid"]
    first.stop()
    await asyncio.wait_for(running, STUCK_SECONDS)
    item = await queue.get(ID["training"])
    assert item is not None
    assert (item.state, item.holder) == ("Running", None)

    second = Consumer("training", queue, "second", attend)
    running = asyncio.create_task(second.run())
    while (item := await queue.get(ID["training"])) is None or item.holder != "second":  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert job()["metadata"]["uid"] == uid, "the Job was left alone and is adopted"
    async with studio_pool.acquire() as conn, conn.transaction():
        held = await q.lock(conn, ID["training"])
        assert held is not None
        await q.request_stop(conn, held, who="test", reason="Cancelled")
    await until(lambda: not job(), seconds=4.5)
    # Stopped before it has said so, it would leave that to the next consumer.
    while (item := await queue.get(ID["training"])) is None or item.holder is not None:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    second.stop()
    await asyncio.wait_for(running, STUCK_SECONDS)
    assert (item.state, item.reason) == ("Cancelled", "Cancelled")


async def test_an_idle_consumer_says_that_it_is_there_and_rarely_so(queue: Queue, studio_pool: asyncpg.Pool) -> None:
    consumer = Consumer("training", queue, "first", lambda _: pytest.fail("there is nothing"), idle_seconds=0.01)
    running = asyncio.create_task(consumer.run())
    while await presence.alive(studio_pool, "training") == 0:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    told = await studio_pool.fetchval("select seen_at from consumers")
    turns = consumer._turned
    await until(lambda: consumer._turned > turns)
    assert await studio_pool.fetchval("select seen_at from consumers") == told
    consumer.stop()
    await asyncio.wait_for(running, STUCK_SECONDS)
    assert await presence.alive(studio_pool, "training") == 0


def test_what_is_done_at_most_every_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = [0.0, 59.0, 60.0, 61.0]
    monkeypatch.setattr(consumer, "time", SimpleNamespace(monotonic=lambda: moments.pop(0)))
    now = consumer.AtMostEvery(60)
    assert [now() for _ in range(4)] == [True, False, True, False]


def test_settings() -> None:
    env = {
        "STUDIO": "studio", "NAMESPACE": "team", "POD_NAME": "p", "DATABASE_HOST": "db",
        "DATABASE_PASSWORD_FILE": "/p", "ORCHESTRATOR_URL": "http://o", "ORCHESTRATOR_TOKEN_FILE": "/t",
        "HELPER_IMAGE": "services", "HELPER_IMAGE_PULL_SECRETS": "a, b,",
    }  # fmt: skip
    settings = ConsumerSettings.from_env(env)
    assert settings.site.helper_pull_secrets == ("a", "b")
    assert settings.site.helper_pull_policy == "IfNotPresent"
