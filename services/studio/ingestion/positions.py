"""Where ingestion reads on: the database says it, Kafka is asked whether that place still exists.

Kafka forgets (retention), loses its newest records (a crash before they were on disk), or starts a topic anew. Each is
recognised when a partition is claimed, because reading on regardless would skip or double events without a trace.
"""

from dataclasses import dataclass
from enum import Enum, auto

import asyncpg
import structlog

from studio.ingestion import metrics
from studio.ingestion.batch import DeadLetter, Origin, Partition
from studio.ingestion.event import Place, Reason
from studio.ingestion.store import store_dead_letters

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PartitionLog:
    """What Kafka has of a partition: offsets from `begin` up to before `end`, and the id of the topic if known."""

    begin: int
    end: int
    topic_id: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A partition that this process may move: the origin, the fence, and the next offset to read."""

    origin: Origin
    epoch: int
    next_offset: int


class Verdict(Enum):
    """How a stored position relates to what Kafka has."""

    READ_ON = auto()
    GAP = auto()
    TRUNCATED = auto()
    RECREATED = auto()


class Truncated(Exception):
    """Kafka's end of a partition lies before the stored position."""


def judge(next_offset: int, topic_id: str | None, has: PartitionLog) -> Verdict:
    """Compare a stored position, and the id the topic had, with what Kafka has now."""
    if topic_id is not None and has.topic_id is not None and topic_id != has.topic_id:
        return Verdict.RECREATED
    if next_offset > has.end:
        return Verdict.TRUNCATED
    return Verdict.GAP if next_offset < has.begin else Verdict.READ_ON


async def claim(
    conn: asyncpg.Connection, partition: Partition, has: PartitionLog, holder: str, *, truncated: bool = False
) -> Claim:
    """Take a partition over: from now on nobody else's batch can move it.

    Raises Truncated if Kafka has lost its newest records, unless `truncated` says that this is sure.
    """
    async with conn.transaction():
        source = await _newest_source(conn, partition.topic, has.topic_id)
        if judge(0, source["topic_id"], has) is Verdict.RECREATED:
            log.warning("the topic was made anew, reading it from its start", topic=partition.topic)
            source = await _renew(conn, source, has.topic_id, keep_positions=False)
        taken = await _take(conn, source["id"], partition, has.begin, holder)
        verdict = judge(taken.next_offset, source["topic_id"], has)
        if verdict is Verdict.TRUNCATED:
            if not truncated:
                raise Truncated(f"{partition}: the next offset is {taken.next_offset}, Kafka's end is {has.end}")
            log.error("Kafka lost its newest records", partition=partition, position=taken.next_offset, end=has.end)
            source = await _renew(conn, source, has.topic_id, keep_positions=True)
            await _set_position(conn, Origin(source["id"], partition.partition), has.end)
            taken = await _take(conn, source["id"], partition, has.end, holder)
        elif verdict is Verdict.GAP:
            taken = await _skip_gap(conn, partition, taken, has)
    return taken


async def _newest_source(conn: asyncpg.Connection, topic: str, topic_id: str | None) -> asyncpg.Record:
    """The topic's newest incarnation, locked; made if there is none, and its Kafka id noted once it is known."""
    await conn.execute(
        "insert into event_sources (topic, topic_id) values ($1, $2) on conflict (topic, incarnation) do nothing",
        topic, topic_id,
    )  # fmt: skip
    row = await conn.fetchrow(
        "select * from event_sources where topic = $1 order by incarnation desc limit 1 for update", topic
    )
    if row["topic_id"] is None and topic_id is not None:
        row = await conn.fetchrow(
            "update event_sources set topic_id = $2 where id = $1 returning *", row["id"], topic_id
        )
    return row


async def _take(conn: asyncpg.Connection, source: int, partition: Partition, start: int, holder: str) -> Claim:
    row = await conn.fetchrow(
        """
        insert into event_offsets as o (source, partition, next_offset, epoch, holder) values ($1, $2, $3, 1, $4)
        on conflict (source, partition) do update set epoch = o.epoch + 1, holder = excluded.holder, updated_at = now()
        returning next_offset, epoch
        """,
        source, partition.partition, start, holder,
    )  # fmt: skip
    return Claim(Origin(source, partition.partition), row["epoch"], row["next_offset"])


async def _renew(
    conn: asyncpg.Connection, source: asyncpg.Record, topic_id: str | None, *, keep_positions: bool
) -> asyncpg.Record:
    """Begin a new incarnation of a topic, because offsets come again; whoever holds the old one is fenced off."""
    row = await conn.fetchrow(
        "insert into event_sources (topic, incarnation, topic_id) values ($1, $2, $3) returning *",
        source["topic"], source["incarnation"] + 1, topic_id,
    )  # fmt: skip
    fenced = await conn.fetch(
        "update event_offsets set epoch = epoch + 1 where source = $1 returning partition, next_offset", source["id"]
    )
    if keep_positions:
        await conn.executemany(
            "insert into event_offsets (source, partition, next_offset) values ($1, $2, $3)",
            [(row["id"], old["partition"], old["next_offset"]) for old in fenced],
        )
    return row


async def _set_position(conn: asyncpg.Connection, origin: Origin, next_offset: int) -> None:
    await conn.execute(
        "update event_offsets set next_offset = $3 where source = $1 and partition = $2", *origin, next_offset
    )


async def _skip_gap(conn: asyncpg.Connection, partition: Partition, taken: Claim, has: PartitionLog) -> Claim:
    """Go on at the beginning of what Kafka still has, and leave a record of what it has not."""
    detail = (
        f"Kafka no longer has the offsets {taken.next_offset} to {has.begin - 1}: retention was faster than ingestion"
    )
    metrics.GAPS.labels(partition.topic).inc()
    log.error("events are gone", partition=partition, first=taken.next_offset, last=has.begin - 1)
    place = Place(*taken.origin, taken.next_offset)
    await store_dead_letters(conn, [DeadLetter(place, partition.topic, None, None, Reason.GAP, detail)])
    await _set_position(conn, taken.origin, has.begin)
    return Claim(taken.origin, taken.epoch, has.begin)
