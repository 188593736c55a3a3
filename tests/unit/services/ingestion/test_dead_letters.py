"""Replays and copies of dead letters."""

import asyncpg
import pytest
from tests.unit.services.ingestion.records import ASSISTANT, BEGAN, as_bytes, records, user

from studio.ingestion import dead_letters, positions
from studio.ingestion.batch import Partition
from studio.ingestion.dead_letters import Headers
from studio.ingestion.feed import FeedError
from studio.ingestion.positions import PartitionLog
from studio.ingestion.writer import Writer

PARTITION = Partition("events", 0)


class FakeSender:
    """Takes what is sent; can be away."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes | None, bytes | None, Headers]] = []
        self.away = False

    async def send(self, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        if self.away:
            raise FeedError("Kafka is away")
        self.sent.append((key, value, headers))


async def poison(connections: asyncpg.Pool, *found: object) -> None:
    async with connections.acquire() as conn:
        claim = await positions.claim(conn, PARTITION, PartitionLog(0, 100), "me")
    await Writer(connections, holder="me").store(PARTITION, claim, records(*found), log_end=None)


async def replay(connections: asyncpg.Pool) -> list[str]:
    results = []
    async with connections.acquire() as conn:
        while result := await dead_letters.replay_next(conn):
            results.append(result)
    return results


async def ask(connections: asyncpg.Pool, *, topic: str | None = None, reason: str | None = None) -> int:
    async with connections.acquire() as conn:
        return await dead_letters.request_replays(conn, topic=topic, reason=reason, who="me")


async def mend(connections: asyncpg.Pool, event: object) -> None:
    """As if a newer version could read what the older one refused."""
    await connections.execute("update dead_letters set value = $1", as_bytes(event))


async def test_nothing_is_replayed_unasked(connections: asyncpg.Pool) -> None:
    await poison(connections, b"no json")
    assert await replay(connections) == []


async def test_what_is_still_wrong_says_so(connections: asyncpg.Pool) -> None:
    await poison(connections, b"no json", {"event": "user"})
    assert await ask(connections, reason="not_json") == 1
    (result,) = await replay(connections)
    assert result.startswith("refused: not_json")
    assert await replay(connections) == []
    row = await connections.fetchrow("select * from dead_letters where reason = 'not_json'")
    assert row["replay_result"] == result
    assert row["replayed_at"] >= row["replay_requested_at"]


async def test_an_event_is_stored_once_however_often_it_is_replayed(connections: asyncpg.Pool) -> None:
    await poison(connections, b"no json", user("u1", 1))
    await mend(connections, user("u1", 0, "first"))
    assert await ask(connections) == 1
    assert await replay(connections) == ["stored"]
    assert await ask(connections) == 0  # nothing is left to ask for
    await connections.execute("update dead_letters set replay_requested_at = now() + interval '1 minute'")
    assert await replay(connections) == ["duplicate"]
    assert await replay(connections) == []
    assert await connections.fetchval("select events from conversations") == 2
    assert await connections.fetchval("select preview from conversations") == "hello"
    assert await connections.fetchval('select count(*) from events where "offset" = 0') == 1


async def test_a_deleted_conversation_is_not_replayed(connections: asyncpg.Pool) -> None:
    await poison(connections, b"no json")
    await mend(connections, user("u1", 0))
    await connections.execute(
        "insert into deleted_conversations (assistant_id, sender_id, deleted_by, deleted_at) "
        f"values ('{ASSISTANT}', 'u1', 'me', to_timestamp({BEGAN + 1}))"
    )
    await ask(connections, topic="events")
    assert await replay(connections) == ["deleted"]
    assert await connections.fetchval("select count(*) from conversations") == 0


async def test_each_is_copied_to_the_topic(connections: asyncpg.Pool) -> None:
    await poison(connections, b"no json", b"\xff", b"[]")
    sender = FakeSender()
    async with connections.acquire() as conn:
        sender.away = True
        with pytest.raises(FeedError):
            await dead_letters.publish(conn, sender)
        sender.away = False
        assert await dead_letters.publish(conn, sender) == 3
        assert await dead_letters.publish(conn, sender) == 0
    key, value, headers = sender.sent[1]
    assert (key, value) == (b"user", b"\xff")
    assert dict(headers)["studio-reason"] == b"not_utf8"
    assert dict(headers)["studio-offset"] == b"1"
