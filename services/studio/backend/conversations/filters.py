"""From filters to one query. Pure: values are bound parameters, never text of the statement."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, and_, exists, func, literal_column, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY

from studio.backend.models.conversations import Filters
from studio.contract import names
from studio.db.schema.conversations import (
    conversation_flags,
    conversation_tags,
    conversations,
    events,
)

_SIMPLE: ColumnElement[Any] = literal_column("'simple'::regconfig")
_C = conversations.c


def listed() -> Select[Any]:
    """Conversations with their tags and the number of their open flags."""
    tags = (
        select(
            func.coalesce(func.array_agg(conversation_tags.c.tag, type_=ARRAY(Text)), literal_column("'{}'::text[]"))
        )
        .where(conversation_tags.c.conversation == _C.id)
        .scalar_subquery()
    )
    flags = (
        select(func.count())
        .select_from(conversation_flags)
        .where(conversation_flags.c.conversation == _C.id, conversation_flags.c.resolved_at.is_(None))
        .scalar_subquery()
    )
    return select(
        _C.id, _C.assistant_id, _C.sender_id, _C.channel, _C.started_at, _C.last_event_at, _C.user_messages,
        _C.bot_messages, _C.min_confidence, _C.preview, tags.label("tags"), flags.label("flags"),
    )  # fmt: skip


def visible(assistant_ids: frozenset[str] | None) -> list[ColumnElement[bool]]:
    """Only the conversations of these assistants; None: of all."""
    return [] if assistant_ids is None else [_C.assistant_id.in_(sorted(assistant_ids))]


def page(
    filters: Filters,
    *,
    namespace: str,
    assistant_ids: frozenset[str] | None,
    before: tuple[datetime, int] | None,
) -> Select[Any]:
    """The conversations that meet the filters, the one with the newest event first, after the place `before`.

    One more than the limit, to tell whether the list goes on.
    """
    query = listed().where(*visible(assistant_ids), *_conditions(filters, namespace))
    if before is not None:
        query = query.where(tuple_(_C.last_event_at, _C.id) < tuple_(*before))
    return query.order_by(_C.last_event_at.desc(), _C.id.desc()).limit(filters.limit + 1)


def _conditions(filters: Filters, namespace: str) -> list[ColumnElement[bool]]:
    """One condition for each filter that is given."""
    given = filters.model_dump(exclude_none=True, include=set(_MAKERS))
    conditions = [_MAKERS[name](value) for name, value in given.items()]
    if filters.assistant is not None:
        ids = [filters.assistant, names.assistant_id(namespace, filters.assistant)]
        conditions.append(_C.assistant_id.in_(ids))
    return conditions


def _flagged(wanted: bool) -> ColumnElement[bool]:
    is_flagged = _has(conversation_flags, conversation_flags.c.resolved_at.is_(None))
    return is_flagged if wanted else ~is_flagged


def _has(table: Any, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(table.c.conversation == _C.id, condition)


def _says(text: str) -> ColumnElement[bool]:
    """Whether a message has these words, as the index on the events knows them."""
    words = func.to_tsvector(_SIMPLE, events.c.text).op("@@")(func.websearch_to_tsquery(_SIMPLE, text))
    return tuple_(_C.assistant_id, _C.sender_id).in_(
        select(events.c.assistant_id, events.c.sender_id).where(and_(events.c.text.is_not(None), words))
    )


_MAKERS: dict[str, Callable[[Any], ColumnElement[bool]]] = {
    "since": lambda value: _C.last_event_at >= value,
    "until": lambda value: _C.started_at <= value,
    "channel": lambda value: _C.channel == value,
    "min_confidence": lambda value: _C.min_confidence >= value,
    "max_confidence": lambda value: _C.min_confidence <= value,
    "intent": lambda value: _C.intents.contains([value]),
    "action": lambda value: _C.actions.contains([value]),
    "tag": lambda value: _has(conversation_tags, conversation_tags.c.tag == value),
    "flagged": _flagged,
    "text": _says,
}
