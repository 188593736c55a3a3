"""The order of the queue: what is claimed next, and what everything that waits is waiting for. SQL only, no changes.

An item is claimable when it waits (`Queued`, its `retry_at` passed, no other training of its assistant running) or when
it is under way and nobody holds it: its lease expired or was released (adoption). The clock is the database's `now()`.
"""

# ruff: noqa: S608 (the parts of the statements are constants of this module; values are parameters)

from dataclasses import fields

import asyncpg

from studio.model_service.items import Item, Kind, Waiting

COLUMNS = ", ".join(field.name for field in fields(Item))

# Fair share: an assistant that used the service less comes first. Trainings count by starts in the last hour, runs by
# the slots that are held now.
_SHARE = """share as (
    select uid, count(*) as used from items
    where kind = $1 and case kind when 'training' then started_at > now() - interval '1 hour'
                                  else finished_at is null and state <> 'Queued' end
    group by uid)"""

# What keeps a queued item from being claimed, whatever its place: a pause after a failure, a training of its assistant
# that still runs, and an assistant that is paused: it begins nothing, and what it has under way goes on.
_DUE = "coalesce(i.retry_at <= now(), true)"
_BEHIND_ITS_OWN = """exists (
    select 1 from items r
    where i.kind = 'training' and r.kind = 'training' and r.uid = i.uid and r.state = 'Running')"""
_PAUSED = """exists (
    select 1 from assistants a
    where a.uid = i.uid and (case i.kind when 'training' then a.training else a.running end) @> '{"paused": true}')"""
_ELIGIBLE = f"({_DUE} and not {_BEHIND_ITS_OWN} and not {_PAUSED})"

_ORDER = "i.priority desc, coalesce(share.used, 0), i.requested_at, i.seq"

_CLAIMABLE = """i.kind = $1 and i.finished_at is null
  and (i.holder = $2 or i.lease_until is null or i.lease_until < now())"""

# What the holder itself already holds comes first, so that a claim whose answer was lost is found again; then what was
# left behind by others; then the queue. Candidates are chosen without locks, because a sort beneath a lock cannot stop
# at the first rows; a candidate that somebody else takes meanwhile is skipped.
_CLAIM = f"""
with {_SHARE}, candidates as materialized (
    select i.id, i.holder is not distinct from $2 as held, i.state <> 'Queued' as begun, i.priority,
           coalesce(share.used, 0) as used, i.requested_at, i.seq
    from items i left join share on share.uid = i.uid
    where {_CLAIMABLE} and (i.state <> 'Queued' or {_ELIGIBLE})
    order by held desc, begun desc, {_ORDER} limit $3)
select {", ".join(f"i.{field.name}" for field in fields(Item))}
from candidates c join items i on i.id = c.id
where {_CLAIMABLE}
order by c.held desc, c.begun desc, c.priority desc, c.used, c.requested_at, c.seq
limit 1 for update of i skip locked"""

# More than consumers that claim at the same moment; if that is not enough, all are looked at.
_CANDIDATES = 64

_WAITING = f"""
with {_SHARE}
select i.id, i.uid, row_number() over (order by {_ELIGIBLE} desc, {_ORDER}) as position, i.message,
       {_PAUSED} as paused, {_BEHIND_ITS_OWN} as behind_its_own, case when not {_DUE} then i.retry_at end as retry_at
from items i left join share on share.uid = i.uid
where i.kind = $1 and i.state = 'Queued'
order by position"""


async def next_claimable(conn: asyncpg.Connection, kind: Kind, holder: str) -> Item | None:
    """What `holder` shall take now, with its row locked until the transaction of `conn` ends; None: nothing."""
    row = await conn.fetchrow(_CLAIM, kind, holder, _CANDIDATES) or await conn.fetchrow(_CLAIM, kind, holder, None)
    return None if row is None else Item(**row)


async def waiting(conn: asyncpg.Connection, kind: Kind) -> list[Waiting]:
    """Every queued item in the exact order in which they would be claimed now."""
    return [Waiting(**row) for row in await conn.fetch(_WAITING, kind)]
