"""The line of trainings as the database knows it at one moment."""

import asyncio
import time
from collections.abc import Collection, Mapping
from decimal import Decimal

import asyncpg

from studio.model_service import claiming, presence
from studio.model_service.orchestrators.training.estimates import Durations, Line, Outlook, Running, outlooks

_RUNNING = """
select uid, extract(epoch from now() - coalesce(started_at, now()))::float8 as elapsed from items
where kind = 'training' and state = 'Running'"""

# The middle of what the newest models took: of each assistant, and (uid is null) of all of them.
_DURATIONS = """
with recent as (
    select uid, seconds, row_number() over (partition by uid order by version desc) as age
    from models where seconds is not null)
select uid, percentile_cont(0.5) within group (order by seconds) as seconds
from recent where age <= $1 group by grouping sets ((uid), ())"""
_RECENT = 5

# Grows with every entry of the audit. They are numbered when they are written, and may be committed in another order:
# the last number alone would not tell of one that comes late.
_VERSION = "select sum(seq) from (select seq from transitions order by seq desc limit 256) as newest"

# What moves the line without an entry in the audit (a pause that ends, a consumer that comes) is seen this late.
_FRESH_SECONDS = 1.0


class Outlooks:
    """The outlooks of all that wait, read once after each change for everybody who asks, since each needs all."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._version: Decimal | None = None
        self._read_at = 0.0
        self._known: Mapping[str, Outlook] = {}

    async def of(self, conn: asyncpg.Connection, queued: Collection[str]) -> Mapping[str, Outlook]:
        """The outlooks, those of the ids `queued` among them unless they wait no more."""
        if not queued:
            return {}
        async with self._lock:
            version = await conn.fetchval(_VERSION)
            fresh = version == self._version and time.monotonic() - self._read_at < _FRESH_SECONDS
            if not fresh or not self._known.keys() >= set(queued):
                self._read_at = time.monotonic()
                self._known = outlooks(await read(conn))
                self._version = version
            return self._known


async def read(conn: asyncpg.Connection) -> Line:
    """All that outlooks are made of."""
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        return Line(
            now=await conn.fetchval("select now()"),
            waiting=await claiming.waiting(conn, "training"),
            running=[Running(**row) for row in await conn.fetch(_RUNNING)],
            consumers=await presence.alive(conn, "training"),
            durations=await measured(conn),
        )


async def measured(conn: asyncpg.Connection) -> Durations:
    """What trainings took lately."""
    seconds = {row["uid"]: row["seconds"] for row in await conn.fetch(_DURATIONS, _RECENT)}
    of_studio = seconds.pop(None, None)
    return Durations(seconds, of_studio)
