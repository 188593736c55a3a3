"""What comes back to a pool."""

import asyncpg

from studio.db import pool
from studio.db.retry import is_transient
from studio.settings import DatabaseSettings


async def test_a_transaction_that_was_left_open_is_rolled_back_without_a_reset(
    studio_database: DatabaseSettings,
) -> None:
    opened = await pool.open_pool(studio_database, application_name="test", max_size=1, stateless=True)
    async with opened:
        async with opened.acquire() as conn:
            before = await conn.fetchval("select pg_backend_pid()")
            await conn.transaction().start()
            await conn.execute("create table left_open ()")
        async with opened.acquire() as conn:
            assert await conn.fetchval("select to_regclass('left_open')") is None
            assert await conn.fetchval("select pg_backend_pid()") == before


async def test_the_server_notices_within_seconds_that_nobody_is_there(studio_database: DatabaseSettings) -> None:
    conn = await pool.connect(studio_database, application_name="test")
    names = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count")
    idle, interval, count = [int(await conn.fetchval("select current_setting($1)", name)) for name in names]
    assert await conn.fetchval("show tcp_user_timeout") == "20000"
    await conn.close()
    assert 0 < idle + interval * count <= pool.SILENCE_TIMEOUT


def test_a_connection_that_breaks_between_two_messages_passes_by_itself() -> None:
    assert is_transient(asyncpg.InternalClientError("got result for unknown protocol state"))
