"""Reading conversations, annotating them, deleting them."""

from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from studio.backend import audit, cursors
from studio.backend.access import Caller
from studio.backend.conversations import filters
from studio.backend.models.common import Page
from studio.backend.models.conversations import (
    Conversation,
    ConversationDetail,
    Event,
    Filters,
    Flag,
    NewFlag,
    TagCount,
)
from studio.db.schema.conversations import (
    conversation_flags,
    conversation_tags,
    conversations,
    deleted_conversations,
    events,
)
from studio.http.problems import Refused

# Of a longer conversation the newest events are given.
MAX_EVENTS = 2000
MAX_TAGS = 50

_EVENT = (
    events.c.seq, events.c.at, events.c.type, events.c.text, events.c.intent, events.c.confidence, events.c.action,
    events.c.data,
)  # fmt: skip


class Conversations:
    """The conversations that a caller may see. Methods raise Refused with 404 for all others."""

    def __init__(self, engine: AsyncEngine, *, namespace: str) -> None:
        self._engine = engine
        self._namespace = namespace

    async def page(self, caller: Caller, wanted: Filters) -> Page[Conversation]:
        """The conversations that meet the filters, the one with the newest event first."""
        query = filters.page(
            wanted,
            namespace=self._namespace,
            assistant_ids=self._visible(caller),
            before=cursors.at_moment(wanted.cursor) if wanted.cursor else None,
        )
        async with self._engine.connect() as conn:
            items = [_conversation(row) for row in (await conn.execute(query)).all()]
        return cursors.page(items, wanted.limit, lambda last: (last.last_event_at, last.id))

    async def read(self, caller: Caller, number: int) -> ConversationDetail:
        """One conversation with its events and flags."""
        async with self._engine.connect() as conn:
            query = filters.listed().where(conversations.c.id == number, *filters.visible(self._visible(caller)))
            row = (await conn.execute(query)).one_or_none()
            if row is None:
                raise _missing(number)
            flags = (
                await conn.execute(
                    select(conversation_flags)
                    .where(conversation_flags.c.conversation == number)
                    .order_by(conversation_flags.c.id)
                )
            ).all()
            happened = await events_of(conn, row.assistant_id, row.sender_id, limit=MAX_EVENTS)
        return ConversationDetail(
            **_conversation(row).model_dump(), flag_list=[_flag(flag) for flag in flags], events=happened
        )

    async def tag(self, caller: Caller, number: int, tag: str) -> None:
        """Give a tag; doing it twice is harmless."""
        async with self._engine.begin() as conn:
            await self._locked(conn, caller, number)
            count = await conn.scalar(
                select(func.count()).select_from(conversation_tags).where(conversation_tags.c.conversation == number)
            )
            if (count or 0) >= MAX_TAGS:
                raise Refused(409, f"the conversation has {count} tags, at most {MAX_TAGS} are allowed")
            await conn.execute(
                upsert(conversation_tags)
                .values(conversation=number, tag=tag, created_by=caller.person.username)
                .on_conflict_do_nothing()
            )
            await audit.record(conn, caller, f"conversation {number} tag {tag}")

    async def untag(self, caller: Caller, number: int, tag: str) -> None:
        """Take a tag away; one that is not there is no error."""
        async with self._engine.begin() as conn:
            await self._locked(conn, caller, number)
            await conn.execute(
                delete(conversation_tags).where(
                    conversation_tags.c.conversation == number, conversation_tags.c.tag == tag
                )
            )
            await audit.record(conn, caller, f"conversation {number} tag {tag} (removed)")

    async def tags(self, caller: Caller) -> list[TagCount]:
        """All tags of the conversations that the caller may see, the most frequent first."""
        count = func.count()
        query = (
            select(conversation_tags.c.tag, count.label("count"))
            .join(conversations, conversations.c.id == conversation_tags.c.conversation)
            .where(*filters.visible(self._visible(caller)))
            .group_by(conversation_tags.c.tag)
            .order_by(count.desc(), conversation_tags.c.tag)
            .limit(1000)
        )
        async with self._engine.connect() as conn:
            return [TagCount(tag=row.tag, count=row[1]) for row in (await conn.execute(query)).all()]

    async def flag(self, caller: Caller, number: int, wanted: NewFlag) -> Flag:
        """Flag a conversation or one of its events."""
        async with self._engine.begin() as conn:
            row = await self._locked(conn, caller, number)
            if wanted.event_seq is not None:
                await _check_event(conn, row.assistant_id, row.sender_id, wanted.event_seq)
            made = await conn.execute(
                insert(conversation_flags)
                .values(
                    conversation=number, event_seq=wanted.event_seq, reason=wanted.reason,
                    created_by=caller.person.username,
                )
                .returning(conversation_flags)
            )  # fmt: skip
            await audit.record(conn, caller, f"conversation {number} flag")
            return _flag(made.one())

    async def resolve_flag(self, caller: Caller, number: int, flag: int) -> None:
        """Mark a flag as done with; doing it twice is harmless."""
        async with self._engine.begin() as conn:
            await self._locked(conn, caller, number)
            changed = await conn.execute(
                update(conversation_flags)
                .where(conversation_flags.c.id == flag, conversation_flags.c.conversation == number)
                .values(
                    resolved_at=func.coalesce(conversation_flags.c.resolved_at, func.now()),
                    resolved_by=func.coalesce(conversation_flags.c.resolved_by, caller.person.username),
                )
            )
            if not changed.rowcount:
                raise Refused(404, f"the conversation {number} has no flag {flag}")
            await audit.record(conn, caller, f"conversation {number} flag {flag} (resolved)")

    async def remove(self, caller: Caller, number: int) -> None:
        """Delete a conversation for good; the tombstone keeps replays and back-fills from bringing it back.

        The order is that of ingestion's own locks: the row first, which waits for a batch under way, then the rest.
        """
        async with self._engine.begin() as conn:
            gone = (
                await conn.execute(
                    delete(conversations)
                    .where(conversations.c.id == number, *filters.visible(self._visible(caller)))
                    .returning(conversations.c.assistant_id, conversations.c.sender_id, conversations.c.last_event_at)
                )
            ).one_or_none()
            if gone is None:
                raise _missing(number)
            moment = func.greatest(func.now(), gone.last_event_at)
            tombstone = upsert(deleted_conversations).values(
                assistant_id=gone.assistant_id, sender_id=gone.sender_id, deleted_at=moment,
                deleted_by=caller.person.username,
            )  # fmt: skip
            await conn.execute(
                tombstone.on_conflict_do_update(
                    index_elements=["assistant_id", "sender_id"],
                    set_={"deleted_at": tombstone.excluded.deleted_at, "deleted_by": tombstone.excluded.deleted_by},
                )
            )
            await conn.execute(delete(events).where(*_of(gone.assistant_id, gone.sender_id)))
            await audit.record(conn, caller, f"conversation {number}")

    def _visible(self, caller: Caller) -> frozenset[str] | None:
        return caller.scope.assistant_ids(self._namespace)

    async def _locked(self, conn: AsyncConnection, caller: Caller, number: int) -> Row[*tuple[Any, ...]]:
        """The row of a conversation, kept from deletion until the transaction ends. Ingestion may still write it."""
        query = (
            select(conversations.c.assistant_id, conversations.c.sender_id)
            .where(conversations.c.id == number, *filters.visible(self._visible(caller)))
            .with_for_update(read=True, key_share=True)
        )
        row = (await conn.execute(query)).one_or_none()
        if row is None:
            raise _missing(number)
        return row


async def events_of(
    conn: AsyncConnection, assistant_id: str, sender_id: str, *, after_seq: int = 0, limit: int
) -> list[Event]:
    """The newest events of a conversation after a number, oldest first."""
    newest = (
        select(*_EVENT)
        .where(*_of(assistant_id, sender_id), events.c.seq > after_seq)
        .order_by(events.c.at.desc(), events.c.seq.desc())
        .limit(limit)
    )
    rows = (await conn.execute(newest)).all()
    return [Event.model_validate(dict(row._mapping)) for row in reversed(rows)]  # noqa: SLF001


async def _check_event(conn: AsyncConnection, assistant_id: str, sender_id: str, seq: int) -> None:
    query = select(events.c.seq).where(*_of(assistant_id, sender_id), events.c.seq == seq)
    if (await conn.execute(query)).one_or_none() is None:
        raise Refused(422, f"event_seq: the conversation has no event {seq}")


def _of(assistant_id: str, sender_id: str) -> list[ColumnElement[bool]]:
    return [events.c.assistant_id == assistant_id, events.c.sender_id == sender_id]


def _conversation(row: Row[*tuple[Any, ...]]) -> Conversation:
    return Conversation.model_validate({**row._mapping, "tags": sorted(row.tags)})  # noqa: SLF001


def _flag(row: Row[*tuple[Any, ...]]) -> Flag:
    return Flag(
        id=row.id, event_seq=row.event_seq, reason=row.reason, created_by=row.created_by, created_at=row.created_at,
        resolved_by=row.resolved_by, resolved_at=row.resolved_at,
    )  # fmt: skip


def _missing(number: int) -> Refused:
    return Refused(404, f"there is no conversation {number}")
