"""What happens to dead letters later: each is copied to the dead-letter topic, and replayed when somebody asks for it.

The table is the truth. The copy comes at least once: twice if a process dies between sending and noting it.
"""

from collections.abc import Sequence
from typing import Protocol

import asyncpg
import structlog

from studio.ingestion import metrics, store
from studio.ingestion.batch import Batch
from studio.ingestion.event import Malformed, Place, Reason, decode, unknown_assistant

log = structlog.get_logger(__name__)

PUBLISH_AT_ONCE = 100
STORED, DUPLICATE, DELETED = "stored", "duplicate", "deleted"

Headers = Sequence[tuple[str, bytes]]


class Sender(Protocol):
    """The dead-letter topic."""

    async def send(self, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """Send one record and wait until the broker has it. Raises FeedError."""
        ...


async def publish(conn: asyncpg.Connection, sender: Sender) -> int:
    """Copy the oldest dead letters that were not copied yet to their topic; gives their number. Raises FeedError."""
    async with conn.transaction():
        rows = await conn.fetch(
            "select * from dead_letters where published_at is null order by id limit $1 for update skip locked",
            PUBLISH_AT_ONCE,
        )
        for row in rows:
            await sender.send(row["key"], row["value"], _headers(row))
        await conn.execute(
            "update dead_letters set published_at = now() where id = any($1)", [row["id"] for row in rows]
        )
    return len(rows)


def _headers(row: asyncpg.Record) -> Headers:
    names = ("reason", "detail", "topic", "partition", "offset")
    return [(f"studio-{name}", str(row[name]).encode()) for name in names]


async def request_replays(conn: asyncpg.Connection, *, topic: str | None, reason: str | None, who: str) -> int:
    """Ask for the replay of all dead letters, of one topic or reason, that were not stored so far; their number."""
    rows = await conn.fetch(
        """
        update dead_letters set replay_requested_at = now(), replay_requested_by = $3
        where ($1::text is null or topic = $1) and ($2::text is null or reason = $2)
            and value is not null and (replay_result is null or starts_with(replay_result, 'refused'))
        returning id
        """,
        topic, reason, who,
    )  # fmt: skip
    return len(rows)


async def replay_next(conn: asyncpg.Connection) -> str | None:
    """Replay the oldest dead letter that waits for it and note the result, which is returned; None: nothing waits.

    Its event gets the place that its record has in Kafka, so no replay and no re-reading can store it twice.
    """
    async with conn.transaction():
        row = await conn.fetchrow(
            """
            select * from dead_letters
            where replay_requested_at is not null and (replayed_at is null or replayed_at < replay_requested_at)
            order by id limit 1 for update skip locked
            """
        )
        if row is None:
            return None
        result = await _replay(conn, row)
        await conn.execute(
            """
            update dead_letters set replayed_at = greatest(now(), replay_requested_at), replay_result = $2 where id = $1
            """,
            row["id"],
            result,
        )
    metrics.REPLAYS.labels(result.partition(":")[0]).inc()
    log.info("replayed", dead_letter=row["id"], result=result)
    return result


async def _replay(conn: asyncpg.Connection, row: asyncpg.Record) -> str:
    place = Place(row["source"], row["partition"], row["offset"])
    try:
        event = decode(row["value"], place, assistant_id=unknown_assistant(row["topic"]))
        outcome = await store.write(conn, Batch([event]), [])
    except Malformed as error:
        return f"refused: {error.reason}: {error.detail}"
    except asyncpg.UniqueViolationError:
        return DUPLICATE
    except (asyncpg.DataError, asyncpg.ProgramLimitExceededError, asyncpg.StatementTooComplexError) as error:
        return f"refused: {Reason.REFUSED_BY_DATABASE}: {error}"
    if outcome.deleted:
        return DELETED
    return DUPLICATE if outcome.copies else STORED
