"""`python -m studio migrate`: roles, databases, the schema, then topics; bounded, locked, repeatable.

The whole process holds a session lock on the server (database `postgres`), so two of them run one after the other;
a second lock in database `studio` guards the schema against whoever migrates without the administrator's login.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import asyncpg
import structlog
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_delay, wait_random_exponential

from studio.db import pool, provision
from studio.db.retry import is_transient
from studio.events.errors import EventBrokerUnavailable
from studio.events.topics import ensure_topics
from studio.settings import DatabaseSettings, MigrateSettings, read_secret

log = structlog.get_logger(__name__)

APPLICATION = "studio-migrate"
# A migration must not queue up behind a long transaction, with everybody else queueing behind the migration.
LOCK_TIMEOUT_MS = 10_000
STATEMENT_TIMEOUT = 300.0


async def migrate(settings: MigrateSettings) -> None:
    """Bring the server to what this version needs; raises what stayed wrong after `patience` seconds."""
    async for attempt in AsyncRetrying(
        retry=retry_if_exception(_worth_waiting),
        wait=wait_random_exponential(multiplier=0.5, max=5),
        stop=stop_after_delay(settings.patience),
        before_sleep=_report,
        reraise=True,
    ):
        with attempt:
            async with _administrator(settings) as conn:
                await _provision(conn, settings)
                await upgrade(settings.database)
            if settings.events:
                events = settings.events
                await ensure_topics(events.broker, events.topic, client_id=APPLICATION, writer=events.writer)


async def _provision(conn: asyncpg.Connection, settings: MigrateSettings) -> None:
    studio, trackers = settings.studio, settings.trackers
    await provision.ensure_role(conn, studio.role, read_secret(studio.password_file))
    await provision.ensure_role(conn, trackers.role, read_secret(trackers.password_file), createrole=True)
    await provision.ensure_database(conn, settings.database.name, owner=studio.role)
    await provision.ensure_database(conn, settings.trackers_database, owner=trackers.role)
    if keycloak := settings.keycloak:
        await provision.ensure_role(conn, keycloak.owner.role, read_secret(keycloak.owner.password_file))
        await provision.ensure_database(conn, keycloak.name, owner=keycloak.owner.role)


@asynccontextmanager
async def _administrator(settings: MigrateSettings) -> AsyncIterator[asyncpg.Connection]:
    """A connection that holds the lock of all migrations of this server; closing it gives the lock back."""
    conn = await pool.connect(settings.admin, application_name=APPLICATION, statement_timeout=STATEMENT_TIMEOUT)
    try:
        await conn.execute("set lock_timeout = 0")
        await conn.execute("select pg_advisory_lock($1)", provision.LOCK_KEY)
        await conn.execute(f"set lock_timeout = {LOCK_TIMEOUT_MS}")
        yield conn
    finally:
        conn.terminate()


async def upgrade(settings: DatabaseSettings, revision: str = "head") -> None:
    """Run the migrations up to `revision` as the owner of the database."""

    async def connection() -> asyncpg.Connection:
        return await pool.connect(settings, application_name=APPLICATION, statement_timeout=STATEMENT_TIMEOUT)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connection, poolclass=NullPool)
    try:
        async with engine.connect() as conn:
            await conn.execute(text("select pg_advisory_lock(:key)"), {"key": provision.LOCK_KEY})
            await conn.execute(text(f"set lock_timeout = {LOCK_TIMEOUT_MS}"))
            await conn.commit()
            await conn.run_sync(_upgrade, revision)
    finally:
        await engine.dispose()
    log.info("schema is up to date", database=settings.name, revision=revision)


def _upgrade(conn: Connection, revision: str) -> None:
    command.upgrade(configuration(conn), revision)


def configuration(conn: Connection) -> Config:
    """Alembic's configuration for the migrations of this package on an open connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "alembic"))
    config.attributes["connection"] = conn
    return config


def _worth_waiting(error: BaseException) -> bool:
    # While the volume is new the server may answer before the superuser's password is set.
    return is_transient(error) or isinstance(
        error, asyncpg.InvalidPasswordError | asyncpg.ObjectInUseError | EventBrokerUnavailable
    )


def _report(state: RetryCallState) -> None:
    error = cast("BaseException", state.outcome.exception()) if state.outcome else None
    log.warning(
        "the migration cannot be done yet, trying again",
        error=str(error), seconds=round(state.seconds_since_start or 0.0, 1),
    )  # fmt: skip


async def main() -> int:
    """Entry of `python -m studio migrate`; its exit code."""
    settings = MigrateSettings.from_env()
    try:
        await migrate(settings)
    except Exception as error:  # noqa: BLE001 (the last words of a Job: whatever it was, in one line)
        log.error("the migration failed", error=f"{type(error).__name__}: {error}")  # noqa: TRY400
        return 1
    return 0
