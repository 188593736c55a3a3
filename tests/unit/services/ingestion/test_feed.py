"""The lanes and the housekeeping over a feed that misbehaves, without a Kafka."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Mapping

import asyncpg
import pytest
from tests.support.ingesting import until
from tests.support.patience import STUCK_SECONDS
from tests.unit.services.ingestion.records import records, user

from studio.ingestion import dead_letters
from studio.ingestion.batch import Partition, Record
from studio.ingestion.feed import FeedError, NotAssigned, OutOfRange
from studio.ingestion.housekeeping import Housekeeping
from studio.ingestion.intake import Intake
from studio.ingestion.lane import Lane
from studio.ingestion.positions import PartitionLog
from studio.ingestion.writer import Writer

PARTITION = Partition("events", 0)


class FakeFeed:
    """A log in memory; `troubles` are raised by the next reads."""

    def __init__(self) -> None:
        self.log: list[Record] = []
        self.begin = 0
        self.position = 0
        self.troubles: deque[Exception] = deque()
        self.topic_id = "topic-1"
        self.committed: dict[Partition, int] = {}
        self.looks: deque[PartitionLog] = deque()
        self.mine = True

    def extend(self, *events: object) -> None:
        self.log += records(*events, first=len(self.log))

    async def look(self, partition: Partition) -> PartitionLog:
        del partition
        return self.looks.popleft() if self.looks else PartitionLog(self.begin, len(self.log), self.topic_id)

    def seek(self, partition: Partition, offset: int) -> None:
        if not self.mine:
            raise NotAssigned(str(partition))
        self.position = offset

    async def read(self, partition: Partition, *, at_most: int, seconds: float) -> list[Record]:
        del partition, seconds
        await asyncio.sleep(0.01)
        if self.troubles:
            raise self.troubles.popleft()
        found = self.log[self.position : self.position + at_most]
        self.position += len(found)
        return found

    def log_end(self, partition: Partition) -> int | None:
        del partition
        return len(self.log)

    async def topic_ids(self, topics: Collection[str]) -> dict[str, str]:
        return dict.fromkeys(topics, self.topic_id)

    async def ends(self, topic: str) -> dict[int, int]:
        del topic
        return {0: len(self.log)}

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        self.committed.update(offsets)


@pytest.fixture
def feed() -> FakeFeed:
    return FakeFeed()


@pytest.fixture
async def intake(feed: FakeFeed, connections: asyncpg.Pool) -> AsyncIterator[Intake]:
    writer = Writer(connections, holder="me")
    intake = Intake(lambda partition, source: Lane(partition, source, writer))
    intake.feed = feed
    yield intake
    await intake.end()


async def stored(connections: asyncpg.Pool, count: int) -> None:
    await until(lambda: connections.fetchval("select count(*) = $1 from events", count))


async def test_whatever_fails_it_goes_on_at_the_stored_position(
    feed: FakeFeed, intake: Intake, connections: asyncpg.Pool
) -> None:
    feed.extend(*(user("u", number) for number in range(3)))
    feed.troubles += [FeedError("away"), OutOfRange("gone"), RuntimeError("a bug"), TimeoutError()]
    await intake.assigned({PARTITION})
    await stored(connections, 3)
    feed.troubles += [FeedError("away")]
    feed.extend(user("u", 3))
    await stored(connections, 4)
    assert intake.positions() == {PARTITION: 4}
    assert intake.alive


async def test_a_lane_that_lost_the_fence_claims_again(
    feed: FakeFeed, intake: Intake, connections: asyncpg.Pool
) -> None:
    feed.extend(user("u", 0))
    await intake.assigned({PARTITION})
    await stored(connections, 1)
    await connections.execute("update event_offsets set epoch = epoch + 1, holder = 'another'")
    feed.extend(user("u", 1))
    await stored(connections, 2)
    assert await connections.fetchval("select holder from event_offsets") == "me"


async def test_a_partition_of_another_member_is_left_alone(
    feed: FakeFeed, intake: Intake, connections: asyncpg.Pool
) -> None:
    feed.mine = False
    feed.extend(user("u", 0))
    await intake.assigned({PARTITION})
    await asyncio.wait_for(intake.lanes[PARTITION].ended(), STUCK_SECONDS)
    assert await connections.fetchval("select count(*) from events") == 0


async def test_a_log_that_is_still_being_loaded_is_not_taken_for_truncated(
    feed: FakeFeed, intake: Intake, connections: asyncpg.Pool
) -> None:
    feed.extend(*(user("u", number) for number in range(3)))
    await intake.assigned({PARTITION})
    await stored(connections, 3)
    feed.looks.append(PartitionLog(0, 1, "topic-1"))
    await intake.begin_again("events")
    feed.extend(user("u", 3))
    await stored(connections, 4)
    assert await connections.fetchval("select max(incarnation) from event_sources") == 1


class NoSender:
    """A dead-letter topic that cannot be reached."""

    async def __aenter__(self) -> dead_letters.Sender:
        raise FeedError("Kafka is away")

    async def __aexit__(self, *_: object) -> None: ...


async def test_housekeeping(feed: FakeFeed, intake: Intake, connections: asyncpg.Pool) -> None:
    keeping = Housekeeping(connections, intake, NoSender, topic="events", holder="me")
    running = asyncio.create_task(keeping.run())
    feed.extend(b"no json", user("u", 0))
    await intake.assigned({PARTITION})
    await stored(connections, 1)
    await connections.execute(
        "update dead_letters set value = $1, replay_requested_at = now()", records(user("u", 1))[0].value
    )
    await stored(connections, 2)  # although the dead-letter topic is away
    assert await connections.fetchval("select replay_result from dead_letters") == "stored"
    await until(lambda: asyncio.sleep(0, feed.committed))
    assert feed.committed == {PARTITION: 2}
    keeping.stopping.set()
    await running


async def test_a_topic_made_anew_is_noticed(feed: FakeFeed, intake: Intake, connections: asyncpg.Pool) -> None:
    keeping = Housekeeping(connections, intake, NoSender, topic="events", holder="me")
    feed.extend(*(user("u", number) for number in range(3)))
    await intake.assigned({PARTITION})
    await stored(connections, 3)
    await keeping.watch_topics()
    feed.topic_id, feed.log = "topic-2", []
    feed.extend(*(user("u", number) for number in range(3, 8)))
    await keeping.watch_topics()
    await stored(connections, 8)
