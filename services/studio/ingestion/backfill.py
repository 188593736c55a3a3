"""Back-fill: what an engine stored in its tracker schema but did not publish is put into the conversation store.

A tracker schema is read like a partition: the id of a row is its offset, and a fenced position says what was compared.
"""

import itertools
import json
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import structlog

from studio.contract import names
from studio.db.identifiers import identifier
from studio.ingestion import metrics, positions, store
from studio.ingestion.batch import Batch, DeadLetter, Move, Origin, Partition, copies
from studio.ingestion.event import Malformed, Place, decode
from studio.ingestion.positions import PartitionLog

log = structlog.get_logger(__name__)

# An engine publishes before it stores, and its producer may hold events back while Kafka is away.
GRACE_SECONDS = 300.0
CHUNK_ROWS = 1_000
CHUNKS_AT_ONCE = 20
# Rows have no end that could be lost, unlike a partition: a tracker schema only grows.
_NO_END = 2**62

Connect = Callable[[], Coroutine[Any, Any, asyncpg.Connection]]


@dataclass(frozen=True, slots=True)
class Tracker:
    """A tracker schema that exists: the table's identity, the newest row, and whose conversations they are."""

    schema: str
    assistant_id: str
    table: int
    newest: int

    @property
    def partition(self) -> Partition:
        """The schema as a source of events."""
        return Partition(f"{names.TRACKER_PREFIX}{self.schema}", 0)


async def run(pool: asyncpg.Pool, connect: Connect, *, holder: str, before: float) -> bool:
    """Compare the next rows of every tracker schema that are older than `before` (seconds since 1970).

    Gives whether there is more to do. A replica that finds itself fenced leaves the schema to the other one.
    """
    more = False
    trackers = await connect()
    try:
        async with pool.acquire() as conn:
            waiting = [tracker for tracker in await find(conn, trackers) if await _behind(conn, tracker)]
        for tracker in waiting:
            try:
                more |= await _compare(pool, trackers, tracker, holder=holder, before=before)
            except store.Fenced:
                log.info("another process fills this schema", schema=tracker.schema)
    finally:
        trackers.terminate()
    return more


async def find(studio: asyncpg.Connection, trackers: asyncpg.Connection) -> list[Tracker]:
    """The tracker schemas of this Studio's assistants in which an engine has made its table."""
    assistants = {
        names.tracker_schema(row["uid"]): names.assistant_id(row["namespace"], row["name"])
        for row in await studio.fetch("select uid, namespace, name from assistants where removed_at is null")
    }
    tables = await trackers.fetch(
        """
        select c.oid::bigint as oid, n.nspname as schema, pg_get_userbyid(c.relowner) as owner,
            has_table_privilege(c.oid, 'select') as readable
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relname = 'events' and c.relkind = 'r' and n.nspname = any($1::text[])
        order by n.nspname
        """,
        list(assistants),
    )
    found = []
    for table in tables:
        schema = table["schema"]
        try:
            if not table["readable"]:
                # The table belongs to the engine's role; this login made that role, so it may join it.
                await trackers.execute(f"grant {identifier(table['owner'])} to current_user")
            newest = await trackers.fetchval(f"select coalesce(max(id), 0) from {identifier(schema)}.events")  # noqa: S608
        except (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedTableError) as error:
            log.warning("the tracker schema cannot be read", schema=schema, error=str(error))
            continue
        found.append(Tracker(schema, assistants[schema], table["oid"], newest))
    return found


async def _behind(conn: asyncpg.Connection, tracker: Tracker) -> bool:
    row = await conn.fetchrow(
        """
        select s.topic_id, o.next_offset from event_sources s join event_offsets o on o.source = s.id
        where s.topic = $1 order by s.incarnation desc limit 1
        """,
        tracker.partition.topic,
    )
    known = row is not None and row["topic_id"] == str(tracker.table)
    behind = max(tracker.newest + 1 - row["next_offset"], 0) if known else tracker.newest
    metrics.BACKFILL_BEHIND.labels(tracker.schema).set(behind)
    return behind > 0


async def _compare(
    pool: asyncpg.Pool, trackers: asyncpg.Connection, tracker: Tracker, *, holder: str, before: float
) -> bool:
    async with pool.acquire() as conn:
        has = PartitionLog(0, _NO_END, str(tracker.table))
        claim = await positions.claim(conn, tracker.partition, has, holder)
    position = claim.next_offset
    for _ in range(CHUNKS_AT_ONCE):
        rows = await _old_rows(trackers, tracker, position, before)
        if not rows:
            return False
        move = Move(claim.origin, claim.epoch, position, rows[-1]["id"] + 1, tracker.newest + 1)
        async with pool.acquire() as conn:
            await _fill(conn, tracker, rows, move)
        position = move.next
    return True


async def _old_rows(trackers: asyncpg.Connection, tracker: Tracker, first: int, before: float) -> list[asyncpg.Record]:
    """The next rows in the order of their ids, up to the first that is too young to be missed."""
    rows = await trackers.fetch(
        f"select id, sender_id, timestamp, data from {identifier(tracker.schema)}.events "  # noqa: S608
        "where id >= $1 order by id limit $2",
        first, CHUNK_ROWS,
    )  # fmt: skip
    return list(itertools.takewhile(lambda row: row["timestamp"] is None or row["timestamp"] < before, rows))


async def _fill(conn: asyncpg.Connection, tracker: Tracker, rows: Sequence[asyncpg.Record], move: Move) -> None:
    batch = read(tracker, rows, move.origin)
    # Almost always all are there: that is seen without locking a conversation.
    there = copies(batch.events, await store.known(conn, batch.events), once=True) if batch.events else set()
    outcome = await store.write(conn, batch, [move], backfill=there)
    if outcome.stored:
        metrics.BACKFILLED.inc(outcome.stored)
        log.warning("events were not published, filled in", schema=tracker.schema, events=outcome.stored)


def read(tracker: Tracker, rows: Sequence[asyncpg.Record], origin: Origin) -> Batch:
    """The rows as events, in the form in which the engine would have published them."""
    batch = Batch()
    for row in rows:
        place = Place(*origin, row["id"])
        value = published(row["sender_id"], row["data"], tracker.assistant_id)
        try:
            batch.events.append(decode(value, place, assistant_id=tracker.assistant_id))
        except Malformed as error:
            topic = tracker.partition.topic
            batch.dead_letters.append(DeadLetter(place, topic, None, value, error.reason, error.detail))
    return batch


def published(sender_id: str, data: str | None, assistant_id: str) -> bytes:
    """The record that the engine would have sent: a row's JSON has no sender, and old rows name no assistant."""
    try:
        body = json.loads(data or "")
    except (ValueError, RecursionError):
        return (data or "").encode(errors="backslashreplace")
    if isinstance(body, dict):
        metadata = body.get("metadata")
        if metadata is None or (isinstance(metadata, dict) and not metadata.get("assistant_id")):
            body["metadata"] = {**(metadata or {}), "assistant_id": assistant_id}
        body = {"sender_id": sender_id, **body}
    return json.dumps(body).encode()


def too_young(now: float | None = None) -> float:
    """The time stamp from which on events may still be on their way."""
    return (time.time() if now is None else now) - GRACE_SECONDS
