"""Decoding: what becomes a column, what becomes a dead letter, and that nothing else can happen."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.services.ingestion.records import ASSISTANT, BEGAN, action, as_bytes, bot, user

from studio.db import pool
from studio.ingestion import event as events
from studio.ingestion import store
from studio.ingestion.batch import Batch
from studio.ingestion.event import BYTES_MAX, TEXT_MAX, Event, Malformed, Place, Reason, decode, name_in
from studio.settings import DatabaseSettings

PLACE = Place(1, 2, 3)


def read(value: bytes | None) -> Event:
    return decode(value, PLACE, assistant_id="unknown:topic")


def refused(value: bytes | None) -> Malformed:
    with pytest.raises(Malformed) as error:
        read(value)
    return error.value


def test_a_message_of_a_user() -> None:
    event = read(as_bytes(user("u1", 0.25, "book a table")))
    assert event[:3] == PLACE
    assert event.at == datetime.fromtimestamp(BEGAN + 0.25, UTC)
    assert (event.assistant_id, event.sender_id, event.type) == (ASSISTANT, "u1", "user")
    assert (event.intent, event.confidence, event.text) == ("greet", 0.9, "book a table")
    assert (event.channel, event.model_id, event.action) == ("rest", "m1", None)
    assert json.loads(event.data)["parse_data"]["entities"] == []


def test_what_the_assistant_says_and_does() -> None:
    assert read(as_bytes(bot("u1", 1))).text == "hi there"
    assert read(as_bytes(action("u1", 1))).action == "utter_greet"
    assert read(as_bytes(action("u1", 1, None))).action is None  # type: ignore[arg-type] # an end-to-end action
    assert read(as_bytes(user("u1", 1, intent=None, parse_data={"intent": {"name": None}}))).intent is None


def test_unknown_types_are_kept_as_they_are() -> None:
    raw = as_bytes({"sender_id": "u", "event": "flow_started", "timestamp": BEGAN, "flow_id": "transfer", "text": 5})
    event = read(raw)
    assert event.type == "flow_started"
    assert event.text is None
    assert event.data == raw.decode()


def test_without_an_assistant_id_the_topic_stands_for_it() -> None:
    assert read(as_bytes({"sender_id": "u", "event": "restart", "timestamp": 1})).assistant_id == "unknown:topic"


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        (None, Reason.EMPTY, "no value"),
        (b"", Reason.EMPTY, "no value"),
        (b"x" * (BYTES_MAX + 1), Reason.TOO_LARGE, "at most"),
        (b"\xff\xfe", Reason.NOT_UTF8, "byte 0"),
        (b"hello", Reason.NOT_JSON, "line 1"),
        (b"[" * 100_000, Reason.NOT_JSON, "nested"),
        (b'{"a": NaN}', Reason.NOT_JSON, "NaN is not JSON"),
        (b"[]", Reason.NOT_AN_OBJECT, "an array"),
        (b"null", Reason.NOT_AN_OBJECT, "null"),
    ],
)
def test_what_is_no_event(value: bytes | None, reason: Reason, detail: str) -> None:
    error = refused(value)
    assert error.reason == reason
    assert detail in error.detail


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"sender_id": None}, Reason.MISSING_FIELD, "sender_id"),
        ({"sender_id": ""}, Reason.MISSING_FIELD, "sender_id"),
        ({"sender_id": 7}, Reason.WRONG_TYPE, "sender_id must be a string, not a number"),
        ({"sender_id": "x" * 256}, Reason.TOO_LONG, "sender_id"),
        ({"event": {}}, Reason.WRONG_TYPE, "event"),
        ({"timestamp": None}, Reason.MISSING_FIELD, "timestamp"),
        ({"timestamp": "now"}, Reason.WRONG_TYPE, "timestamp"),
        ({"timestamp": True}, Reason.WRONG_TYPE, "timestamp"),
        ({"timestamp": 1e300}, Reason.OUT_OF_RANGE, "timestamp"),
        ({"timestamp": 10**400}, Reason.OUT_OF_RANGE, "timestamp"),
        ({"metadata": []}, Reason.WRONG_TYPE, "metadata"),
        ({"metadata": {"assistant_id": 3}}, Reason.WRONG_TYPE, "metadata.assistant_id"),
        ({"text": ["a"]}, Reason.WRONG_TYPE, "text"),
        ({"parse_data": "x"}, Reason.WRONG_TYPE, "parse_data"),
        ({"parse_data": {"intent": {"name": 5}}}, Reason.WRONG_TYPE, "parse_data.intent.name"),
        ({"parse_data": {"intent": {"confidence": "high"}}}, Reason.WRONG_TYPE, "parse_data.intent.confidence"),
        ({"parse_data": {"intent": {"confidence": 1e300}}}, Reason.OUT_OF_RANGE, "parse_data.intent.confidence"),
        ({"input_channel": 1}, Reason.WRONG_TYPE, "input_channel"),
        ({"text": "a\x00b"}, Reason.BAD_CHARACTER, "U+0000"),
        ({"more": {"a\x00": 1}}, Reason.BAD_CHARACTER, "U+0000"),
        ({"text": "\ud83d"}, Reason.BAD_CHARACTER, "surrogate"),
    ],
)
def test_fields_that_are_wrong(changes: dict[str, Any], reason: Reason, field: str) -> None:
    error = refused(as_bytes({**user("u", 0), **changes}))
    assert error.reason == reason
    assert field in error.detail


def test_an_escaped_backslash_is_no_null_character() -> None:
    assert read(as_bytes(user("u", 0, r"the text \u0000 and \ud83d"))).text == r"the text \u0000 and \ud83d"
    assert read(as_bytes(user("u", 0, "😀"))).text == "😀"


def test_long_columns_are_clipped_and_the_event_is_not() -> None:
    event = read(as_bytes(user("u", 0, "x" * (TEXT_MAX + 1), parse_data={"intent": {"name": "i" * 300}})))
    assert len(event.text or "") == TEXT_MAX
    assert len(event.intent or "") == 255
    assert len(json.loads(event.data)["text"]) == TEXT_MAX + 1


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"name": "größe"}, "größe"), ({"name": None}, None), ({"name": 5}, None), ({"name": {"name": "x"}}, None),
        ({}, None), ({"name": "\\ \" 😀"}, "\\ \" 😀"),
    ],
)  # fmt: skip
def test_the_name_of_an_event(more: dict[str, Any], name: str | None) -> None:
    assert name_in(json.dumps({"event": "slot", **more})) == name


def test_what_no_column_needs_is_not_held_against_an_event() -> None:
    """A number of so many digits is JSON, and PostgreSQL can store it; Python would not read it."""
    raw = as_bytes(user("u", 0))[:-1] + b', "more": 1' + b"0" * 5_000 + b"}"
    event = read(raw)
    assert event.data == raw.decode()
    assert name_in(event.data) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(["user", "bot", "action", "slot"])
almost_events = st.fixed_dictionaries(
    {
        "sender_id": st.text(max_size=5) | json_values,
        "event": fields | json_values,
        "timestamp": st.floats() | json_values,
    },
    optional=dict.fromkeys(("text", "metadata", "parse_data", "name", "input_channel", "more"), json_values),
)


@given(st.binary(max_size=50) | json_values.map(as_bytes) | almost_events.map(as_bytes))
def test_any_value_is_an_event_or_malformed(value: bytes) -> None:
    try:
        event = read(value)
    except Malformed as error:
        assert error.detail  # noqa: PT017
    else:
        assert event.sender_id
        assert event.at.tzinfo is UTC


@given(st.binary(min_size=1, max_size=50) | json_values.map(as_bytes) | almost_events.map(as_bytes))
def test_the_fast_reader_and_the_thorough_one_agree(value: bytes) -> None:
    text = value.decode(errors="replace")

    def outcome(decoded: Callable[[], Event]) -> Event | Reason:
        try:
            return decoded()
        except Malformed as error:
            return error.reason

    quickly = outcome(lambda: decode(text.encode(), PLACE, assistant_id="unknown:topic"))
    thoroughly = outcome(lambda: events.read_thoroughly(text, PLACE, assistant_id="unknown:topic"))
    # Not a number is equal to nothing, so by its words.
    assert repr(quickly) == repr(thoroughly)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(almost_events.map(as_bytes))
async def test_what_is_an_event_can_be_stored(studio_database: DatabaseSettings, value: bytes) -> None:
    """Nothing that decoding lets through is refused by PostgreSQL."""
    try:
        event = read(value)
    except Malformed:
        return
    conn = await pool.connect(studio_database, application_name="test", prepare=pool.json_as_text)
    try:
        await store.write(conn, Batch([event]), [])
        await conn.execute("truncate events")
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        pytest.fail(f"{value!r}: {error}")
    finally:
        await conn.close()
