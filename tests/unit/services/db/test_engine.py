"""SQLAlchemy on our connections: losses of the database are seen for what they are."""

import dataclasses

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tests.support.ports import free_port

from studio.db.engine import EnginePool, open_engine, passes_by_itself
from studio.settings import DatabaseSettings


async def test_a_lost_connection_is_replaced_unseen(
    studio_database: DatabaseSettings, studio_pool: asyncpg.Pool
) -> None:
    async with open_engine(studio_database, application_name="engine-test") as engine:
        async with engine.connect() as conn:
            assert await conn.scalar(text("select 1")) == 1
        await studio_pool.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'engine-test'"
        )
        async with engine.connect() as conn:
            assert await conn.scalar(text("select 1")) == 1


async def test_the_pool_is_bounded_and_tells_about_itself(studio_database: DatabaseSettings) -> None:
    async with open_engine(studio_database, application_name="test", size=2) as engine:
        pool = EnginePool(engine)
        assert (pool.get_size(), pool.get_max_size(), pool.get_idle_size()) == (0, 2, 0)
        async with engine.connect() as one:
            await one.scalar(text("select 1"))
            assert (pool.get_size(), pool.get_idle_size()) == (1, 0)
        assert (pool.get_size(), pool.get_idle_size()) == (1, 1)


async def test_what_passes_by_itself(studio_database: DatabaseSettings) -> None:
    gone = dataclasses.replace(studio_database, port=free_port())
    async with open_engine(gone, application_name="test") as engine:
        with pytest.raises((DBAPIError, OSError)) as away:
            await _run(engine, "select 1")
        assert passes_by_itself(away.value)
    async with open_engine(studio_database, application_name="test") as engine:
        for statement in ("select nonsense", "select 1 / 0"):
            with pytest.raises(DBAPIError) as wrong:
                await _run(engine, statement)
            assert not passes_by_itself(wrong.value)
        with pytest.raises(DBAPIError) as ended:
            await _run(engine, "select pg_terminate_backend(pg_backend_pid())")
        assert passes_by_itself(ended.value)


async def _run(engine, statement: str) -> None:  # type: ignore[no-untyped-def]
    async with engine.connect() as conn:
        await conn.execute(text(statement))
