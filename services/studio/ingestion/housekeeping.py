"""What ingestion does beside the lanes: replays, copies of dead letters, hints for lag tools, the back-fill."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

import asyncpg
import structlog

from studio.db.retry import is_transient
from studio.ingestion import backfill, dead_letters
from studio.ingestion.batch import Partition
from studio.ingestion.feed import FeedError
from studio.ingestion.intake import Intake
from studio.ingestion.waits import Backoff
from studio.waiting import wait_at_most

log = structlog.get_logger(__name__)

REPLAY_SECONDS = 2.0
COMMIT_SECONDS = 5.0
TOPICS_SECONDS = 15.0
BACKFILL_SECONDS = 60.0
BACKFILL_REST_SECONDS = 2.0
# How long a back-fill waits for the lanes to store what Kafka had when it began.
CATCH_UP_SECONDS = 30.0

Duty = Callable[[], Awaitable[float]]


@dataclass
class Housekeeping:
    """The duties; each is a loop of its own that survives the absence of what it needs."""

    pool: asyncpg.Pool
    intake: Intake
    make_sender: Callable[[], AbstractAsyncContextManager[dead_letters.Sender]]
    topic: str
    holder: str
    connect_trackers: backfill.Connect | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _committed: dict[Partition, int] = field(default_factory=dict)
    _topic_ids: dict[str, str] = field(default_factory=dict)

    async def run(self) -> None:
        """Until `stopping` is set."""
        duties: list[Duty] = [self.replay, self.publish, self.commit, self.watch_topics]
        if self.connect_trackers is not None:
            duties.append(self.fill)
        async with asyncio.TaskGroup() as group:
            for duty in duties:
                group.create_task(self._repeat(duty), name=duty.__name__)

    async def _repeat(self, duty: Duty) -> None:
        backoff = Backoff()
        while not self.stopping.is_set():
            try:
                seconds = await duty()
                backoff.reset()
            except Exception as error:
                seconds = REPLAY_SECONDS + backoff.pause()
                if not isinstance(error, FeedError) and not is_transient(error):
                    log.exception("a duty failed, it is tried again", duty=duty.__name__)
                else:
                    log.warning("a duty waits", duty=duty.__name__, error=str(error) or repr(error))
            await wait_at_most(self.stopping, seconds)

    async def replay(self) -> float:
        """Replay what was asked for, one dead letter in a transaction."""
        async with self.pool.acquire() as conn:
            while not self.stopping.is_set() and await dead_letters.replay_next(conn):
                pass
        return REPLAY_SECONDS

    async def publish(self) -> float:
        """Copy new dead letters to their topic; without any, Kafka is not even connected to."""
        async with self.pool.acquire() as conn:
            if not await conn.fetchval("select exists (select from dead_letters where published_at is null)"):
                return REPLAY_SECONDS
        async with self.make_sender() as sender:
            while not self.stopping.is_set():
                async with self.pool.acquire() as conn:
                    if not await dead_letters.publish(conn, sender):
                        break
        return REPLAY_SECONDS

    async def commit(self) -> float:
        """Tell the group the positions that changed."""
        feed, positions = self.intake.feed, self.intake.positions()
        changed = {p: offset for p, offset in positions.items() if self._committed.get(p) != offset}
        if feed is not None and self.intake.joined and changed:
            try:
                await feed.commit(changed)
                self._committed = positions
            except FeedError as error:
                # A rebalance under way, mostly. Nothing depends on it.
                log.debug("offsets not committed", error=str(error))
        return COMMIT_SECONDS

    async def watch_topics(self) -> float:
        """Notice a topic that was deleted and made again while it is being read."""
        feed = self.intake.feed
        topics = {partition.topic for partition in self.intake.lanes}
        if feed is not None and topics:
            for topic, topic_id in (await feed.topic_ids(topics)).items():
                if self._topic_ids.setdefault(topic, topic_id) != topic_id:
                    log.warning("the topic was made anew", topic=topic)
                    self._topic_ids[topic] = topic_id
                    await self.intake.begin_again(topic)
        return TOPICS_SECONDS

    async def fill(self) -> float:
        """Back-fill, once everything that Kafka has now is stored: what is missing then was never published."""
        before = backfill.too_young()
        if self.connect_trackers is None or not await self._caught_up():
            return BACKFILL_REST_SECONDS
        began = time.monotonic()
        more = await backfill.run(self.pool, self.connect_trackers, holder=self.holder, before=before)
        # At most half of the time, so that the lanes and the back end keep the better part of the database.
        return max(time.monotonic() - began, BACKFILL_REST_SECONDS) if more else BACKFILL_SECONDS

    async def _caught_up(self) -> bool:
        feed = self.intake.feed
        if feed is None or not self.intake.joined:
            return False
        ends = await feed.ends(self.topic)
        deadline = time.monotonic() + CATCH_UP_SECONDS
        while ends and not self.stopping.is_set():
            async with self.pool.acquire() as conn:
                rows = await conn.fetch(
                    """
                    select partition, next_offset from event_offsets where source = (
                        select id from event_sources where topic = $1 order by incarnation desc limit 1
                    )
                    """,
                    self.topic,
                )
            stored = {row["partition"]: row["next_offset"] for row in rows}
            if all(stored.get(partition, 0) >= end for partition, end in ends.items()):
                return True
            if time.monotonic() > deadline:
                log.info("no back-fill: ingestion lags behind")
                return False
            await wait_at_most(self.stopping, 0.5)
        return False
