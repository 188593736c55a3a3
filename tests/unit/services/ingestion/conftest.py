"""Fixtures of the tests of ingestion: connections as ingestion has them, and one Kafka for the session."""

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
from tests.support import kafka

from studio.db import pool
from studio.settings import DatabaseSettings


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[kafka.KafkaServer]:
    """A broker that lives as long as the session; tests use topics of their own."""
    if reason := kafka.missing():
        pytest.skip(reason)
    with kafka.kafka() as server:
        yield server


@pytest.fixture
async def connections(studio_database: DatabaseSettings) -> AsyncIterator[asyncpg.Pool]:
    """A pool such as ingestion opens."""
    opened = await pool.open_pool(studio_database, application_name="test", max_size=6, prepare=pool.json_as_text)
    yield opened
    await opened.close()
