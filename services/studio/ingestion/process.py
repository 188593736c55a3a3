"""Entry point of `python -m studio ingestion`."""

import asyncio
import contextlib
import gc
import hashlib
import signal
import time
from collections.abc import Callable
from functools import partial

import structlog
from aiohttp import web

from studio.db.pool import connect, json_as_text, open_pool
from studio.ingestion.backfill import Connect
from studio.ingestion.feed import FeedError, KafkaFeed
from studio.ingestion.housekeeping import Housekeeping
from studio.ingestion.intake import Intake
from studio.ingestion.lane import Lane
from studio.ingestion.probes import application
from studio.ingestion.sender import TopicSender
from studio.ingestion.waits import Backoff
from studio.ingestion.writer import CONNECTIONS, Writer
from studio.settings import DatabaseSettings, EventBrokerSettings, IngestionSettings
from studio.waiting import wait_at_most

log = structlog.get_logger(__name__)

APPLICATION = "ingestion"
LOGIN_SECONDS = 10.0
STALE_SECONDS = 120.0
HOUSEKEEPING_SECONDS = 20.0
GARBAGE_THRESHOLD = 100_000


class Membership:
    """Keeps this process in the consumer group: joins, and joins again with new files when the login changed."""

    def __init__(self, intake: Intake, settings: IngestionSettings) -> None:
        """Nothing happens before `run`."""
        self._intake = intake
        self._settings = settings
        self._turned = time.monotonic()
        self.stopping = asyncio.Event()

    @property
    def alive(self) -> bool:
        """Whether the loop turns."""
        return time.monotonic() - self._turned < STALE_SECONDS

    async def run(self) -> None:
        """Until `stopping` is set; then the batches under way are finished and the group is left."""
        backoff = Backoff()
        while not self.stopping.is_set():
            self._turned = time.monotonic()
            try:
                await self._be_member(backoff)
            except FeedError as error:
                log.warning("Kafka does not answer", error=str(error))
                await wait_at_most(self.stopping, backoff.pause())

    async def _be_member(self, backoff: Backoff) -> None:
        settings, process = self._settings, self._settings.process
        login = fingerprint(settings.broker)
        group = f"{process.namespace}.{process.studio}-ingestion"
        feed = KafkaFeed(settings.broker, group=group, client_id=process.pod)
        self._intake.feed = feed
        topics = (settings.topic.name, *settings.more_topics)
        await feed.start(topics, assigned=self._intake.assigned, revoked=self._intake.revoked)
        backoff.reset()
        try:
            while not self.stopping.is_set() and fingerprint(settings.broker) == login:
                self._turned = time.monotonic()
                await wait_at_most(self.stopping, LOGIN_SECONDS)
        finally:
            with contextlib.suppress(FeedError):
                await feed.commit(await self._intake.end())
            await feed.stop()
            self._intake.feed = None


def fingerprint(broker: EventBrokerSettings) -> str:
    """A digest of the files of a login."""
    digest = hashlib.sha256()
    for name in ("username", "password", "ca.crt", "tls.crt", "tls.key"):
        file = broker.folder / name
        digest.update(file.read_bytes() if file.exists() else b"")
        digest.update(b"\0")
    return digest.hexdigest()


async def main() -> int:
    """Serve until SIGTERM; gives the exit code. Raises SettingsError."""
    settings = IngestionSettings.from_env()
    process = settings.process
    # A batch is many objects without cycles: to search them again and again would take a tenth of the time.
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
    async with contextlib.AsyncExitStack() as stack:
        pool = await open_pool(
            settings.database, application_name=APPLICATION, min_size=0, max_size=CONNECTIONS + 1, prepare=json_as_text
        )
        stack.callback(pool.terminate)
        writer = Writer(pool, holder=process.pod)
        intake = Intake(lambda partition, feed: Lane(partition, feed, writer))
        membership = Membership(intake, settings)
        housekeeping = Housekeeping(
            pool=pool,
            intake=intake,
            make_sender=lambda: TopicSender(settings.broker, settings.topic.dead_letters, client_id=process.pod),
            topic=settings.topic.name,
            holder=process.pod,
            connect_trackers=_connect(settings.trackers),
            stopping=membership.stopping,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, membership.stopping.set)
        runner = web.AppRunner(application(_problem(membership, intake), lambda: intake.joined, pool), access_log=None)
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        await web.TCPSite(runner, port=process.port).start()
        log.info(
            "ingesting", topics=(settings.topic.name, *settings.more_topics), backfill=settings.trackers is not None
        )
        async with asyncio.TaskGroup() as group:
            duties = group.create_task(housekeeping.run())
            await membership.run()
            await asyncio.wait([duties], timeout=HOUSEKEEPING_SECONDS)
            duties.cancel()
    return 0


def _connect(trackers: DatabaseSettings | None) -> Connect | None:
    return None if trackers is None else partial(connect, trackers, application_name=APPLICATION)


def _problem(membership: Membership, intake: Intake) -> Callable[[], str | None]:
    def problem() -> str | None:
        if not membership.alive:
            return "the membership in the consumer group is stuck"
        return None if intake.alive else "a partition is stuck"

    return problem
