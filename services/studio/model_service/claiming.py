"""The order of the queue: what is claimed next, and what everything that waits is waiting for. SQL only, no changes.

An item is claimable when it waits (`Queued`, its `retry_at` passed, no other training of its assistant running) or when
it is under way and nobody holds it: its lease expired or was released (adoption). The clock is the database's `now()`.

The head of the line is found without sorting the line. An index has it by priority and age; fair share is reckoned for
its first rows only, and of these those are certain that nothing further back can come before: whose priority is all in
view, or whose assistants have had no share at all.
"""

# ruff: noqa: S608 (the parts of the statements are constants of this module; values are parameters)

from dataclasses import dataclass, fields

import asyncpg

from studio.contract.model_service import RunState, TrainingState
from studio.db.schema.columns import quoted
from studio.model_service.items import KINDS, Item, Kind, Waiting

COLUMNS = ", ".join(field.name for field in fields(Item))

# Fair share: an assistant that used the service less comes first. Trainings count by starts in the last hour, runs by
# the slots that are held now.
_COUNTED: dict[Kind, str] = {
    "training": "s.kind = 'training' and s.started_at > now() - interval '1 hour'",
    "run": "s.kind = 'run' and s.finished_at is null and s.state <> 'Queued'",
}

_UNDER_WAY: dict[Kind, str] = {
    "training": quoted(tuple(state for state in TrainingState if not state.final and state != "Queued")),
    "run": quoted(tuple(state for state in RunState if not state.final and state != "Queued")),
}

# A lease that ends later was given before the clock was set back. Its holder, if it lives, renews it by the new time.
LONGEST_LEASE = "interval '1 minute'"

# How far into the line each look goes, and how many of what it finds are candidates: more than consumers that claim at
# the same moment. Most claims end with the first look.
_LOOKS: tuple[tuple[int | None, int | None], ...] = ((64, 64), (1024, 64), (None, 64), (None, None))


@dataclass(frozen=True)
class _Statements:
    """What is asked about one kind. The kind is part of their text, so that partial indexes serve them."""

    left_behind: str
    looks: tuple[str, ...]
    line: str


def _statements(kind: Kind) -> _Statements:
    queued = f"i.kind = '{kind}' and i.state = 'Queued'"
    used = f"(select count(*) from items s where s.uid = i.uid and {_COUNTED[kind]})"
    # What keeps a queued item from being claimed, whatever its place: a pause after a failure, a training of its
    # assistant that still runs, and an assistant that is paused: it begins nothing, and what it has under way goes on.
    due = "coalesce(i.retry_at <= now(), true)"
    behind = "exists (select 1 from items r where r.kind = 'training' and r.uid = i.uid and r.state = 'Running')"
    behind_its_own = behind if kind == "training" else "false"
    wish = "training" if kind == "training" else "running"
    paused = f"""exists (select 1 from assistants a where a.uid = i.uid and a.{wish} @> '{{"paused": true}}')"""

    # What the holder itself already holds comes first, so that a claim whose answer was lost is found again.
    left_behind = f"""
        select {COLUMNS} from items i
        where i.kind = '{kind}' and i.finished_at is null and i.state in ({_UNDER_WAY[kind]})
          and (i.holder = $1 or i.lease_until is null or not i.lease_until between now() and now() + {LONGEST_LEASE})
        order by i.holder is not distinct from $1 desc, i.priority desc, {used}, i.requested_at, i.seq
        limit 1 for update skip locked"""

    def look(depth: int | None, count: int | None) -> str:
        """Candidates are chosen without locks; one that somebody else takes meanwhile is skipped."""
        certain = "true" if depth is None else "c.used = 0 or c.priority > (select min(priority) from ahead)"
        return f"""
            with ahead as materialized (
              select i.id, i.uid, i.priority, i.requested_at, i.seq, i.retry_at from items i
              where {queued} order by i.priority desc, i.requested_at, i.seq limit {depth or "all"}),
            shares as materialized (
              select i.id, i.priority, {used} as used, i.requested_at, i.seq from ahead i
              where {due} and not {behind_its_own} and not {paused}),
            candidates as materialized (
              select * from shares c where {certain}
              order by c.priority desc, c.used, c.requested_at, c.seq limit {count or "all"})
            select {", ".join(f"i.{field.name}" for field in fields(Item))}
            from candidates c join items i on i.id = c.id
            where {queued}
            order by c.priority desc, c.used, c.requested_at, c.seq
            limit 1 for update of i skip locked"""

    line = f"""
        with share as (select s.uid, count(*) as used from items s where {_COUNTED[kind]} group by s.uid),
        facts as materialized (
          select i.id, i.uid, i.message, i.priority, i.requested_at, i.seq, coalesce(share.used, 0) as used,
                 case when not {due} then i.retry_at end as retry_at, {behind_its_own} as behind_its_own,
                 {paused} as paused
          from items i left join share on share.uid = i.uid
          where {queued})
        select id, uid, message, paused, behind_its_own, retry_at,
               row_number() over (order by (retry_at is null and not behind_its_own and not paused) desc,
                                  priority desc, used, requested_at, seq) as position
        from facts order by position"""
    return _Statements(left_behind, tuple(look(depth, count) for depth, count in _LOOKS), line)


_STATEMENTS = {kind: _statements(kind) for kind in KINDS}


async def next_claimable(conn: asyncpg.Connection, kind: Kind, holder: str) -> Item | None:
    """What `holder` shall take now, with its row locked until the transaction of `conn` ends; None: nothing.

    What was left behind by others comes before the line.
    """
    ask = _STATEMENTS[kind]
    row = await conn.fetchrow(ask.left_behind, holder)
    for look in ask.looks:
        row = row or await conn.fetchrow(look)
    return None if row is None else Item(**row)


async def waiting(conn: asyncpg.Connection, kind: Kind) -> list[Waiting]:
    """Every queued item in the exact order in which they would be claimed now."""
    return [Waiting(**row) for row in await conn.fetch(_STATEMENTS[kind].line)]
