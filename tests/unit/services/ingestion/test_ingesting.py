"""The whole process against a real Kafka and a real PostgreSQL."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from tests.support import kafka
from tests.support.ingesting import Comparison, Conversations, Ingesting, administration, make_topics, producing, until
from tests.support.ports import free_port
from tests.support.postgres import Server, database
from tests.unit.services.ingestion.records import as_bytes, user

from studio.contract.names import tracker_schema
from studio.settings import DatabaseSettings


@pytest.fixture
async def topic(kafka_server: kafka.KafkaServer) -> str:
    name = kafka.topic_name()
    await make_topics(kafka_server, name)
    return name


@pytest.fixture
def ingestion(
    kafka_server: kafka.KafkaServer, studio_database: DatabaseSettings, topic: str, tmp_path: Path
) -> Iterator[Ingesting]:
    process = Ingesting(kafka_server, studio_database, topic, tmp_path)
    yield process
    process.kill()


async def stored(connections: asyncpg.Pool, wanted: int, *, seconds: float = 60) -> None:
    """Wait until so many events are there."""

    async def enough() -> bool:
        count: int = await connections.fetchval("select count(*) from events")
        return count >= wanted

    await until(enough, seconds)


async def test_from_the_topic_to_the_store(
    kafka_server: kafka.KafkaServer, ingestion: Ingesting, connections: asyncpg.Pool
) -> None:
    ingestion.start()
    await ingestion.ready()
    async with producing(kafka_server) as engine:
        for number in range(20):
            await engine.send(ingestion.topic, as_bytes(user(f"u{number % 3}", number)), key=f"u{number % 3}".encode())
        await engine.send_and_wait(ingestion.topic, b"poison", key=b"u1")
    await stored(connections, 20)
    assert (await ingestion.get("/healthz"))[0] == 200
    status, metrics = await ingestion.get("/metrics")
    assert status == 200
    assert f'studio_ingestion_events_total{{outcome="stored",topic="{ingestion.topic}"}} 20.0' in metrics
    published = "select count(*) from dead_letters where published_at is not null"
    await until(lambda: connections.fetchval(published))
    assert await asyncio.to_thread(ingestion.stop) == 0


async def metric(ingestion: Ingesting, name: str) -> float:
    """The value of a metric without labels, or the sum over its labels."""
    _, text = await ingestion.get("/metrics")
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))


async def test_ended_politely_it_goes_on_where_it_was(
    kafka_server: kafka.KafkaServer, ingestion: Ingesting, connections: asyncpg.Pool
) -> None:
    talk = Conversations(20)
    async with producing(kafka_server) as engine:
        for _ in range(3):
            ingestion.start()
            await talk.send(engine, ingestion.topic, 500)
            await ingestion.ready()
            assert await asyncio.to_thread(ingestion.stop) == 0
    ingestion.start()
    await stored(connections, talk.total)
    async with connections.acquire() as conn:
        assert await talk.compare(conn) == Comparison()


async def test_two_members_share_the_partitions(
    kafka_server: kafka.KafkaServer, ingestion: Ingesting, connections: asyncpg.Pool
) -> None:
    """Members come and go while events flow; whoever is killed is missed after the session's time."""
    other = replace(ingestion, pod="ingestion-1", port=free_port(), process=None)
    talk = Conversations(50)
    try:
        async with producing(kafka_server) as engine:
            ingestion.start()
            await ingestion.ready()
            sending = asyncio.create_task(slowly(talk, engine, ingestion.topic))
            other.start()
            await other.ready()
            await until(lambda: connections.fetchval("select count(distinct holder) = 2 from event_offsets"))
            ingestion.kill()
            await sending
            await stored(connections, talk.total)
            ingestion.start()
            await ingestion.ready()
            await asyncio.to_thread(other.stop)
            await talk.send(engine, ingestion.topic, 200)
        await stored(connections, talk.total)
    finally:
        other.kill()
    async with connections.acquire() as conn:
        assert await talk.compare(conn) == Comparison()


async def slowly(talk: Conversations, engine: AIOKafkaProducer, topic: str) -> None:
    """Send for some seconds."""
    for _ in range(40):
        await talk.send(engine, topic, 50)
        await asyncio.sleep(0.05)


async def test_retention_was_faster(
    kafka_server: kafka.KafkaServer, ingestion: Ingesting, connections: asyncpg.Pool
) -> None:
    ingestion.start()
    async with producing(kafka_server) as engine:
        for number in range(5):
            await engine.send_and_wait(ingestion.topic, as_bytes(user("u", number)), partition=0)
        await stored(connections, 5)
        await asyncio.to_thread(ingestion.stop)
        for number in range(5, 10):
            await engine.send_and_wait(ingestion.topic, as_bytes(user("u", number)), partition=0)
        async with administration(kafka_server) as admin:
            await admin.delete_records({TopicPartition(ingestion.topic, 0): RecordsToDelete(8)})
        ingestion.start()
        await stored(connections, 7)
    row = await connections.fetchrow("select * from dead_letters")
    assert (row["reason"], row["offset"]) == ("gap", 5)
    assert "5 to 7" in row["detail"]
    assert await metric(ingestion, "studio_ingestion_gaps_total") == 1


async def gone(admin: AIOKafkaAdminClient, topic: str) -> bool:
    """Whether Kafka has deleted the topic."""
    return topic not in await admin.list_topics()


async def test_a_topic_made_anew_while_it_is_read(
    kafka_server: kafka.KafkaServer, ingestion: Ingesting, connections: asyncpg.Pool
) -> None:
    ingestion.start()
    async with producing(kafka_server) as engine:
        for number in range(30):
            await engine.send_and_wait(ingestion.topic, as_bytes(user("u", number)), key=b"u")
        await stored(connections, 30)
    async with administration(kafka_server) as admin:
        await admin.delete_topics([ingestion.topic])
        await until(partial(gone, admin, ingestion.topic))
        await admin.create_topics([NewTopic(ingestion.topic, 6, 1)])
    async with producing(kafka_server) as engine:
        for number in range(30, 40):
            await engine.send_and_wait(ingestion.topic, as_bytes(user("u", number)), key=b"u")
    await stored(connections, 40)
    assert await connections.fetchval("select count(distinct data ->> 'timestamp') from events") == 40
    assert await connections.fetchval("select max(incarnation) from event_sources") == 2


async def test_the_back_fill_of_the_process(
    ingestion: Ingesting, connections: asyncpg.Pool, postgres_server: Server
) -> None:
    uid = "0b2f8c1e-1111-2222-3333-444455556666"
    schema = tracker_schema(uid)
    await connections.execute(
        "insert into assistants (uid, name, namespace, studio) values ($1, 'concierge', 'default', 'studio')", uid
    )
    with database(postgres_server) as trackers:
        postgres_server.sql(
            f"create schema {schema}; create table {schema}.events (id serial primary key, sender_id text, "
            "type_name text, timestamp float, intent_name text, action_name text, data text); "
            f"insert into {schema}.events (sender_id, timestamp, data) select 'u', n, "
            "json_build_object('event', 'slot', 'name', 's', 'timestamp', n) from generate_series(1, 2500) n",
            trackers,
        )
        login = ingestion.database
        ingestion.more = {
            "INGESTION_BACKFILL": "true", "TRACKERS_DATABASE": trackers, "TRACKERS_USER": login.user,
            "TRACKERS_PASSWORD_FILE": str(login.password_file),
        }  # fmt: skip
        ingestion.start()
        await stored(connections, 2500)
        assert await asyncio.to_thread(ingestion.stop) == 0
    assert await connections.fetchval("select events from conversations") == 2500


async def test_replays_by_hand(ingestion: Ingesting, connections: asyncpg.Pool) -> None:
    await connections.execute("insert into event_sources (topic) values ('events')")
    await connections.executemany(
        'insert into dead_letters (source, topic, partition, "offset", value, reason) '
        "values (1, 'events', 0, $1, $2, 'wrong_type')",
        [(0, as_bytes(user("u", 0))), (1, b"still wrong")],
    )
    code, text = await asyncio.to_thread(ingestion.replay)
    assert (code, text.splitlines()) == (1, ["refused: 1", "stored: 1"])
    code, text = await asyncio.to_thread(ingestion.replay, REPLAY_REASON="not_json")
    assert (code, text) == (0, "nothing to do\n")
