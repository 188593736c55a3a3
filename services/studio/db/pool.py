"""Connections to PostgreSQL: the password is read from its file for each one, every statement has a limit."""

import json
import ssl
from collections.abc import Callable, Coroutine
from typing import Any

import asyncpg

from studio.settings import DatabaseSettings, read_secret

CONNECT_TIMEOUT = 10.0
# The server gives up on a statement first; the client's limit is for a server that does not answer any more.
STATEMENT_TIMEOUT = 15.0
COMMAND_TIMEOUT = STATEMENT_TIMEOUT + 5
LOCK_TIMEOUT = 5.0
IDLE_IN_TRANSACTION_TIMEOUT = 30.0
# A node that is lost says no goodbye: without these the server keeps the locks of who was on it for hours.
SILENCE_TIMEOUT = 20.0
_PROBES = 3

Prepare = Callable[[asyncpg.Connection], Coroutine[Any, Any, None]]


async def json_as_objects(conn: asyncpg.Connection) -> None:
    """JSON columns are read and written as Python's objects."""
    for kind in ("json", "jsonb"):
        await conn.set_type_codec(kind, schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


async def json_as_text(_: asyncpg.Connection) -> None:
    """JSON columns are read and written as text: asyncpg's own way, and the only one that COPY knows."""


async def connect(
    settings: DatabaseSettings,
    *,
    application_name: str,
    statement_timeout: float = STATEMENT_TIMEOUT,
    prepare: Prepare = json_as_objects,
    login: tuple[str, str] | None = None,
) -> asyncpg.Connection:
    """One connection outside of any pool, for LISTEN or session locks; `statement_timeout` 0 means none.

    `login` is another user and password than those of the settings.
    """
    arguments = _arguments(settings, application_name, statement_timeout)
    if login is not None:
        arguments["user"], arguments["password"] = login
    conn = await asyncpg.connect(**arguments)
    await prepare(conn)
    return conn


async def open_pool(
    settings: DatabaseSettings,
    *,
    application_name: str,
    max_size: int,
    min_size: int = 1,
    prepare: Prepare = json_as_objects,
    stateless: bool = False,
) -> asyncpg.Pool:
    """A pool of at most `max_size` connections; it opens the first `min_size` at once.

    `stateless`: nobody leaves locks, settings or cursors of the session behind, so that a connection comes back without
    a question to the server. A transaction that was left open is rolled back all the same.
    """
    return await asyncpg.create_pool(
        **_arguments(settings, application_name, STATEMENT_TIMEOUT),
        min_size=min_size,
        max_size=max_size,
        max_inactive_connection_lifetime=300.0,
        init=prepare,
        reset=_leave_as_it_is if stateless else None,
    )


async def _leave_as_it_is(_: asyncpg.Connection) -> None:
    pass


def _arguments(settings: DatabaseSettings, application_name: str, statement_timeout: float) -> dict[str, Any]:
    return {
        "host": settings.host,
        "port": settings.port,
        "database": settings.name,
        "user": settings.user,
        "password": lambda: read_secret(settings.password_file),
        "ssl": _ssl(settings),
        "timeout": CONNECT_TIMEOUT,
        "command_timeout": (statement_timeout + 5) if statement_timeout else None,
        "server_settings": {
            "application_name": application_name,
            "statement_timeout": _milliseconds(statement_timeout),
            "lock_timeout": _milliseconds(LOCK_TIMEOUT),
            "idle_in_transaction_session_timeout": _milliseconds(IDLE_IN_TRANSACTION_TIMEOUT),
            "tcp_keepalives_idle": str(int(SILENCE_TIMEOUT) // 2),
            "tcp_keepalives_interval": str(int(SILENCE_TIMEOUT) // 2 // _PROBES),
            "tcp_keepalives_count": str(_PROBES),
            # Keepalives are silent while an answer waits for its acknowledgement.
            "tcp_user_timeout": _milliseconds(SILENCE_TIMEOUT),
            "timezone": "UTC",
            # Compiling a statement takes longer than any of ours runs.
            "jit": "off",
        },
    }


def _ssl(settings: DatabaseSettings) -> str | ssl.SSLContext:
    if settings.ssl_mode == "verify-full":
        return ssl.create_default_context(cafile=settings.ca_file)
    return settings.ssl_mode


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))
