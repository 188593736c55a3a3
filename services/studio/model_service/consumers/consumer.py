"""The loop of a consumer: one item at a time, of one kind, from claim to end. Two strategies say what attending means.

At rest it waits for a notification, or for the next look at what others may have left behind; it never polls busily.
"""

import asyncio
import contextlib
import math
import os
import random
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import asyncpg
import structlog
from aiohttp import web
from prometheus_client import Counter, Gauge, generate_latest

from studio.db.listening import Listener
from studio.db.pool import connect, open_pool
from studio.kube import Kube
from studio.model_service.consumers.attendant import Attendant
from studio.model_service.consumers.running_strategy import RunAttendant
from studio.model_service.consumers.tenure import Tenure
from studio.model_service.consumers.training_strategy import TrainingAttendant
from studio.model_service.items import Kind, LeaseLost
from studio.model_service.jobs.parts import Site
from studio.model_service.leasing import Queue
from studio.model_service.orchestrator_client import OrchestratorClient
from studio.model_service.presence import TELL_SECONDS
from studio.model_service.queue import ITEM_CHANNEL
from studio.settings import DatabaseSettings, ProcessSettings, required
from studio.waiting import wait_at_most

log = structlog.get_logger(__name__)

ITEMS = Counter("studio_consumer_items_total", "Items that a consumer let go of.", ["kind", "outcome"])
BUSY = Gauge("studio_consumer_busy", "1 while the consumer holds an item.", ["kind"])
# Expired leases send no notification: an idle consumer looks so often whether somebody died.
IDLE_SECONDS = 10.0
_ERROR_PAUSE = 5.0
# The loop turns at least every IDLE_SECONDS or is attending; a blocked event loop does not answer at all.
_STALE_SECONDS = 120.0
_ARCHIVE_PATIENCE = 30.0
# How often the end of an item is taken for a look at what other items have left untidied.
_TIDY_SECONDS = 60.0
_LISTEN_SECONDS = 60.0

Attend = Callable[[Tenure], Attendant]


@dataclass(frozen=True)
class ConsumerSettings:
    """Environment of `training-consumer` and `running-consumer`."""

    process: ProcessSettings
    database: DatabaseSettings
    orchestrator_url: str
    token_file: Path
    site: Site

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:
        """The DATABASE_* and process ones, ORCHESTRATOR_URL, _TOKEN_FILE, HELPER_IMAGE, _PULL_POLICY, _PULL_SECRETS."""
        process = ProcessSettings.from_env(env)
        url = required(env, "ORCHESTRATOR_URL")
        secrets = tuple(filter(None, (name.strip() for name in env.get("HELPER_IMAGE_PULL_SECRETS", "").split(","))))
        return cls(
            process=process,
            database=DatabaseSettings.from_env(env),
            orchestrator_url=url,
            token_file=Path(required(env, "ORCHESTRATOR_TOKEN_FILE")),
            site=Site(
                studio=process.studio,
                version=process.version,
                orchestrator_url=url,
                helper_image=required(env, "HELPER_IMAGE"),
                helper_pull_policy=env.get("HELPER_IMAGE_PULL_POLICY") or "IfNotPresent",
                helper_pull_secrets=secrets,
                log_level=env.get("LOG_LEVEL") or "INFO",
            ),
        )


class Consumer:
    """One slot. `run` returns after `stop`; the item it held is released, its Job left to whoever adopts it."""

    def __init__(
        self, kind: Kind, queue: Queue, holder: str, attend: Attend, *, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        """`holder` names this process in leases; `attend` makes the attendant of a claimed item."""
        self._kind = kind
        self._queue = queue
        self._holder = holder
        self._attend = attend
        self._idle_seconds = idle_seconds
        self._tenure: Tenure | None = None
        self._work: asyncio.Task[None] | None = None
        self._notified = asyncio.Event()
        self._stopping = False
        self._turned = time.monotonic()
        self._told = -TELL_SECONDS

    @property
    def alive(self) -> bool:
        """Whether the loop turns."""
        return self._tenure is not None or time.monotonic() - self._turned < _STALE_SECONDS

    def stop(self) -> None:
        """End soon and in good order."""
        self._stopping = True
        self._notified.set()
        if self._work is not None:
            self._work.cancel()

    async def run(self) -> None:
        """Claim and attend until `stop`."""
        async with self._queue.listen() as listener:
            hearing = asyncio.create_task(self._hear(listener), name="notifications")
            try:
                while not self._stopping:
                    await self._turn()
            finally:
                hearing.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await hearing
                await self._say_farewell()

    async def _turn(self) -> None:
        self._turned = time.monotonic()
        self._notified.clear()
        try:
            lease = await self._queue.claim(self._kind, self._holder)
            if lease is None:
                await self._say_present()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            log.warning("no claim: the database does not answer", error=str(error))
            await self._rest(_ERROR_PAUSE)
            return
        if lease is None:
            await self._rest(self._idle_seconds)
            return
        log.info("claimed", item=lease.item.id, attempt=lease.item.attempt, fence=lease.fence)
        async with Tenure(self._queue, lease) as tenure:
            self._tenure = tenure
            BUSY.labels(self._kind).set(1)
            try:
                outcome = await self._attend_to(tenure)
            finally:
                self._tenure = None
                BUSY.labels(self._kind).set(0)
        ITEMS.labels(self._kind, outcome).inc()
        log.info("let go", item=lease.item.id, outcome=outcome, state=tenure.item.state, reason=tenure.item.reason)
        if outcome == "error":
            await self._rest(_ERROR_PAUSE)

    async def _say_present(self) -> None:
        """At most so often that a consumer at rest hardly writes."""
        now = time.monotonic()
        if now - self._told >= TELL_SECONDS:
            await self._queue.present(self._kind, self._holder)
            self._told = now

    async def _say_farewell(self) -> None:
        try:
            await self._queue.absent(self._holder)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            log.warning("no farewell: the database does not answer", error=str(error))

    async def _attend_to(self, tenure: Tenure) -> str:
        self._work = asyncio.create_task(self._attend(tenure).attend(), name="attend")
        if self._stopping:
            self._work.cancel()
        try:
            await self._work
        except LeaseLost as error:
            log.warning("lease lost, item abandoned", item=tenure.item.id, error=str(error))
            return "lost"
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            await self._release(tenure)
            return "released"
        except Exception:
            # Somebody else, or this process a little later, takes it up from what the cluster shows.
            log.exception("attending failed", item=tenure.item.id)
            await self._release(tenure)
            return "error"
        finally:
            self._work = None
        return "done"

    async def _release(self, tenure: Tenure) -> None:
        try:
            await self._queue.release(tenure.lease)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            log.warning("not released, the lease will expire", item=tenure.item.id, error=str(error))

    async def _hear(self, listener: Listener) -> None:
        while True:
            for note in await listener.wait(_LISTEN_SECONDS):
                tenure = self._tenure
                if tenure is not None and (note.channel, note.payload) in ((ITEM_CHANNEL, tenure.item.id), ("", "")):
                    tenure.poke()
                if note.channel != ITEM_CHANNEL and note.payload in (self._kind, ""):
                    self._notified.set()

    async def _rest(self, seconds: float) -> None:
        await wait_at_most(self._notified, seconds * random.uniform(0.8, 1.2))  # noqa: S311


class AtMostEvery:
    """Answers yes to the first call, and then so rarely: at most once in so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._answered = -math.inf

    def __call__(self) -> bool:
        """Whether it is time."""
        now = time.monotonic()
        if now - self._answered < self._seconds:
            return False
        self._answered = now
        return True


def application(consumer: Consumer, queue: Queue) -> web.Application:
    """GET /healthz (the loop turns), /readyz (the database answers), /metrics."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(status=200 if consumer.alive else 503)

    async def readyz(_: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(2):
                await queue.ping()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            return web.Response(status=503, text=f"the database does not answer: {error}\n")
        return web.Response(text="ok\n")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), content_type="text/plain")

    served = web.Application()
    served.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    return served


async def main(kind: Kind) -> int:
    """Run a consumer of `kind` until SIGTERM; gives the exit code. Raises SettingsError."""
    settings = ConsumerSettings.from_env()
    process = settings.process
    name = f"{kind}-consumer"
    async with contextlib.AsyncExitStack() as stack:
        # One connection for transactions, one for LISTEN: the budget of a consumer.
        pool = await open_pool(settings.database, application_name=name, max_size=1, stateless=True)
        stack.push_async_callback(pool.close)
        queue = Queue(pool, connect=lambda: connect(settings.database, application_name=name))
        kube = await Kube.connect(user_agent=f"studio-{name}/{process.version}")
        stack.push_async_callback(kube.close)
        orchestrator = await stack.enter_async_context(
            OrchestratorClient(settings.orchestrator_url, settings.token_file, patience=_ARCHIVE_PATIENCE)
        )

        shared = {
            "kube": kube,
            "orchestrator": orchestrator,
            "site": settings.site,
            "tidies": AtMostEvery(_TIDY_SECONDS),
        }

        def attend(tenure: Tenure) -> Attendant:
            if kind == "training":
                return TrainingAttendant(tenure=tenure, queue=queue, namespace=process.namespace, **shared)
            return RunAttendant(tenure=tenure, namespace=process.namespace, **shared)

        consumer = Consumer(kind, queue, process.pod, attend)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, consumer.stop)
        runner = web.AppRunner(application(consumer, queue), access_log=None)
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        await web.TCPSite(runner, port=process.port).start()
        await consumer.run()
    return 0
