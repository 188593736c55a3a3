"""Fixtures of the services' tests."""

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
from tests.support import kafka, postgres

from studio.db import migrate, pool
from studio.settings import DatabaseSettings


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A PostgreSQL server that lives as long as the session."""
    with postgres.server() as server:
        yield server


@pytest.fixture(scope="session")
def studio_template(postgres_server: postgres.Server) -> str:
    """A database with the schema of `studio`, to be copied."""
    import asyncio

    postgres_server.sql("create database studio_template")
    asyncio.run(migrate.upgrade(postgres_server.settings("studio_template")))
    return "studio_template"


@pytest.fixture
def studio_database(postgres_server: postgres.Server, studio_template: str) -> Iterator[DatabaseSettings]:
    """A login to a fresh database with the schema of `studio`."""
    with postgres.database(postgres_server, template=studio_template) as name:
        yield postgres_server.settings(name)


@pytest.fixture
async def studio_pool(studio_database: DatabaseSettings) -> AsyncIterator[asyncpg.Pool]:
    """Connections to `studio_database`."""
    opened = await pool.open_pool(studio_database, application_name="test", max_size=8)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def kafka_session() -> Iterator[kafka.KafkaServer]:
    """One broker for the whole session."""
    if reason := kafka.missing():
        pytest.skip(f"no Kafka for tests: {reason}")
    with kafka.kafka() as server:
        yield server


@pytest.fixture
def kafka_server(kafka_session: kafka.KafkaServer) -> kafka.KafkaServer:
    """The session's broker, running; a test may kill or stop it and need not start it again."""
    kafka_session.start()
    return kafka_session
