"""Batches in a real PostgreSQL: what is counted, what is fenced off, what does not come back."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from tests.support.ingesting import until
from tests.unit.services.ingestion.records import ASSISTANT, BEGAN, FakeRecord, action, bot, records, user

from studio.ingestion import positions, store
from studio.ingestion.batch import Batch, Move, Partition
from studio.ingestion.event import Reason
from studio.ingestion.positions import Claim, PartitionLog, Truncated
from studio.ingestion.store import Fenced
from studio.ingestion.writer import Writer

PARTITION = Partition("events", 0)
WHOLE = PartitionLog(0, 1000, "topic-1")


async def claimed(connections: asyncpg.Pool, has: PartitionLog = WHOLE, holder: str = "me", **more: Any) -> Claim:
    async with connections.acquire() as conn:
        return await positions.claim(conn, PARTITION, has, holder, **more)


async def ingest(connections: asyncpg.Pool, claim: Claim, found: Sequence[FakeRecord]) -> Claim:
    return await Writer(connections, holder="me").store(PARTITION, claim, found, log_end=None)


async def count(connections: asyncpg.Pool, table: str) -> int:
    number: int = await connections.fetchval(f"select count(*) from {table}")
    return number


async def delete(conn: asyncpg.Connection, sender: str, at: datetime) -> None:
    """As the back end deletes a conversation."""
    async with conn.transaction():
        await conn.execute("delete from conversations where assistant_id = $1 and sender_id = $2", ASSISTANT, sender)
        await conn.execute(
            "insert into deleted_conversations (assistant_id, sender_id, deleted_at, deleted_by) "
            "values ($1, $2, $3, 'me')",
            ASSISTANT, sender, at,
        )  # fmt: skip
        await conn.execute("delete from events where assistant_id = $1 and sender_id = $2", ASSISTANT, sender)


async def test_events_and_their_conversation(connections: asyncpg.Pool) -> None:
    claim = await claimed(connections)
    said = user("u1", 2, "later", parse_data={"intent": {"name": "bye", "confidence": 0.4}})
    claim = await ingest(connections, claim, records(action("u1", 0), user("u1", 1, "first"), bot("u1", 1.5), said))
    claim = await ingest(connections, claim, records(bot("u1", 3), action("u1", 4, "utter_bye"), first=4))
    assert claim.next_offset == 6
    row = await connections.fetchrow("select * from conversations")
    assert (row["assistant_id"], row["sender_id"], row["channel"], row["preview"]) == (ASSISTANT, "u1", "rest", "first")
    assert (row["user_messages"], row["bot_messages"], row["events"]) == (2, 2, 6)
    assert row["min_confidence"] == pytest.approx(0.4)
    assert row["started_at"] == datetime.fromtimestamp(BEGAN, UTC)
    assert row["last_event_at"] == datetime.fromtimestamp(BEGAN + 4, UTC)
    assert row["intents"] == ["bye", "greet"]
    assert row["actions"] == ["utter_bye", "utter_greet"]
    texts = await connections.fetch("select text from messages order by at, seq")
    assert [r["text"] for r in texts] == ["first", "hi there", "later", "hi there"]
    assert (
        await connections.fetchval(
            "select count(*) from messages where to_tsvector('simple', text) @@ websearch_to_tsquery('simple', 'later')"
        )
        == 1
    )
    assert await connections.fetchval("select next_offset from event_offsets") == 6


async def test_names_are_kept_as_they_are(connections: asyncpg.Pool) -> None:
    names = ["", " ", '"', "\\", "a,b", "größe", "null", "{}", "😀\n"]
    claim = await claimed(connections)
    events = [action("u1", number, name) for number, name in enumerate(names)]
    claim = await ingest(connections, claim, records(*events))
    await ingest(connections, claim, records(*events, first=len(events)))
    found = await connections.fetchval("select actions from conversations")
    # An action without a name is none.
    assert sorted(found) == sorted(names[1:])


async def test_only_the_last_owner_writes(connections: asyncpg.Pool) -> None:
    old = await claimed(connections, holder="old")
    new = await claimed(connections, holder="new")
    with pytest.raises(Fenced):
        await ingest(connections, old, records(user("u1", 0)))
    assert await count(connections, "events") == 0
    await ingest(connections, new, records(user("u1", 0)))
    with pytest.raises(Fenced):
        await ingest(connections, new, records(user("u1", 0)))  # the same batch again
    assert await count(connections, "events") == 1


async def test_dead_letters_do_not_hold_up_the_others(connections: asyncpg.Pool) -> None:
    claim = await claimed(connections)
    found = records(user("u1", 0), b"no json", user("u1", 1), {"event": "user"}, user("u1", 2))
    await ingest(connections, claim, found)
    assert await count(connections, "events") == 3
    letters = await connections.fetch("select * from dead_letters order by id")
    assert [(row["offset"], row["reason"]) for row in letters] == [(1, Reason.NOT_JSON), (3, Reason.MISSING_FIELD)]
    assert letters[0]["value"] == b"no json"
    assert letters[0]["topic"] == "events"


async def test_what_only_postgresql_refuses_is_found(connections: asyncpg.Pool) -> None:
    """A number beyond `numeric` is JSON for Python; it stands for whatever decoding does not know."""
    claim = await claimed(connections)
    odd = b'{"sender_id": "u1", "event": "slot", "timestamp": 1, "value": 1e200000}'
    good = [user("u1", number) for number in range(20)]
    claim = await ingest(connections, claim, records(*good[:13], odd, *good[13:]))
    assert claim.next_offset == 21
    assert await count(connections, "events") == 20
    row = await connections.fetchrow("select * from dead_letters")
    assert (row["offset"], row["reason"]) == (13, Reason.REFUSED_BY_DATABASE)
    assert await connections.fetchval("select events from conversations") == 20


async def test_assistants_of_others_are_noted(connections: asyncpg.Pool) -> None:
    await connections.execute(
        "insert into assistants (uid, name, namespace, studio) values ('1', 'concierge', 'default', 'studio')"
    )
    nameless = {"sender_id": "u1", "event": "restart", "timestamp": BEGAN}
    elsewhere = user("u1", 0, metadata={"assistant_id": "elsewhere"})
    await ingest(connections, await claimed(connections), records(user("u1", 0), nameless, elsewhere))
    rows = await connections.fetch("select assistant_id, topic from external_assistants order by 1")
    assert [tuple(row) for row in rows] == [("elsewhere", "events"), ("unknown:events", "events")]


async def test_deleted_conversations_stay_deleted(connections: asyncpg.Pool) -> None:
    claim = await ingest(connections, await claimed(connections), records(user("u1", 0), user("u2", 0)))
    async with connections.acquire() as conn:
        await delete(conn, "u1", datetime.fromtimestamp(BEGAN + 5, UTC))
    claim = await ingest(connections, claim, records(user("u1", 1), user("u2", 1), first=2))
    assert await connections.fetchval("select count(*) from conversations where sender_id = 'u1'") == 0
    assert await count(connections, "events") == 2
    await ingest(connections, claim, records(user("u1", 6, "I am back"), first=4))
    assert await connections.fetchval("select preview from conversations where sender_id = 'u1'") == "I am back"


async def test_a_deletion_beside_a_batch(connections: asyncpg.Pool) -> None:
    """Whichever comes first, nothing of the deleted conversation is left."""
    claim = await ingest(connections, await claimed(connections), records(user("u1", 0)))
    async with connections.acquire() as one, connections.acquire() as other:
        transaction = one.transaction()
        await transaction.start()
        move = Move(claim.origin, claim.epoch, claim.next_offset, 2, 2)
        batch = Batch()
        batch.read(claim.origin, "events", records(user("u1", 1), first=1))
        await store.write(one, batch, [move])
        deleting = asyncio.create_task(delete(other, "u1", datetime.fromtimestamp(BEGAN + 5, UTC)))
        await until(lambda: connections.fetchval("select count(*) from pg_locks where not granted"))
        await transaction.commit()
        await deleting
        assert await count(connections, "events") == 0
        assert await count(connections, "conversations") == 0

        claim = await ingest(connections, await claimed(connections), records(user("u3", 0), first=2))
        transaction = other.transaction()
        await transaction.start()
        await delete(other, "u3", datetime.fromtimestamp(BEGAN + 5, UTC))
        writing = asyncio.create_task(ingest(connections, claim, records(user("u3", 1), first=3)))
        await until(lambda: connections.fetchval("select count(*) from pg_locks where not granted"))
        await transaction.commit()
        await writing
        assert await count(connections, "events") == 0
        assert await count(connections, "conversations") == 0


async def test_a_gap_is_recorded(connections: asyncpg.Pool) -> None:
    await ingest(connections, await claimed(connections), records(user("u1", 0)))
    claim = await claimed(connections, PartitionLog(500, 1000, "topic-1"))
    assert claim.next_offset == 500
    row = await connections.fetchrow("select * from dead_letters")
    assert (row["offset"], row["reason"], row["value"]) == (1, Reason.GAP, None)
    assert "1 to 499" in row["detail"]
    assert (await claimed(connections, PartitionLog(500, 1000, "topic-1"))).next_offset == 500
    assert await count(connections, "dead_letters") == 1


async def test_a_topic_made_anew(connections: asyncpg.Pool) -> None:
    old = await ingest(connections, await claimed(connections), records(*(user("u1", n) for n in range(5))))
    new = await claimed(connections, PartitionLog(0, 3, "topic-2"))
    assert new.next_offset == 0
    await ingest(connections, new, records(*(user("u2", n) for n in range(3))))
    assert await count(connections, "events") == 8
    with pytest.raises(Fenced):
        await ingest(connections, old, records(user("u1", 9), first=5))


async def test_kafka_lost_its_newest_records(connections: asyncpg.Pool) -> None:
    await ingest(connections, await claimed(connections), records(*(user("u1", n) for n in range(5))))
    less = PartitionLog(0, 3, "topic-1")
    with pytest.raises(Truncated):
        await claimed(connections, less)
    claim = await claimed(connections, less, truncated=True)
    assert claim.next_offset == 3  # the records before it are stored
    await ingest(connections, claim, records(user("u2", 0), user("u2", 1), first=3))
    assert await count(connections, "events") == 7
    assert (await claimed(connections, PartitionLog(0, 5, "topic-1"))).next_offset == 5


async def test_batches_that_share_conversations(connections: asyncpg.Pool) -> None:
    """Events of one conversation in several partitions (the engine's default): no deadlock, all counted."""
    writer = Writer(connections, holder="me")

    async def one(number: int) -> None:
        partition = Partition("events", number)
        async with connections.acquire() as conn:
            claim = await positions.claim(conn, partition, WHOLE, "me")
        for turn in range(5):
            senders = [f"u{(n * (number + 1)) % 20}" for n in range(20)]
            found = records(*(user(sender, number) for sender in senders), first=turn * 20)
            claim = await writer.store(partition, claim, found, log_end=None)

    await asyncio.gather(*(one(number) for number in range(4)))
    assert await count(connections, "events") == 400
    assert await connections.fetchval("select sum(events) from conversations") == 400
