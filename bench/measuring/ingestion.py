"""Measures ingestion as a process of its own, with a PostgreSQL and a Kafka of its own on loopback."""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from tests.support import kafka, postgres
from tests.support.ingesting import Comparison, Conversations, Ingesting, Trial, make_topics, producing, until

from measuring.event_load import conversations
from measuring.figures import percentile
from studio.db import migrate, pool
from studio.ingestion.batch import Batch, Origin
from studio.ingestion.event import Event
from studio.ingestion.lane import BATCH_RECORDS

PARTITIONS = 6
ROUNDS = 5
RATE_EVENTS = 120_000
# Often enough for a run of seconds; more would take from what is measured.
LOOK_SECONDS = 0.02
COLUMNS = ", ".join(f'"{name}"' for name in Event._fields)
INSERT = f"insert into events ({COLUMNS}) values ({', '.join(f'${n + 1}' for n in range(len(Event._fields)))})"


@dataclass
class Rates:
    """Events per second of each round."""

    copy: list[float] = field(default_factory=list)
    ingestion: list[float] = field(default_factory=list)
    executemany: list[float] = field(default_factory=list)

    def ratios(self, to: Sequence[float]) -> list[float]:
        """Ingestion against another arm, round by round."""
        return [ours / theirs for ours, theirs in zip(self.ingestion, to, strict=True)]


@dataclass(frozen=True)
class _Sent:
    offset: int
    value: bytes
    key: bytes | None = None
    timestamp: int = 0


@dataclass(frozen=True)
class Stage:
    """Servers, a topic, and an ingestion that is not running yet."""

    database: postgres.Server
    ingestion: Ingesting

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection as ingestion has it."""
        conn = await pool.connect(self.ingestion.database, application_name="bench", prepare=pool.json_as_text)
        try:
            yield conn
        finally:
            await conn.close()


@contextlib.asynccontextmanager
async def stage(*, durable: bool) -> AsyncIterator[Stage]:
    """A fresh one; everything ends with the block."""
    with tempfile.TemporaryDirectory() as folder, kafka.kafka() as broker, postgres.server(durable=durable) as database:
        database.sql("create database studio")
        await migrate.upgrade(database.settings("studio"))
        topic = kafka.topic_name()
        await make_topics(broker, topic, partitions=PARTITIONS)
        ingestion = Ingesting(broker, database.settings("studio"), topic, Path(folder))
        try:
            yield Stage(database, ingestion)
        finally:
            ingestion.kill()


async def rates(*, rounds: int = ROUNDS, events: int = RATE_EVENTS) -> Rates:
    """COPY, ingestion and executemany in turn, of the same rows into the same table with its indexes."""
    found = Rates()
    async with stage(durable=True) as here:
        sent = list(conversations(events))
        async with producing(here.ingestion.kafka) as producer:
            for key, value in sent:
                await producer.send(here.ingestion.topic, value, key=key)
            await producer.flush()
        batch = Batch()
        batch.read(Origin(1, 0), "bench", [_Sent(number, value) for number, (_, value) in enumerate(sent)])
        for _ in range(rounds):
            found.copy.append(await _copy(here, batch.events))
            found.ingestion.append(await _ingest(here, events))
            found.executemany.append(await _executemany(here, batch.events))
    return found


async def _copy(here: Stage, events: Sequence[Event]) -> float:
    async with here.connection() as conn:
        await _empty(conn)
        began = time.perf_counter()
        for first in range(0, len(events), BATCH_RECORDS):
            rows = events[first : first + BATCH_RECORDS]
            await conn.copy_records_to_table("events", records=rows, columns=Event._fields)
        return len(events) / (time.perf_counter() - began)


async def _executemany(here: Stage, events: Sequence[Event]) -> float:
    async with here.connection() as conn:
        await _empty(conn)
        began = time.perf_counter()
        for first in range(0, len(events), BATCH_RECORDS):
            await conn.executemany(INSERT, events[first : first + BATCH_RECORDS])
        return len(events) / (time.perf_counter() - began)


async def _ingest(here: Stage, events: int) -> float:
    """From the first commit that can be seen to the last; what the first one stored does not count."""
    async with here.connection() as conn:
        await _empty(conn)
        here.ingestion.start()
        stored = first = began = 0.0
        while stored < events:
            stored = await conn.fetchval("select coalesce(sum(next_offset), 0)::int from event_offsets")
            if not first and stored:
                first, began = stored, time.perf_counter()
            await asyncio.sleep(LOOK_SECONDS)
        ended = time.perf_counter()
    await asyncio.to_thread(here.ingestion.stop)
    return (events - first) / (ended - began)


async def _empty(conn: asyncpg.Connection) -> None:
    await conn.execute("truncate events, conversations, event_sources, event_offsets, dead_letters cascade")
    await conn.execute("vacuum analyze")
    await conn.execute("checkpoint")


@dataclass(frozen=True)
class Visible:
    """Milliseconds from sending to visible."""

    p50: float
    p99: float
    slowest: float
    resident_mib: float


async def visible(*, per_second: int = 100, seconds: int = 30) -> Visible:
    """Send at a steady rate and look when each event can be read; resident memory is that before the first event."""
    async with stage(durable=True) as here:
        here.ingestion.start()
        await here.ingestion.ready()
        await asyncio.sleep(5)
        resident = _resident_mib(here.ingestion)
        waiting: dict[tuple[int, int], float] = {}
        took: list[float] = []
        looking = asyncio.create_task(_look(here, waiting, took))
        async with producing(here.ingestion.kafka) as producer:
            began = time.perf_counter()
            for number, (key, value) in enumerate(conversations(per_second * seconds)):
                await asyncio.sleep(max(began + number / per_second - time.perf_counter(), 0))
                now = time.perf_counter()
                sending = await producer.send(here.ingestion.topic, value, key=key)
                sending.add_done_callback(
                    lambda done, at=now: waiting.update({(done.result().partition, done.result().offset): at})
                )
            await producer.flush()
        await until(lambda: asyncio.sleep(0, not waiting))
        looking.cancel()
    return Visible(percentile(took, 0.5), percentile(took, 0.99), max(took), resident)


async def _look(here: Stage, waiting: dict[tuple[int, int], float], took: list[float]) -> None:
    async with here.connection() as conn:
        while True:
            rows = await conn.fetch("select partition, next_offset from event_offsets")
            now = time.perf_counter()
            stored = {row["partition"]: row["next_offset"] for row in rows}
            there = [place for place in waiting if place[1] < stored.get(place[0], 0)]
            took.extend((now - waiting.pop(place)) * 1000 for place in there)
            await asyncio.sleep(0.002)


def _resident_mib(ingestion: Ingesting) -> float:
    assert ingestion.process is not None
    status = Path(f"/proc/{ingestion.process.pid}/status").read_text()
    kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return int(kib) / 1024


async def kills(
    *, events: int = 200_000, of_ingestion: int = 10, of_postgres: int = 2, of_kafka: int = 2
) -> Comparison:
    """Everything is killed in turn while events flow; what is stored is held against what was sent."""
    async with stage(durable=True) as here:
        talk = Conversations(senders=2_000)
        trial = Trial(
            here.ingestion, here.database, talk, events=events,
            kills=of_ingestion, database_restarts=of_postgres, kafka_restarts=of_kafka, step=500,
        )  # fmt: skip
        await trial.run()
        async with here.connection() as conn:
            return await talk.compare(conn)
