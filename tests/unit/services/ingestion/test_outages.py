"""Kills of everything, small: the same trial as the measurement, with fewer events."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support import kafka, postgres
from tests.support.ingesting import Comparison, Conversations, Ingesting, Trial, make_topics, until

from studio.db import migrate, pool


@pytest.fixture
async def trial(tmp_path: Path) -> AsyncIterator[Trial]:
    """Servers of its own, because they are killed."""
    if reason := kafka.missing():
        pytest.skip(reason)
    with kafka.kafka() as broker, postgres.server() as database:
        database.sql("create database studio")
        await migrate.upgrade(database.settings("studio"))
        topic = kafka.topic_name()
        await make_topics(broker, topic)
        ingestion = Ingesting(broker, database.settings("studio"), topic, tmp_path)
        yield Trial(ingestion, database, Conversations(100), events=5_000, step=100)
        ingestion.kill()


async def check(trial: Trial) -> Comparison:
    conn = await pool.connect(trial.ingestion.database, application_name="test")
    try:
        return await trial.talk.compare(conn)
    finally:
        await conn.close()


async def test_nothing_is_lost_or_doubled(trial: Trial) -> None:
    trial.kills, trial.database_restarts, trial.kafka_restarts = 2, 1, 1
    await trial.run()
    assert await check(trial) == Comparison()


async def test_it_waits_for_what_it_needs(trial: Trial) -> None:
    """Started while nothing is there, it is alive and not ready, and begins by itself."""
    await asyncio.to_thread(trial.ingestion.kafka.stop)
    await asyncio.to_thread(trial.postgres.stop)
    trial.ingestion.start()

    async def alive() -> bool:
        return (await trial.ingestion.get("/healthz"))[0] == 200

    await until(alive)
    assert (await trial.ingestion.get("/readyz"))[0] == 503
    await asyncio.to_thread(trial.ingestion.kafka.start)
    await asyncio.to_thread(trial.postgres.start)
    await trial.ingestion.ready()
