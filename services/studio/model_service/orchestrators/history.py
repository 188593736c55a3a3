"""How much of the past is kept: final items beyond the newest few go, with their audit and logs."""

import asyncpg

from studio.model_service.items import Kind
from studio.model_service.orchestrators import garbage


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
