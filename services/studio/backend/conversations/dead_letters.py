"""Messages that could not be stored as events: shown here, replayed by ingestion when asked to."""

from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from studio.backend import audit, cursors
from studio.backend.access import Caller
from studio.backend.models.assistants import IngestionState
from studio.backend.models.common import Page
from studio.backend.models.system import DeadLetter, ReplayRequest
from studio.contract import names
from studio.db.schema.conversations import dead_letters, event_offsets, event_sources
from studio.http.problems import Refused

_SHOWN_BYTES = 16 * 1024
_COUNTED = 10_000
_D = dead_letters.c
# A gap has nothing to replay.
_REPLAYABLE = _D.value.is_not(None)
_UNSOLVED = or_(_D.replay_result.is_(None), _D.replay_result.like("refused%"))


async def page(engine: AsyncEngine, *, limit: int, cursor: str | None) -> Page[DeadLetter]:
    """All of them, newest first."""
    query = select(
        _D.id, _D.topic, _D.partition, _D.offset, func.substring(_D.key, 1, _SHOWN_BYTES).label("key"),
        func.substring(_D.value, 1, _SHOWN_BYTES).label("value"), _D.reason, _D.detail, _D.created_at,
        _D.replay_requested_at, _D.replayed_at, _D.replay_result,
    ).order_by(_D.id.desc()).limit(limit + 1)  # fmt: skip
    if cursor:
        query = query.where(_D.id < cursors.at_number(cursor))
    async with engine.connect() as conn:
        rows = (await conn.execute(query)).all()
    items = [
        DeadLetter.model_validate({**row._mapping, "key": _shown(row.key), "value": _shown(row.value)})  # noqa: SLF001
        for row in rows
    ]
    return cursors.page(items, limit, lambda last: (last.id,))


async def replay_one(engine: AsyncEngine, caller: Caller, number: int) -> None:
    """Ask for the replay of one. Raises Refused."""
    async with engine.begin() as conn:
        found = (await conn.execute(select(_REPLAYABLE.label("replayable")).where(_D.id == number))).one_or_none()
        if found is None:
            raise Refused(404, f"there is no dead letter {number}")
        if not found.replayable:
            raise Refused(409, f"the dead letter {number} stands for messages that are lost: nothing can be replayed")
        await _request(conn, caller, [_D.id == number])
        await audit.record(conn, caller, f"dead letter {number}")


async def replay_many(engine: AsyncEngine, caller: Caller, wanted: ReplayRequest) -> int:
    """Ask for the replay of all that meet the request and were not replayed yet; gives how many."""
    conditions: list[ColumnElement[bool]] = [_REPLAYABLE, _UNSOLVED]
    if wanted.topic is not None:
        conditions.append(_D.topic == wanted.topic)
    if wanted.reason is not None:
        conditions.append(_D.reason == wanted.reason)
    async with engine.begin() as conn:
        count = await _request(conn, caller, conditions)
        which = ", ".join(f"{name} {value}" for name, value in wanted.model_dump(exclude_none=True).items())
        await audit.record(conn, caller, f"{count} dead letters ({which or 'all'})")
    return count


async def ingestion(engine: AsyncEngine) -> IngestionState:
    """How far the storing of events is behind: of topics as they are now, for the back-fill lets young events wait."""
    behind = func.greatest(event_offsets.c.log_end - event_offsets.c.next_offset, 0)
    topic, later = event_sources.c, event_sources.alias().c
    newest = select(func.max(later.incarnation)).where(later.topic == topic.topic).scalar_subquery()
    unsolved = select(_D.id).where(_UNSOLVED).limit(_COUNTED).subquery()
    async with engine.connect() as conn:
        lag = await conn.scalar(
            select(func.coalesce(func.sum(behind), 0))
            .join_from(event_offsets, event_sources, event_offsets.c.source == topic.id)
            .where(topic.topic.not_like(f"{names.TRACKER_PREFIX}%"), topic.incarnation == newest)
        )
        count = await conn.scalar(select(func.count()).select_from(unsolved))
    return IngestionState(lag=int(lag or 0), dead_letters=int(count or 0))


async def _request(conn: AsyncConnection, caller: Caller, conditions: list[Any]) -> int:
    asked = await conn.execute(
        update(dead_letters)
        .where(*conditions)
        .values(replay_requested_at=func.now(), replay_requested_by=caller.person.username)
    )
    return int(asked.rowcount)


def _shown(data: bytes | None) -> str | None:
    return None if data is None else data.decode(errors="replace").replace("\x00", "\ufffd")
