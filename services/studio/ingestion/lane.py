"""One partition from claim to revocation: claim it, read it in order, store what was read, again and again."""

import asyncio
import contextlib
import random
import time

import asyncpg
import structlog

from studio.ingestion import metrics
from studio.ingestion.batch import Partition
from studio.ingestion.feed import Feed, FeedError, NotAssigned, OutOfRange
from studio.ingestion.positions import Claim, Truncated
from studio.ingestion.store import Fenced
from studio.ingestion.waits import Backoff
from studio.ingestion.writer import Writer

log = structlog.get_logger(__name__)

BATCH_RECORDS = 8_000
READ_SECONDS = 1.0
# How sure it must be that Kafka lost records: a broker that just started may still be reading its log.
CERTAIN_SECONDS = 2.0
# A lane that did nothing for so long is stuck: every wait of it is shorter.
STALE_SECONDS = 120.0

DATABASE_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


class Lane:
    """A task of its own for one partition."""

    def __init__(self, partition: Partition, feed: Feed, writer: Writer) -> None:
        """Nothing happens before `start`."""
        self._partition = partition
        self._feed = feed
        self._writer = writer
        self._task: asyncio.Task[None] | None = None
        self._writing = False
        self._stopping = False
        self._turned = time.monotonic()
        self._backoff = Backoff()
        self.claim: Claim | None = None

    @property
    def alive(self) -> bool:
        """Whether the lane's loop turns."""
        return time.monotonic() - self._turned < STALE_SECONDS

    @property
    def lag(self) -> int | None:
        """Records that are not stored yet; None before the first look."""
        end = self._feed.log_end(self._partition)
        return None if self.claim is None or end is None else max(end - self.claim.next_offset, 0)

    def start(self) -> None:
        """Begin to work."""
        self._task = asyncio.create_task(self._run(), name=f"lane {self._partition}")

    async def ended(self) -> None:
        """Return when the lane has ended, by `stop` or because the partition went to another member."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def stop(self, patience: float) -> None:
        """End; a batch that is being stored has `patience` seconds to get done."""
        self._stopping = True
        if self._task is None:
            return
        if not self._writing:
            self._task.cancel()
        await asyncio.wait([self._task], timeout=patience)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        while not self._stopping:
            self._turned = time.monotonic()
            try:
                self.claim = await self._take_over()
                while not self._stopping:
                    await self._turn(self.claim)
            except NotAssigned:
                return
            except OutOfRange as error:
                log.warning("the place is not in the log, looking again", partition=self._partition, error=str(error))
            except Fenced as error:
                metrics.FENCED.inc()
                log.warning("fenced off", partition=self._partition, error=str(error))
                # If another process is the owner now, the group says so within a moment.
                await asyncio.sleep(random.uniform(0.5, 2.0))  # noqa: S311
            except DATABASE_ERRORS as error:
                await self._wait("database", error)
            except FeedError as error:
                await self._wait("kafka", error)
            except Exception:
                log.exception("the lane failed, beginning again", partition=self._partition)
                await asyncio.sleep(self._backoff.pause())

    async def _take_over(self) -> Claim:
        has = await self._feed.look(self._partition)
        try:
            claim = await self._writer.claim(self._partition, has)
        except Truncated:
            await asyncio.sleep(CERTAIN_SECONDS)
            claim = await self._writer.claim(self._partition, await self._feed.look(self._partition), truncated=True)
        self._feed.seek(self._partition, claim.next_offset)
        log.info("reading", partition=self._partition, offset=claim.next_offset, epoch=claim.epoch)
        return claim

    async def _turn(self, claim: Claim) -> None:
        records = await self._feed.read(self._partition, at_most=BATCH_RECORDS, seconds=READ_SECONDS)
        self._turned = time.monotonic()
        if records:
            self._writing = True
            try:
                self.claim = await self._writer.store(
                    self._partition, claim, records, log_end=self._feed.log_end(self._partition)
                )
            finally:
                self._writing = False
            self._backoff.reset()
        lag = self.lag
        if lag is not None:
            metrics.LAG.labels(*self._partition).set(lag)

    async def _wait(self, dependency: str, error: BaseException) -> None:
        metrics.RETRIES.labels(dependency).inc()
        log.warning("waiting", dependency=dependency, partition=self._partition, error=str(error) or repr(error))
        await asyncio.sleep(self._backoff.pause())
