"""Rows whose objects the store has not any more: its volume was lost, or somebody has tidied up the bucket.

Such rows are forgotten, and what is wanted of them is made again: the operator brings the content anew, and a model is
trained anew. A store that does not answer has lost nothing.
"""

import asyncpg
import structlog
from prometheus_client import Counter

from studio.model_service.queue import CHANGES_CHANNEL, notify
from studio.storage.port import ObjectStore

log = structlog.get_logger(__name__)

LOST = Counter("studio_lost_objects_total", "Contents and models that were stored, and are not in the store any more.")


async def forget_lost(pool: asyncpg.Pool, store: ObjectStore, uid: str) -> bool:
    """Forget the contents and models of an assistant of which the store has no object; whether there were any.

    All of them: where one is lost others are, and each would cost a run that fails. Raises StorageError.
    """
    stored = await pool.fetch(
        """select object_key from contents where uid = $1
           union all select object_key from models where uid = $1""",
        uid,
    )
    # No connection is held meanwhile: the store may be slow.
    lost = [row["object_key"] for row in stored if await store.head(row["object_key"]) is None]
    if lost:
        async with pool.acquire() as conn, conn.transaction():
            await _forget(conn, uid, lost)
    return bool(lost)


async def _forget(conn: asyncpg.Connection, uid: str, lost: list[str]) -> None:
    """The rows only: a wrong bucket in the settings looks just like a loss, and what is there must stay there."""
    gone = await conn.fetch(
        """with contents as (delete from contents where uid = $1 and object_key = any($2) returning object_key),
                models as (delete from models where uid = $1 and object_key = any($2) returning object_key)
           select object_key from contents union all select object_key from models""",
        uid, lost,
    )  # fmt: skip
    if not gone:
        return
    name: str = await conn.fetchval("select name from assistants where uid = $1", uid)
    # The operator asks again then what there is.
    await notify(conn, (CHANGES_CHANNEL, f"model:{name}"))
    LOST.inc(len(gone))
    log.error("the object store has lost what it had been given", assistant=name, keys=[row[0] for row in gone])
