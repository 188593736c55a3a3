"""The queue of trainings and runs in PostgreSQL: every change of an item, with its audit and its notifications.

What is claimed next is decided in `claiming`, what a consumer does with it is in `leasing`. The clock is the database's
`now()`. Everything that changes an item goes through `change`, which writes the audit row and the notifications in the
same transaction. Notifications are hints: whoever listens also polls.

Channels: `studio_queue` (payload: kind; something may be claimable), `studio_item` (payload: item id; its stop was
requested or its result accepted), `studio_changes` (payload: `<kind>:<assistant>`; something visible changed).
"""

# ruff: noqa: S608 (the parts of the statements are constants of this module; values are parameters)

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import asyncpg

from studio.contract.model_service import Progress
from studio.contract.reasons import Reason
from studio.model_service.claiming import COLUMNS
from studio.model_service.items import FINAL_STATES, Item, Kind, QueueError, check_transition

# Where a list of items goes on: when the last one was requested, and its id.
Place = tuple[datetime, str]

QUEUE_CHANNEL = "studio_queue"
ITEM_CHANNEL = "studio_item"
CHANGES_CHANNEL = "studio_changes"

# One statement for every change; a null parameter keeps the column. $9 says what happens to the lease.
_CHANGE = f"""
update items set
  state = coalesce($2, state),
  reason = coalesce($3, reason),
  message = coalesce($4, message),
  attempt = coalesce($5, attempt),
  retry_at = case when $6::float8 is not null then now() + make_interval(secs => $6)
                  when $2 is not null then null else retry_at end,
  stop_requested = stop_requested or $7,
  stop_reason = case when $7 and not stop_requested then $8 else stop_reason end,
  stop_message = case when $7 and not stop_requested then $13 else stop_message end,
  priority = coalesce($14, priority),
  spec = coalesce($15, spec),
  spec_digest = coalesce($17, spec_digest),
  progress = case when $4 is not null then $16 else progress end,
  holder = case $9 when 'take' then $10 when 'free' then null else holder end,
  fence = case $9 when 'take' then nextval('fence') else fence end,
  lease_until = case $9 when 'take' then now() + make_interval(secs => $11) when 'free' then null
                else lease_until end,
  started_at = case when $2 in ('Running', 'Warming', 'Starting') then coalesce(started_at, now()) else started_at end,
  ready_at = case when $2 = 'Ready' then coalesce(ready_at, now()) when $2 in ('Queued', 'Starting') then null
             else ready_at end,
  finished_at = case when $12 then now() end
where id = $1
returning {COLUMNS}"""

# Together with the notifications, to save a round trip of every transition.
_AUDIT = """
with audited as (
    insert into transitions (item, from_state, to_state, reason, message, attempt, fence, who)
    values ($1, $2, $3, $4, $5, $6, $7, $8))
select pg_notify(channel, payload) from unnest($9::text[], $10::text[]) as notes(channel, payload)"""


async def notify(conn: asyncpg.Connection, *notes: tuple[str, str]) -> None:
    """Send notifications (channel, payload) with the transaction of `conn`."""
    await conn.execute(
        "select pg_notify(channel, payload) from unnest($1::text[], $2::text[]) as notes(channel, payload)",
        [channel for channel, _ in notes],
        [payload for _, payload in notes],
    )


async def lock(conn: asyncpg.Connection, item_id: str) -> Item | None:
    """The item with its row locked until the transaction of `conn` ends; None if there is none."""
    row = await conn.fetchrow(f"select {COLUMNS} from items where id = $1 for update", item_id)
    return None if row is None else Item(**row)


async def insert(
    conn: asyncpg.Connection,
    *,
    id: str,  # noqa: A002
    kind: Kind,
    uid: str,
    assistant: str,
    fingerprint: str,
    spec: dict[str, Any],
    spec_digest: str,
    who: str,
    reason: str = Reason.REQUESTED,
    message: str = "",
    model_version: int | None = None,
    priority: int = 0,
    retry_in: float = 0.0,
) -> Item:
    """Queue a new item; must run in a transaction. `retry_in` seconds from now it may be claimed."""
    row = await conn.fetchrow(
        f"""insert into items (id, kind, uid, assistant, fingerprint, spec, spec_digest, reason, message, model_version,
                               priority, retry_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
                    case when $12 > 0 then now() + make_interval(secs => $12) end)
            returning {COLUMNS}""",
        id, kind, uid, assistant, fingerprint, spec, spec_digest, reason, message, model_version, priority, retry_in,
    )  # fmt: skip
    item = Item(**row)
    await _audit(conn, None, item, [(QUEUE_CHANNEL, kind), (CHANGES_CHANNEL, f"{kind}:{assistant}")], who=who)
    return item


async def change(
    conn: asyncpg.Connection,
    item: Item,
    *,
    who: str,
    state: str | None = None,
    reason: str | None = None,
    message: str | None = None,
    attempt: int | None = None,
    retry_in: float | None = None,
    stop_reason: str | None = None,
    stop_message: str = "",
    priority: int | None = None,
    spec: dict[str, Any] | None = None,
    spec_digest: str | None = None,
    progress: Progress | None = None,
    lease: Literal["keep", "take", "free"] = "keep",
    holder: str | None = None,
    ttl: float | None = None,
    audit_reason: str | None = None,
    audit_message: str | None = None,
) -> Item:
    """Change an item whose row the transaction of `conn` has locked; the only place where items change.

    What is None stays as it is, except for `progress`, which goes with the message. `stop_reason` requests the stop.
    The audit tells the item's own reason and message unless it is given others. Raises IllegalTransition.
    """
    target = state if state is not None else item.state
    check_transition(item, target)
    final = target in FINAL_STATES
    if final or target == "Queued":
        lease = "free"
    row = await conn.fetchrow(
        _CHANGE, item.id, state, reason, message, attempt, retry_in, stop_reason is not None, stop_reason,
        lease, holder, ttl, final, stop_message, priority, spec, progress.model_dump() if progress else None,
        spec_digest,
    )  # fmt: skip
    changed = Item(**row)
    stop_is_new = changed.stop_requested and not item.stop_requested
    notes: list[tuple[str, str]] = []
    # Whoever ends an item claims the next one; what is given back without an end is for the others.
    if lease == "free" and not final:
        notes.append((QUEUE_CHANNEL, item.kind))
    if stop_is_new:
        notes.append((ITEM_CHANNEL, item.id))
    if stop_is_new or (*_told(changed), changed.message) != (*_told(item), item.message):
        notes.append((CHANGES_CHANNEL, f"{item.kind}:{item.assistant}"))
    if audit_reason or stop_is_new or _told(changed) != _told(item):
        if stop_is_new:
            audit_reason, audit_message = audit_reason or stop_reason, audit_message or stop_message
        await _audit(conn, item, changed, notes, who=who, reason=audit_reason, message=audit_message)
    elif notes:
        await notify(conn, *notes)
    return changed


async def request_stop(conn: asyncpg.Connection, item: Item, *, who: str, reason: str, message: str = "") -> Item:
    """End a locked item: at once while it waits, else by asking whoever holds it. Idempotent.

    The item ends with `message`, unless whoever ends it has more to say.
    """
    if item.final or item.stop_requested:
        return item
    if item.state == "Queued":
        state = "Stopped" if item.kind == "run" else "Superseded" if reason == "Superseded" else "Cancelled"
        return await change(
            conn, item, who=who, state=state, reason=reason, message=message, stop_reason=reason, stop_message=message
        )
    return await change(conn, item, who=who, stop_reason=reason, stop_message=message)


async def reprioritise(
    conn: asyncpg.Connection, item: Item, priority: int, *, who: str, spec: dict[str, Any] | None = None
) -> Item:
    """Move a locked item to where `priority` puts it in the line; raises QueueError unless it is queued.

    `spec` replaces what the item was made of, if it is that which has another priority now. Idempotent.
    """
    _check_waits(item)
    if priority == item.priority and spec is None:
        return item
    return await change(
        conn, item, who=who, priority=priority, spec=spec, audit_reason=Reason.REPRIORITISED,
        audit_message=f"priority {item.priority} became {priority}",
    )  # fmt: skip


async def respecify(
    conn: asyncpg.Connection, item: Item, *, spec: dict[str, Any], spec_digest: str, who: str, message: str
) -> Item:
    """Let a locked item be made of `spec`, for the reason in `message`; raises QueueError unless it is queued.

    It keeps its age and its priority. What it met under another digest says nothing any more: it is due at once.
    """
    _check_waits(item)
    anew = spec_digest != item.spec_digest
    return await change(
        conn, item, who=who, state=item.state if anew else None, reason=Reason.REQUESTED if anew else None,
        message=message if anew else None, spec=spec, spec_digest=spec_digest, audit_reason=Reason.REQUESTED,
        audit_message=message,
    )  # fmt: skip


async def find(conn: asyncpg.Connection, item_id: str, kind: Kind) -> Item | None:
    """The item of that id and kind."""
    row = await conn.fetchrow(f"select {COLUMNS} from items where id = $1 and kind = $2", item_id, kind)
    return None if row is None else Item(**row)


async def search(
    conn: asyncpg.Connection,
    kind: Kind,
    *,
    assistants: Sequence[str] | None,
    state: str | None,
    before: Place | None = None,
    limit: int,
) -> list[Item]:
    """Items, newest first, those that come after the place `before` in this order; None means any."""
    moment, last = before or (None, None)
    rows = await conn.fetch(
        f"""select {COLUMNS} from items where kind = $1 and ($2::text[] is null or assistant = any($2))
            and ($3::text is null or state = $3) and ($4::timestamptz is null or (requested_at, id) < ($4, $5::text))
            order by requested_at desc, id desc limit $6""",
        kind, None if assistants is None else list(assistants), state, moment, last, limit,
    )  # fmt: skip
    return [Item(**row) for row in rows]


async def set_facts(
    conn: asyncpg.Connection,
    item: Item,
    *,
    model_version: int | None = None,
    log_key: str | None = None,
    report: dict[str, Any] | None = None,
) -> None:
    """Note what is known about a locked item, final or not, beside its state; None keeps."""
    await conn.execute(
        """update items set model_version = coalesce($2, model_version), log_key = coalesce($3, log_key),
                            report = coalesce($4, report) where id = $1""",
        item.id, model_version, log_key, report,
    )  # fmt: skip
    await notify(conn, (CHANGES_CHANNEL, f"{item.kind}:{item.assistant}"))


def _told(item: Item) -> tuple[str, str, int, int]:
    return item.state, item.reason, item.attempt, item.priority


def _check_waits(item: Item) -> None:
    if item.state != "Queued":
        raise QueueError(f"{item.kind} {item.id} is {item.state}: only what is Queued has a place in the line")


async def _audit(
    conn: asyncpg.Connection, before: Item | None, after: Item, notes: Sequence[tuple[str, str]], *, who: str,
    reason: str | None = None, message: str | None = None,
) -> None:  # fmt: skip
    await conn.execute(
        _AUDIT, after.id, before.state if before else None, after.state, reason or after.reason,
        after.message if message is None else message, after.attempt, after.fence, who,
        [channel for channel, _ in notes], [payload for _, payload in notes],
    )  # fmt: skip
