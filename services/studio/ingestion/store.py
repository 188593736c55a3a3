"""How a batch is stored: one transaction moves the fenced positions, copies the events and counts the conversations.

Two things are looked at only once the conversations are locked: whether one was deleted, and whether events of it came
by the other way. If so, the transaction is rolled back and repeated without those events; that is rare, so the usual
batch pays two small reads for it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime

import asyncpg

from studio.contract import names
from studio.ingestion.batch import (
    Batch,
    Conversation,
    DeadLetter,
    Identity,
    Move,
    Origin,
    Tally,
    conversation_of,
    copies,
    deleted,
)
from studio.ingestion.event import Event, Place


class Fenced(Exception):
    """Somebody else has taken over these partitions, or moved them."""

    def __init__(self, origins: set[Origin]) -> None:
        super().__init__(f"no longer ours: {sorted(origins)}")
        self.origins = origins


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the events of a batch."""

    stored: int
    deleted: int
    copies: int


@dataclass(frozen=True, slots=True)
class _LeftOut:
    """Where the events lie that are not stored, and why not."""

    deleted: AbstractSet[Place] = frozenset()
    copies: AbstractSet[Place] = frozenset()


class _LeaveOut(Exception):
    def __init__(self, all_of_them: _LeftOut) -> None:
        super().__init__()
        self.all = all_of_them


async def write(
    conn: asyncpg.Connection, batch: Batch, moves: Sequence[Move], *, backfill: AbstractSet[Place] | None = None
) -> Outcome:
    """Store the batch and move the positions, or nothing at all.

    `backfill`: the events come from a tracker schema, and those at these places were already found to be stored.
    Raises Fenced, or what asyncpg raises.
    """
    out = _LeftOut(copies=backfill or frozenset())
    while True:
        try:
            async with conn.transaction():
                await _move(conn, moves)
                await _store(conn, batch, out, backfill=backfill is not None)
        except _LeaveOut as found:
            out = found.all
        else:
            left_out = len(out.deleted) + len(out.copies)
            return Outcome(len(batch.events) - left_out, len(out.deleted), len(out.copies))


async def _move(conn: asyncpg.Connection, moves: Sequence[Move]) -> None:
    if not moves:
        return
    rows = await conn.fetch(
        """
        update event_offsets o
        set next_offset = m.next, log_end = greatest(m.next, m.log_end), updated_at = now()
        from unnest($1::int[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
            as m (source, partition, epoch, seen, next, log_end)
        where o.source = m.source and o.partition = m.partition and o.epoch = m.epoch and o.next_offset = m.seen
        returning o.source, o.partition
        """,
        *zip(*((*m.origin, m.epoch, m.seen, m.next, m.log_end) for m in moves), strict=True),
    )
    lost = {move.origin for move in moves} - {Origin(row["source"], row["partition"]) for row in rows}
    if lost:
        raise Fenced(lost)


async def _store(conn: asyncpg.Connection, batch: Batch, out: _LeftOut, *, backfill: bool) -> None:
    rest = batch.without(out.deleted | out.copies)
    if rest.events:
        tallies = rest.conversations()
        rows = await _upsert_conversations(conn, tallies, backfill=backfill)
        ids = {Conversation(row["assistant_id"], row["sender_id"]): row["id"] for row in rows}
        if gone := deleted(rest.events, await _tombstones(conn, ids)):
            raise _LeaveOut(replace(out, deleted=out.deleted | gone))
        doubtful = {Conversation(row["assistant_id"], row["sender_id"]) for row in rows if row["backfilled"]}
        if doubtful:
            # All events of these conversations, so that equal ones are counted as often as they are there.
            asked = [event for event in batch.without(out.deleted).events if conversation_of(event) in doubtful]
            there = copies(asked, await known(conn, asked, only_backfilled=not backfill), once=backfill)
            if there - out.copies:
                raise _LeaveOut(replace(out, copies=out.copies | there))
        await conn.copy_records_to_table("events", records=rest.events, columns=Event._fields)
    if batch.dead_letters:
        await store_dead_letters(conn, batch.dead_letters)


async def _upsert_conversations(
    conn: asyncpg.Connection, tallies: Mapping[Conversation, Tally], *, backfill: bool
) -> list[asyncpg.Record]:
    values = [
        (*key, t.channel, t.started_at, t.last_event_at, t.user_messages, t.bot_messages, t.events, t.min_confidence,
         t.preview, _literal(t.intents), _literal(t.actions)) for key, t in tallies.items()
    ]  # fmt: skip
    rows: list[asyncpg.Record] = await conn.fetch(
        """
        insert into conversations as c (
            assistant_id, sender_id, channel, started_at, last_event_at,
            user_messages, bot_messages, events, min_confidence, preview, intents, actions, backfilled
        )
        select t.assistant_id, t.sender_id, t.channel, t.started_at, t.last_event_at,
            t.user_messages, t.bot_messages, t.events, t.min_confidence, t.preview,
            t.intents::text[], t.actions::text[], $13::boolean
        from unnest(
            $1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[],
            $6::int[], $7::int[], $8::int[], $9::real[], $10::text[], $11::text[], $12::text[]
        ) as t (
            assistant_id, sender_id, channel, started_at, last_event_at,
            user_messages, bot_messages, events, min_confidence, preview, intents, actions
        )
        on conflict (assistant_id, sender_id) do update set
            channel = coalesce(c.channel, excluded.channel),
            started_at = least(c.started_at, excluded.started_at),
            last_event_at = greatest(c.last_event_at, excluded.last_event_at),
            user_messages = c.user_messages + excluded.user_messages,
            bot_messages = c.bot_messages + excluded.bot_messages,
            events = c.events + excluded.events,
            min_confidence = least(c.min_confidence, excluded.min_confidence),
            preview = coalesce(c.preview, excluded.preview),
            intents = case when c.intents @> excluded.intents then c.intents
                else array(select distinct unnest(c.intents || excluded.intents) order by 1) end,
            actions = case when c.actions @> excluded.actions then c.actions
                else array(select distinct unnest(c.actions || excluded.actions) order by 1) end,
            backfilled = c.backfilled or excluded.backfilled
        returning id, assistant_id, sender_id, backfilled
        """,
        *zip(*values, strict=True),
        backfill,
    )
    return rows


async def _tombstones(
    conn: asyncpg.Connection, conversations: Mapping[Conversation, int]
) -> dict[Conversation, datetime]:
    rows = await conn.fetch(
        """
        select d.assistant_id, d.sender_id, d.deleted_at
        from deleted_conversations d
        join unnest($1::text[], $2::text[]) as c (assistant_id, sender_id) using (assistant_id, sender_id)
        """,
        *zip(*conversations, strict=True),
    )
    return {Conversation(row["assistant_id"], row["sender_id"]): row["deleted_at"] for row in rows}


async def known(
    conn: asyncpg.Connection, events: Sequence[Event], *, only_backfilled: bool = False
) -> Counter[tuple[Conversation, Identity]]:
    """How often each event of these conversations, in the span of time of these events, is stored."""
    spans: dict[Conversation, tuple[datetime, datetime]] = {}
    for event in events:
        key = Conversation(event.assistant_id, event.sender_id)
        first, last = spans.get(key, (event.at, event.at))
        spans[key] = (min(first, event.at), max(last, event.at))
    rows = await conn.fetch(
        """
        select e.assistant_id, e.sender_id, e.at, e.type, count(*) as times,
            case when jsonb_typeof(e.data -> 'name') = 'string' then e.data ->> 'name' end as name
        from unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[])
            as c (assistant_id, sender_id, first, last)
        join events e on e.assistant_id = c.assistant_id and e.sender_id = c.sender_id
            and e.at between c.first and c.last
        where not $5 or e.source in (select id from event_sources where starts_with(topic, $6))
        group by 1, 2, 3, 4, name
        """,
        *zip(*((*key, *span) for key, span in spans.items()), strict=True),
        only_backfilled,
        names.TRACKER_PREFIX,
    )
    return Counter(
        {
            (Conversation(r["assistant_id"], r["sender_id"]), Identity(r["at"], r["type"], r["name"])): r["times"]
            for r in rows
        }
    )


def _literal(names: AbstractSet[str]) -> str:
    """The names as PostgreSQL writes an array; arrays of different lengths have no other way into `unnest`."""
    return "{" + ",".join('"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"' for name in sorted(names)) + "}"


async def store_dead_letters(conn: asyncpg.Connection, letters: Sequence[DeadLetter]) -> None:
    """Keep what is no event; the fence of the positions keeps it from coming twice."""
    await conn.copy_records_to_table(
        "dead_letters",
        records=[(*letter.place, letter.topic, letter.key, letter.value, letter.reason, letter.detail)
                 for letter in letters],
        columns=["source", "partition", "offset", "topic", "key", "value", "reason", "detail"],
    )  # fmt: skip


async def note_assistants(conn: asyncpg.Connection, seen: Mapping[str, str]) -> None:
    """Remember the assistants (id -> topic) that are not of this Studio; exact to the minute."""
    await conn.execute(
        """
        insert into external_assistants as e (assistant_id, topic)
        select s.assistant_id, s.topic from unnest($1::text[], $2::text[]) as s (assistant_id, topic)
        where not exists (select from assistants a where a.namespace || '.' || a.name = s.assistant_id)
        on conflict (assistant_id) do update set last_seen = now(), topic = excluded.topic
        where e.last_seen < now() - interval '1 minute'
        """,
        *zip(*sorted(seen.items()), strict=True),
    )
