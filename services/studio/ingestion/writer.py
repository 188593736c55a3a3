"""Stores the records of partitions over a bounded number of connections, and finds the record that spoils a batch."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

import asyncpg
import structlog

from studio.ingestion import metrics, positions, store
from studio.ingestion.batch import Batch, DeadLetter, Move, Partition, Record
from studio.ingestion.event import Place, Reason
from studio.ingestion.positions import Claim, PartitionLog

log = structlog.get_logger(__name__)

# Of the pool's connections: the others are for housekeeping.
CONNECTIONS = 2
ASSISTANT_SECONDS = 60.0
SLICE_RECORDS = 100

# The data are to blame: the same batch would be refused again.
_POISON = (
    asyncpg.DataError,
    asyncpg.ProgramLimitExceededError,
    asyncpg.StatementTooComplexError,
    asyncpg.UniqueViolationError,
)
# The size may be to blame.
_SLOW = (asyncpg.QueryCanceledError, TimeoutError)


class Writer:
    """The database as the lanes see it; shared by all of them."""

    def __init__(self, pool: asyncpg.Pool, *, holder: str) -> None:
        """`holder` names this process in the positions."""
        self._pool = pool
        self._holder = holder
        self._free = asyncio.Semaphore(CONNECTIONS)
        self._reading = asyncio.Lock()
        self._noted: dict[str, float] = {}

    async def claim(self, partition: Partition, has: PartitionLog, *, truncated: bool = False) -> Claim:
        """Take a partition over. Raises Truncated, or what asyncpg raises."""
        async with self._free, self._pool.acquire() as conn:
            return await positions.claim(conn, partition, has, self._holder, truncated=truncated)

    async def store(
        self, partition: Partition, held: Claim, records: Sequence[Record], *, log_end: int | None
    ) -> Claim:
        """Store consecutive records of one partition; gives the claim with its new position.

        A record that PostgreSQL refuses is found by halving and becomes a dead letter, so the others are not held up.
        Raises Fenced, or what asyncpg raises for a database that does not work.
        """
        try:
            return await self._write(partition, held, records, log_end)
        except (*_POISON, *_SLOW) as error:
            if len(records) > 1:
                middle = len(records) // 2
                held = await self.store(partition, held, records[:middle], log_end=log_end)
                return await self.store(partition, held, records[middle:], log_end=log_end)
            if isinstance(error, _SLOW):
                raise
            return await self._refuse(partition, held, records[0], error)

    async def _write(self, partition: Partition, held: Claim, records: Sequence[Record], log_end: int | None) -> Claim:
        # One batch at a time is read: so lanes do not all read while PostgreSQL idles, then all wait for it.
        async with self._reading:
            batch = await _read(held, partition, records)
        async with self._free, self._pool.acquire() as conn:
            began = time.monotonic()
            moved = await self._commit(conn, partition, held, batch, _move(held, records[-1], log_end))
        metrics.BATCH_SECONDS.observe(time.monotonic() - began)
        metrics.BATCH_RECORDS.observe(len(records))
        metrics.LATENCY.observe(max(time.time() - records[-1].timestamp / 1000, 0.0))
        return moved

    async def _refuse(self, partition: Partition, held: Claim, record: Record, error: Exception) -> Claim:
        batch = Batch()
        if isinstance(error, asyncpg.UniqueViolationError):
            log.warning("the record is stored already", partition=partition, offset=record.offset)
        else:
            place = Place(*held.origin, record.offset)
            detail = str(error).replace("\x00", "")
            batch.dead_letters.append(
                DeadLetter(place, partition.topic, record.key, record.value, Reason.REFUSED_BY_DATABASE, detail)
            )
        async with self._free, self._pool.acquire() as conn:
            return await self._commit(conn, partition, held, batch, _move(held, record, None))

    async def _commit(
        self, conn: asyncpg.Connection, partition: Partition, held: Claim, batch: Batch, move: Move
    ) -> Claim:
        outcome = await store.write(conn, batch, [move])
        await self._note_assistants(conn, partition.topic, {event.assistant_id for event in batch.events})
        metrics.BATCHES.inc()
        for name, count in (("stored", outcome.stored), ("deleted", outcome.deleted), ("copy", outcome.copies)):
            if count:
                metrics.EVENTS.labels(partition.topic, name).inc(count)
        for letter in batch.dead_letters:
            metrics.DEAD_LETTERS.labels(partition.topic, letter.reason).inc()
            log.warning("dead letter", place=letter.place, reason=letter.reason, detail=letter.detail)
        return replace(held, next_offset=move.next)

    async def _note_assistants(self, conn: asyncpg.Connection, topic: str, seen: set[str]) -> None:
        """After the batch, not in it: which assistants there are is known again with their next event."""
        now = time.monotonic()
        fresh = {name for name in seen if self._noted.get(name, -ASSISTANT_SECONDS) + ASSISTANT_SECONDS <= now}
        if not fresh:
            return
        await store.note_assistants(conn, dict.fromkeys(fresh, topic))
        self._noted = {name: at for name, at in self._noted.items() if at + ASSISTANT_SECONDS > now}
        self._noted.update(dict.fromkeys(fresh, now))


async def _read(held: Claim, partition: Partition, records: Sequence[Record]) -> Batch:
    """In slices: meanwhile another lane's COPY has to be fed, and probes want to be answered."""
    batch = Batch()
    for first in range(0, len(records), SLICE_RECORDS):
        batch.read(held.origin, partition.topic, records[first : first + SLICE_RECORDS])
        await asyncio.sleep(0)
    return batch


def _move(held: Claim, last: Record, log_end: int | None) -> Move:
    following = last.offset + 1
    return Move(held.origin, held.epoch, held.next_offset, following, log_end or following)
