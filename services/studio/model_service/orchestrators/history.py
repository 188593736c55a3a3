"""The past: what became of an item step by step, and how much is kept of those that have ended."""

# ruff: noqa: S608 (column names are constants of this module; values are parameters)

from dataclasses import dataclass, fields
from datetime import datetime

import asyncpg

from studio.model_service.items import Kind
from studio.model_service.orchestrators import garbage


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the audit; without `from_state` the item was made."""

    at: datetime
    who: str
    from_state: str | None
    to_state: str
    reason: str
    message: str
    attempt: int


_TRANSITION = ", ".join(field.name for field in fields(Transition))


async def transitions(conn: asyncpg.Connection, item_id: str) -> list[Transition]:
    """All that became of an item, the oldest first."""
    rows = await conn.fetch(f"select {_TRANSITION} from transitions where item = $1 order by seq", item_id)
    return [Transition(**row) for row in rows]


async def prune(conn: asyncpg.Connection, uid: str, kind: Kind, *, keep: int) -> None:
    """Delete the final items of an assistant except the newest `keep`; must run in a transaction."""
    rows = await conn.fetch(
        """delete from items where id in (
             select id from items where uid = $1 and kind = $2 and finished_at is not null
             order by seq desc offset $3)
           returning log_key""",
        uid, kind, max(keep, 0),
    )  # fmt: skip
    logs = [row["log_key"] for row in rows if row["log_key"]]
    if logs:
        await garbage.doom(conn, *logs)
