"""The back-fill: what was not published comes from the tracker schema, once, whichever way is faster."""

import asyncio
import functools
import json
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support import postgres
from tests.unit.services.ingestion.records import ASSISTANT, BEGAN, action, bot, records, slot, user

from studio.contract import names
from studio.db import pool
from studio.ingestion import backfill, positions
from studio.ingestion.batch import Partition
from studio.ingestion.positions import PartitionLog
from studio.ingestion.writer import Writer
from studio.settings import DatabaseSettings

UID = "0b2f8c1e-1111-2222-3333-444455556666"
SCHEMA = names.tracker_schema(UID)
PARTITION = Partition("events", 0)
NEVER = BEGAN + 10**6
# As Rasa 3.6 makes it.
TABLE = """
create table {schema}.events (
    id serial primary key, sender_id varchar(255) not null, type_name varchar(255) not null, timestamp float,
    intent_name varchar(255), action_name varchar(255), data text
)
"""


@dataclass
class Engine:
    """An engine with its tracker schema, and ingestion around it."""

    studio: asyncpg.Pool
    trackers: DatabaseSettings

    async def sql(self, statement: str, *values: Any) -> None:
        """Run something in the trackers' database."""
        conn = await pool.connect(self.trackers, application_name="test")
        try:
            await conn.execute(statement, *values)
        finally:
            await conn.close()

    async def remember(self, *events: dict[str, Any]) -> None:
        """Store events as Rasa does: the sender is a column and not in the JSON."""
        for event in events:
            data = {key: value for key, value in event.items() if key != "sender_id"}
            await self.sql(
                f"insert into {SCHEMA}.events (sender_id, type_name, timestamp, data) values ($1, $2, $3, $4)",
                event["sender_id"], event["event"], event["timestamp"], json.dumps(data),
            )  # fmt: skip

    async def publish(self, *events: dict[str, Any]) -> None:
        """Events arrive by Kafka."""
        async with self.studio.acquire() as conn:
            claim = await positions.claim(conn, PARTITION, PartitionLog(0, 10**6), "me")
        await Writer(self.studio, holder="me").store(
            PARTITION, claim, records(*events, first=claim.next_offset), log_end=None
        )

    async def fill(self, before: float = NEVER) -> bool:
        """One pass."""
        connect = functools.partial(pool.connect, self.trackers, application_name="test")
        return await backfill.run(self.studio, connect, holder="me", before=before)

    async def stored(self) -> list[str]:
        """The names of the stored slots and the texts of the stored messages, in the order of the conversation."""
        rows = await self.studio.fetch("select coalesce(text, action, data ->> 'name') as what from events order by at")
        return [row["what"] for row in rows]

    async def counted(self) -> int:
        """The events that the conversations speak of."""
        number: int = await self.studio.fetchval("select coalesce(sum(events), 0) from conversations")
        return number


@pytest.fixture
async def engine(connections: asyncpg.Pool, postgres_server: postgres.Server) -> AsyncIterator[Engine]:
    with postgres.database(postgres_server) as trackers:
        engine = Engine(connections, postgres_server.settings(trackers))
        await connections.execute(
            "insert into assistants (uid, name, namespace, studio) values ($1, 'concierge', 'default', 'studio')", UID
        )
        await engine.sql(f"create schema {SCHEMA}")
        await engine.sql(TABLE.format(schema=SCHEMA))
        yield engine


async def test_what_was_not_published_is_filled_in(engine: Engine) -> None:
    said = [user("u1", 0, "a"), bot("u1", 1, "b"), user("u1", 2, "c"), user("u2", 3, "d")]
    await engine.remember(*said)
    await engine.publish(said[0], said[2])
    assert await engine.fill() is False
    assert await engine.stored() == ["a", "b", "c", "d"]
    assert await engine.counted() == 4
    row = await engine.studio.fetchrow("select * from events where text = 'b'")
    assert row["assistant_id"] == ASSISTANT
    assert json.loads(row["data"])["sender_id"] == "u1"


async def test_late_copies_are_dropped(engine: Engine) -> None:
    said = [user("u1", 0, "a"), action("u1", 1, "b"), slot("u1", 1, "c"), bot("u1", 1, "d")]
    await engine.remember(*said)
    await engine.fill()
    await engine.publish(*said, user("u1", 2, "e"))
    assert await engine.stored() == ["a", "b", "c", "d", "e"]
    assert await engine.counted() == 5
    await engine.publish(*said)
    assert await engine.counted() == 5


async def test_events_of_one_microsecond_are_told_apart(engine: Engine) -> None:
    slots = [slot("u1", 0, name) for name in ("a", "b", "a")]
    await engine.remember(*slots)
    await engine.publish(slots[0])
    await engine.fill()
    assert sorted(await engine.stored()) == ["a", "a", "b"]
    assert await engine.fill() is False
    assert await engine.counted() == 3


async def test_a_masked_event_is_still_the_same(engine: Engine) -> None:
    await engine.remember(user("u1", 0, "my name is Ada"))
    await engine.publish(user("u1", 0, "my name is ***"))
    await engine.fill()
    assert await engine.stored() == ["my name is ***"]


async def test_young_events_may_still_be_on_their_way(engine: Engine) -> None:
    await engine.remember(user("u1", 0, "old"), user("u1", 100, "young"), user("u1", 1, "behind a young one"))
    await engine.fill(before=BEGAN + 50)
    assert await engine.stored() == ["old"]
    await engine.fill()
    assert await engine.stored() == ["old", "behind a young one", "young"]


async def test_deleted_conversations_are_not_filled_in(engine: Engine) -> None:
    await engine.remember(user("u1", 0, "a"), user("u2", 0, "b"))
    await engine.studio.execute(
        "insert into deleted_conversations (assistant_id, sender_id, deleted_by, deleted_at) "
        f"values ('{ASSISTANT}', 'u1', 'me', to_timestamp({BEGAN + 5}))"
    )
    await engine.fill()
    assert await engine.stored() == ["b"]


async def test_rows_that_are_no_events_are_dead_letters(engine: Engine) -> None:
    await engine.remember(user("u1", 0, "a"))
    await engine.sql(
        f"insert into {SCHEMA}.events (sender_id, type_name, timestamp, data) "
        r"""values ('u1', 'user', 1, 'broken'), ('u1', 'user', 1, null), ('u1', 'user', 1, '{"text": "\u0000"}')"""
    )
    await engine.remember(user("u1", 1, "b"))
    await engine.fill()
    assert await engine.stored() == ["a", "b"]
    rows = await engine.studio.fetch("select topic, reason from dead_letters order by id")
    assert [row["reason"] for row in rows] == ["not_json", "empty", "bad_character"]
    assert {row["topic"] for row in rows} == {f"tracker:{SCHEMA}"}


async def test_a_table_made_anew_is_read_from_its_start(engine: Engine) -> None:
    await engine.remember(user("u1", 0, "a"), user("u1", 1, "b"))
    await engine.fill()
    await engine.sql(f"drop table {SCHEMA}.events")
    await engine.fill()
    await engine.sql(TABLE.format(schema=SCHEMA))
    await engine.remember(user("u1", 2, "c"))
    await engine.fill()
    assert await engine.stored() == ["a", "b", "c"]


async def test_two_replicas_at_once(engine: Engine) -> None:
    await engine.remember(*(user(f"u{n % 7}", n, str(n)) for n in range(50)))
    await asyncio.gather(*(engine.fill() for _ in range(3)))
    while await engine.fill():
        pass
    assert await engine.counted() == 50
    assert await engine.studio.fetchval("select count(*) from events") == 50


async def test_beside_the_topic(engine: Engine) -> None:
    """Both ways at once, for the same conversations: each locks a conversation before it looks."""
    said = [user(f"u{n % 5}", n, str(n)) for n in range(200)]
    await engine.remember(*said)

    async def publish() -> None:
        for first in range(0, 200, 10):
            await engine.publish(*said[first : first + 10])

    async def fill() -> None:
        for step in range(0, 200, 20):
            await engine.fill(before=BEGAN + step)

    await asyncio.gather(publish(), fill())
    while await engine.fill():
        pass
    assert await engine.stored() == [event["text"] for event in said]
    assert await engine.counted() == 200


async def test_the_login_joins_the_role_of_the_engine(engine: Engine, postgres_server: postgres.Server) -> None:
    """As in production: the table belongs to the assistant's role, ingestion logs in as the one that made it."""
    database = engine.trackers.name
    for statement in (
        "drop role if exists trackers_login",
        f"create role trackers_login login createrole password '{postgres.PASSWORD}'",
        f'grant create, connect on database "{database}" to trackers_login',
    ):
        postgres_server.sql(statement)
    await engine.sql(f"drop schema {SCHEMA} cascade")
    login = engine.trackers.login(name=database, user="trackers_login", password_file=engine.trackers.password_file)
    maker = Engine(engine.studio, login)
    await maker.sql(f"create role {SCHEMA} login password '{postgres.PASSWORD}'")
    await maker.sql(f"create schema {SCHEMA}")
    await maker.sql(f"grant usage, create on schema {SCHEMA} to {SCHEMA}")
    rasa = Engine(engine.studio, login.login(name=database, user=SCHEMA, password_file=login.password_file))
    await rasa.sql(TABLE.format(schema=SCHEMA))
    await rasa.remember(user("u1", 0, "a"))
    try:
        await maker.fill()
        assert await engine.stored() == ["a"]
    finally:
        await engine.sql(f"drop schema {SCHEMA} cascade")
        await engine.sql(f'revoke all on database "{database}" from trackers_login')
        await engine.sql(f"drop owned by {SCHEMA}")
        await engine.sql(f"drop role {SCHEMA}")
        await engine.sql("drop role trackers_login")


async def fresh(engine: Engine) -> None:
    await engine.studio.execute("truncate events, conversations, event_sources, event_offsets, dead_letters cascade")
    await engine.sql(f"truncate {SCHEMA}.events restart identity")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    published=st.lists(st.booleans(), min_size=12, max_size=12),
    order=st.randoms(use_true_random=False),
    fills=st.lists(st.integers(0, 13), max_size=3),
)
async def test_every_order_ends_the_same(
    engine: Engine, published: Sequence[bool], order: random.Random, fills: Sequence[int]
) -> None:
    """Each event is remembered; some are published, late and out of order; back-fills run in between."""
    await fresh(engine)
    said = [slot(f"u{n % 2}", n // 4, f"s{n % 3}") for n in range(12)]
    await engine.remember(*said)
    coming = [event for event, sent in zip(said, published, strict=True) if sent]
    order.shuffle(coming)
    for turn, event in enumerate(coming):
        if turn in fills:
            await engine.fill()
        await engine.publish(event)
    await engine.fill()
    wanted = sorted((event["sender_id"], event["timestamp"], event["name"]) for event in said)
    rows = await engine.studio.fetch(
        "select sender_id, extract(epoch from at)::float as at, data ->> 'name' as name from events"
    )
    assert sorted((row["sender_id"], row["at"], row["name"]) for row in rows) == wanted
    assert await engine.counted() == 12
