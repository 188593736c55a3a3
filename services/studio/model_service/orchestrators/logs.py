"""Logs of attempts in the store."""

import hashlib

import asyncpg

from studio.model_service import queue
from studio.model_service.items import Item
from studio.model_service.orchestrators import garbage, keys
from studio.model_service.orchestrators.http import LOG_LIMIT, Refused
from studio.storage.port import ObjectMissing, ObjectStore


async def archive(pool: asyncpg.Pool, store: ObjectStore, item: Item, attempt: int, text: bytes) -> None:
    """Keep the log of an attempt and make it the item's. A log that came with an accepted model is complete: it stays.

    Doing it twice is harmless. Raises StorageError.
    """
    key = keys.archived_log(item, attempt)
    await garbage.doom(pool, key, seconds=garbage.UPLOAD_SECONDS)
    await store.put(key, text, sha256=hashlib.sha256(text).hexdigest(), content_type="text/plain; charset=utf-8")
    async with pool.acquire() as conn, conn.transaction():
        current = await queue.lock(conn, item.id)
        if current is None or current.log_key == keys.engine_log(item, attempt) or attempt < current.attempt - 1:
            return
        if not await garbage.adopt(conn, key) and current.log_key != key:
            raise Refused(409, f"the log of attempt {attempt} was deleted meanwhile: send it again")
        if current.log_key not in (None, key):
            await garbage.doom(conn, str(current.log_key))
        await queue.set_facts(conn, current, log_key=key)


async def read(store: ObjectStore, item: Item) -> bytes:
    """The log of an item; Refused with 404 if there is none."""
    try:
        if item.log_key is not None:
            return await store.get(item.log_key, limit=LOG_LIMIT)
    except ObjectMissing:
        pass
    raise Refused(404, f"there is no log of {item.id} yet: it is stored when an attempt ends")
