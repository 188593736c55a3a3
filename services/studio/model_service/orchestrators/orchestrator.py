"""What both orchestrator processes do at start and end: connect, keep background work going, serve."""

import functools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import asyncpg
from joserfc.jwk import KeySet

from studio.auth.keys import Issuer, IssuerSource, Keys, from_api_server
from studio.auth.verification import Verifier
from studio.db import pool as db
from studio.db.listening import Listener
from studio.http.background import Background, every
from studio.kube import Kube
from studio.model_service.items import Kind
from studio.model_service.orchestrators.http import Access
from studio.model_service.orchestrators.roles import Roles
from studio.settings import AuthSettings, DatabaseSettings, ProcessSettings

__all__ = ["Background", "Connections", "access", "connections", "every", "listening"]

POOL_SIZE = 5


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


def listening(stack: AsyncExitStack, made: Connections, *channels: str) -> Awaitable[Listener]:
    """A listener for as long as `stack` is open."""
    return stack.enter_async_context(made.listener(*channels))
