"""Objects that no row speaks for.

A key is `doomed` before its bytes are stored and `adopted` with the row that needs
them, in one transaction; whatever stays doomed is deleted when due. So no crash leaves an orphan in the store.
"""

import asyncio

import asyncpg
import structlog

from studio.db.retry import is_transient
from studio.storage.port import ObjectStore, StorageError

log = structlog.get_logger(__name__)

BATCH = 20
SWEEP_SECONDS = 60.0
# Longer than any upload with a presigned URL may take.
UPLOAD_SECONDS = 24 * 3600

_NAMED = """
select object_key from contents where object_key = any($1)
union all select object_key from models where object_key = any($1)
union all select log_key as object_key from items where log_key = any($1)"""


async def doom(conn: asyncpg.Connection | asyncpg.Pool, *keys: str, seconds: float = 0.0) -> None:
    """Delete the objects `seconds` from now, unless they are adopted before; a later date replaces an earlier one."""
    await conn.execute(
        """insert into garbage (object_key, due_at)
           select key, now() + make_interval(secs => $2) from unnest($1::text[]) as keys(key)
           on conflict (object_key) do update set due_at = greatest(garbage.due_at, excluded.due_at)""",
        list(keys), float(seconds),
    )  # fmt: skip


async def adopt(conn: asyncpg.Connection, *keys: str) -> bool:
    """Keep the objects; False if one of them was not doomed any more, so that it may have been deleted.

    Must run in the transaction that writes the rows that name them.
    """
    rows = await conn.fetch("delete from garbage where object_key = any($1) returning object_key", list(keys))
    return len(rows) == len(set(keys))


async def sweep(pool: asyncpg.Pool, store: ObjectStore) -> int:
    """Delete what is due and what no row names, at most one batch; gives how many keys were settled."""
    async with pool.acquire() as conn, conn.transaction():
        # The rows stay locked while their objects go, so that nobody adopts one in between.
        rows = await conn.fetch(
            """select object_key from garbage where due_at <= now() order by due_at limit $1
               for update skip locked""",
            BATCH,
        )
        keys = [row["object_key"] for row in rows]
        # Somebody who stores the same object again dooms it again, and may die before adopting it again.
        named = {row["object_key"] for row in await conn.fetch(_NAMED, keys)}
        for key in keys:
            if key not in named:
                await store.delete(key)
        if keys:
            await conn.execute("delete from garbage where object_key = any($1)", keys)
    return len(keys)


async def keep_sweeping(pool: asyncpg.Pool, store: ObjectStore, *, seconds: float = SWEEP_SECONDS) -> None:
    """Sweep for ever."""
    while True:
        try:
            while await sweep(pool, store) == BATCH:
                pass
        except StorageError as error:
            log.warning("objects could not be deleted, trying again later", error=str(error))
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("the database is away, trying again later", error=repr(error))
        await asyncio.sleep(seconds)
