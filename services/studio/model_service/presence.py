"""Which consumers are there: those that hold a live lease, and the idle ones that said so lately.

An idle consumer tells it every TELL_SECONDS, a busy one not at all: its lease speaks for it. Rows of the dead are
forgotten by whoever tells next. What lies ahead was said before the clock of the database was set back, by somebody who
says it anew if it lives.
"""

# ruff: noqa: S608 (the parts of the statements are constants; values are parameters)

import asyncpg

from studio.model_service.claiming import LONGEST_LEASE
from studio.model_service.items import Kind

TELL_SECONDS = 30.0
# Three times missed, and the consumer is taken for dead.
FRESH_SECONDS = 90.0

# A moment ahead is none: who tells may have looked at the clock a little later than who counts.
_FRESH = "seen_at between now() - make_interval(secs => {seconds}) and now() + interval '10 s'"

_TELL = f"""
with dead as (delete from consumers where not {_FRESH.format(seconds="$3")} and holder <> $2)
insert into consumers (holder, kind, seen_at) values ($2, $1, now())
on conflict (holder) do update set kind = excluded.kind, seen_at = excluded.seen_at"""

_COUNT = f"""
select count(*) from (
    select holder from consumers where kind = $1 and {_FRESH.format(seconds="$2")}
    union
    select holder from items where kind = $1 and finished_at is null and holder is not null
      and lease_until between now() and now() + {LONGEST_LEASE}
) as alive"""


async def tell(conn: asyncpg.Connection | asyncpg.Pool, kind: Kind, holder: str) -> None:
    """Note that the idle consumer `holder` is there."""
    await conn.execute(_TELL, kind, holder, FRESH_SECONDS)


async def forget(conn: asyncpg.Connection | asyncpg.Pool, holder: str) -> None:
    """Note that it has gone in good order."""
    await conn.execute("delete from consumers where holder = $1", holder)


async def alive(conn: asyncpg.Connection | asyncpg.Pool, kind: Kind) -> int:
    """How many consumers of a kind are there, busy or idle."""
    count: int = await conn.fetchval(_COUNT, kind, FRESH_SECONDS)
    return count
