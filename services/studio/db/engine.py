"""SQLAlchemy on the connections of `studio.db.pool`, for those who query with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from studio.db import pool
from studio.db.retry import is_transient
from studio.settings import DatabaseSettings

POOL_SIZE = 5
POOL_TIMEOUT = 10.0
RECYCLE_SECONDS = 1800


def create_engine(settings: DatabaseSettings, *, application_name: str, size: int = POOL_SIZE) -> AsyncEngine:
    """An engine with at most `size` connections; it opens none yet. A connection that was lost is replaced unseen."""

    async def connection() -> asyncpg.Connection:
        return await pool.connect(settings, application_name=application_name)

    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connection,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT,
        pool_recycle=RECYCLE_SECONDS,
        pool_pre_ping=True,
    )


@asynccontextmanager
async def open_engine(
    settings: DatabaseSettings, *, application_name: str, size: int = POOL_SIZE
) -> AsyncIterator[AsyncEngine]:
    """An engine, and the end of its connections."""
    engine = create_engine(settings, application_name=application_name, size=size)
    try:
        yield engine
    finally:
        await engine.dispose()


class EnginePool:
    """The connections of an engine, as the health of a process asks about them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._pool = engine.pool

    def get_size(self) -> int:
        """Connections that are open."""
        return self._queue.checkedin() + self._queue.checkedout()

    def get_max_size(self) -> int:
        """Connections that may be open."""
        return self._queue.size()

    def get_idle_size(self) -> int:
        """Open connections that nobody uses now."""
        return self._queue.checkedin()

    @property
    def _queue(self) -> AsyncAdaptedQueuePool:
        if not isinstance(self._pool, AsyncAdaptedQueuePool):
            raise TypeError("only a queue of connections has a size")
        return self._pool


def passes_by_itself(error: BaseException) -> bool:
    """Whether the same transaction may succeed a moment later; SQLAlchemy's errors are asked for their cause."""
    if isinstance(error, PoolTimeoutError):
        return True
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _caused_by_transient(error.orig)
    return is_transient(error)


def _caused_by_transient(error: BaseException | None) -> bool:
    return error is not None and (is_transient(error) or _caused_by_transient(error.__cause__))
