"""What both orchestrator processes do at start and end: connect, keep background work going, serve."""

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Self

import asyncpg
import structlog
from joserfc.jwk import KeySet

from studio.auth.keys import Issuer, IssuerSource, Keys, from_api_server
from studio.auth.roles import Roles
from studio.auth.verification import Verifier
from studio.db import pool as db
from studio.db.listening import Listener
from studio.kube import Kube
from studio.model_service.items import Kind
from studio.model_service.orchestrators.http import Access
from studio.settings import AuthSettings, DatabaseSettings, ProcessSettings

log = structlog.get_logger(__name__)

POOL_SIZE = 5
GRACE_SECONDS = 3.0


@dataclass(frozen=True)
class Connections:
    """The database as a process uses it: a pool for transactions, `connect` for sessions of their own."""

    pool: asyncpg.Pool
    connect: Callable[[], Awaitable[asyncpg.Connection]]

    def listener(self, *channels: str) -> Listener:
        """A listener on its own connection."""
        return Listener(self.connect, channels)


@asynccontextmanager
async def connections(settings: DatabaseSettings, *, application_name: str) -> AsyncIterator[Connections]:
    """Open, without waiting for the server: readiness tells when it is there."""
    pool = await db.open_pool(settings, application_name=application_name, max_size=POOL_SIZE, min_size=0)
    try:
        yield Connections(pool, functools.partial(db.connect, settings, application_name=application_name))
    finally:
        pool.terminate()


def access(kind: Kind, process: ProcessSettings, settings: AuthSettings, kube: Kube | None) -> Access:
    """Who may do what, with the keys of the API server or of a file."""
    roles = Roles.of(kind, studio=process.studio, namespace=process.namespace, operator=settings.operator)
    return Access(Verifier(Keys(_issuer_source(settings, kube))), roles)


def _issuer_source(settings: AuthSettings, kube: Kube | None) -> IssuerSource:
    if kube is not None:
        return from_api_server(kube.raw_get)

    async def from_file() -> Issuer:
        if settings.jwks_file is None or settings.issuer is None:
            raise ValueError("without an API server AUTH_JWKS_FILE and AUTH_ISSUER must be set")
        return Issuer(settings.issuer, KeySet.import_key_set(json.loads(settings.jwks_file.read_text())))

    return from_file


class Background:
    """Tasks that run as long as the process: one that fails is begun again after a pause."""

    def __init__(self, *, pause: float = 5.0) -> None:
        self._pause = pause
        self._tasks: list[asyncio.Task[None]] = []

    def run(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Begin `work` and begin it again whenever it ends."""
        self._tasks.append(asyncio.create_task(self._keep(name, work), name=name))

    async def _keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except Exception:
                log.exception("a background task failed, it begins again", task=name)
            await asyncio.sleep(self._pause)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        # A statement that is under way is taken back at the server, and that may be gone for good.
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=GRACE_SECONDS)


def every(seconds: float, work: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    """A background task that does `work` every so many seconds."""

    async def repeat() -> None:
        while True:
            await work()
            await asyncio.sleep(seconds)

    return repeat


def listening(stack: AsyncExitStack, made: Connections, *channels: str) -> Awaitable[Listener]:
    """A listener for as long as `stack` is open."""
    return stack.enter_async_context(made.listener(*channels))
