"""Removing what the training orchestrator keeps of an assistant."""

import asyncpg

from studio.contract.model_service import Removal
from studio.model_service.orchestrators import ending, garbage, registry


async def remove(conn: asyncpg.Connection, uid: str, *, delete_data: bool) -> Removal:
    """One step: stop trainings, then (once their consumers have deleted the Jobs, or too late) drop what is stored.

    Must run in a transaction; repeated until `gone`.
    """
    assistant = await registry.begin_removal(conn, uid, delete_data=delete_data)
    if assistant is None:
        return Removal(gone=True)
    waiting = await registry.removing_for(conn, uid)
    active = await registry.items(conn, uid, "training", active=True, lock=True)
    if left := await ending.end_all(conn, active, who="operator", waiting=waiting):
        return ending.told(left, waiting=waiting)
    if delete_data:
        await _drop(conn, uid)
    await registry.finish_removal(conn, "training", uid)
    return Removal(gone=True)


async def _drop(conn: asyncpg.Connection, uid: str) -> None:
    """Delete the rows and doom their objects."""
    rows = await conn.fetch(
        """with c as (delete from contents where uid = $1 returning object_key),
                m as (delete from models where uid = $1 returning object_key),
                i as (delete from items where uid = $1 and kind = 'training' and finished_at is not null
                      returning log_key as object_key)
           select object_key from c union all select object_key from m union all select object_key from i""",
        uid,
    )
    doomed = [row["object_key"] for row in rows if row["object_key"]]
    if doomed:
        await garbage.doom(conn, *doomed)
