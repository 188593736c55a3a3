"""The work queue: turns keys into passes, each key by one worker at a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from studio.kube import Conflict, KubeError
from studio_operator.ports import ModelServiceError
from studio_operator.runtime import metrics
from studio_operator.runtime.gate import NotLeader
from studio_operator.runtime.keys import Key
from studio_operator.runtime.schedule import Schedule

log = structlog.get_logger(__name__)

Reconcile = Callable[[Key], Awaitable[float | None]]
WORKERS = 8
PASS_SECONDS = 240.0


class WorkQueue:
    """Calls `reconcile(key)` for every key added, until cancelled.

    A pass returns in how many seconds it wants to run again, or None. One that raises, or takes longer than four
    minutes, is repeated with a back-off. `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        reconcile: Reconcile,
        *,
        workers: int = WORKERS,
        schedule: Schedule | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reconcile = reconcile
        self._workers = workers
        self._schedule = schedule or Schedule()
        self._clock = clock
        self._news = asyncio.Event()
        self.last_completed: float | None = None

    def add(self, key: Key, delay: float = 0.0) -> None:
        """Ask for a pass, in `delay` seconds or a moment later; many requests make one pass."""
        metrics.ADDS.labels(key.kind).inc()
        self._schedule.add(key, self._clock(), delay)
        self._announce()

    async def run(self) -> None:
        """Work until cancelled; a cancelled pass is no harm, the next process starts over."""
        metrics.follow_queue(lambda: len(self._schedule), self.oldest_running)
        async with asyncio.TaskGroup() as group:
            for number in range(self._workers):
                group.create_task(self._work(), name=f"worker {number}")

    def oldest_running(self) -> float:
        """Seconds since the oldest running pass began; 0 when none runs."""
        running = self._schedule.running
        return self._clock() - min(running.values()) if running else 0.0

    def __len__(self) -> int:
        return len(self._schedule)

    async def _work(self) -> None:
        while True:
            await self._pass(await self._next())

    async def _next(self) -> Key:
        while True:
            if (key := self._schedule.take(self._clock())) is not None:
                return key
            due = self._schedule.next_due()
            try:
                async with asyncio.timeout(None if due is None else max(0.0, due - self._clock())):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _pass(self, key: Key) -> None:
        if self._schedule.failures(key):
            metrics.RETRIES.labels(key.kind).inc()
        with structlog.contextvars.bound_contextvars(kind=key.kind, namespace=key.namespace, name=key.name):
            try:
                with metrics.RECONCILE_SECONDS.labels(key.kind).time():
                    async with asyncio.timeout(PASS_SECONDS):
                        again = await self._reconcile(key)
            except Exception as error:  # noqa: BLE001 whatever it is, the key must get its next turn
                metrics.RECONCILES.labels(key.kind, "error").inc()
                delay = self._schedule.failed(key, self._clock())
                _tell(error, delay, self._schedule.failures(key))
            else:
                metrics.RECONCILES.labels(key.kind, "success" if again is None else "requeue_after").inc()
                self._schedule.done(key, self._clock(), again)
        self.last_completed = self._clock()
        self._announce()

    def _announce(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def _tell(error: Exception, delay: float, failures: int) -> None:
    """Expected errors in one line, conflicts quietly, bugs with their traceback."""
    retry = {"retry_in": round(delay, 1), "failures": failures}
    if isinstance(error, Conflict) and failures == 1:
        log.debug("pass met a conflict", error=str(error), **retry)
    elif isinstance(error, KubeError | ModelServiceError | NotLeader | TimeoutError | OSError):
        log.warning("pass failed", error=str(error) or repr(error), **retry)
    else:
        log.error("pass failed", exc_info=error, **retry)
