"""Which models are kept."""

import asyncpg

from studio.model_service.orchestrators import garbage
from studio.model_service.orchestrators.registry import Assistant


async def prune_models(conn: asyncpg.Connection, assistant: Assistant, *, keep: int) -> None:
    """Delete all but the newest `keep` models, and those that are needed; must run in a transaction.

    Needed is what serves, is run, is tagged, or is named by `running.model`. The objects go after it.
    """
    pinned = str((assistant.running or {}).get("model", ""))
    rows = await conn.fetch(
        """delete from models m where m.uid = $1
             and m.version not in (select version from models where uid = $1 order by version desc limit $2)
             and m.version::text <> $3 and m.tags = '{}'
             and not exists (select 1 from items i where i.uid = m.uid and i.kind = 'run'
                             and i.model_version = m.version and (i.finished_at is null or i.id = $4))
           returning object_key""",
        assistant.uid, max(keep, 1), pinned, assistant.serving,
    )  # fmt: skip
    if rows:
        await garbage.doom(conn, *(row["object_key"] for row in rows))


async def prune_contents(conn: asyncpg.Connection, uid: str, *, wanted: str | None) -> None:
    """Delete contents that neither the wanted fingerprint nor an active training needs; must run in a transaction."""
    rows = await conn.fetch(
        """delete from contents c where c.uid = $1 and c.fingerprint is distinct from $2
             and not exists (select 1 from items i where i.uid = c.uid and i.kind = 'training'
                             and i.fingerprint = c.fingerprint and i.finished_at is null)
           returning object_key""",
        uid, wanted,
    )  # fmt: skip
    if rows:
        await garbage.doom(conn, *(row["object_key"] for row in rows))
