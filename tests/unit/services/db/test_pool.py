"""What comes back to a pool."""

from studio.db import pool
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
