"""What a conversation event is made of: the columns that are read out of its JSON, and why a record is no event.

Rasa's events: https://rasa.com/docs/rasa/event-brokers/. Types that are not known here are kept as they are.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, NamedTuple, Never, TypedDict

import msgspec

# Kafka's own default for a message is 1 MiB.
BYTES_MAX = 1024 * 1024
# Ids are parts of index entries, which PostgreSQL limits to 2,704 bytes.
ID_MAX = 255
TEXT_MAX = 10_000
# A confidence is between 0 and 1; engines that count otherwise are heard as long as the column can hold it.
CONFIDENCE_MAX = 1e6

# What JSON's numbers are in Python; its booleans would pass for integers.
_NUMBERS = frozenset({int, float})
# Of a number that is no time.
_NO_MOMENT = (ValueError, OverflowError, OSError)
_SUSPICIOUS = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")


class _Named(TypedDict, total=False):
    name: msgspec.Raw


_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=ID_MAX)]
_Name = Annotated[str, msgspec.Meta(max_length=ID_MAX)]
_Confidence = Annotated[float, msgspec.Meta(ge=-CONFIDENCE_MAX, le=CONFIDENCE_MAX)]


class _Intent(msgspec.Struct, gc=False):
    name: _Name | None = None
    confidence: _Confidence | None = None


class _ParseData(msgspec.Struct, gc=False):
    intent: _Intent | None = None


class _Metadata(msgspec.Struct, gc=False):
    assistant_id: _Id | None = None
    model_id: _Name | None = None


class _Body(msgspec.Struct, gc=False):
    """What columns are made of, as engines send it. The rest is checked to be JSON and passed over: that is most."""

    sender_id: _Id
    event: _Id
    timestamp: float
    metadata: _Metadata | None = None
    parse_data: _ParseData | None = None
    text: Annotated[str, msgspec.Meta(max_length=TEXT_MAX)] | None = None
    name: _Name | None = None
    input_channel: _Name | None = None


# Made once, not for each event.
_NO_METADATA, _NO_INTENT = _Metadata(), _Intent()
_JSON = json.JSONDecoder(parse_constant=_no_constant)
_BODY = msgspec.json.Decoder(_Body)
_NAMED = msgspec.json.Decoder(_Named)


class Reason(StrEnum):
    """Why a record is a dead letter; `gap` stands for records that nobody saw."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    TOO_LONG = "too_long"
    OUT_OF_RANGE = "out_of_range"
    BAD_CHARACTER = "bad_character"
    REFUSED_BY_DATABASE = "refused_by_database"
    GAP = "gap"


class Malformed(Exception):
    """A record that is no event: the reason for machines, the detail for people."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Place(NamedTuple):
    """Where a record lies: the id of its source, the partition, the offset."""

    source: int
    partition: int
    offset: int


class Event(NamedTuple):
    """One event: the columns of table `events` but `seq`, to be copied as they are; `data` is the JSON as it came."""

    source: int
    partition: int
    offset: int
    assistant_id: str
    sender_id: str
    at: datetime
    type: str
    intent: str | None
    confidence: float | None
    action: str | None
    text: str | None
    channel: str | None
    model_id: str | None
    data: str


def unknown_assistant(topic: str) -> str:
    """Under which id events without an `assistant_id` are kept; no assistant's name contains a colon."""
    return f"unknown:{topic}"


def decode(value: bytes | None, place: tuple[int, int, int], *, assistant_id: str) -> Event:
    """The event in the record at a Place; `assistant_id` is for events that name none. Raises Malformed."""
    if not value:
        raise Malformed(Reason.EMPTY, "the record has no value")
    if len(value) > BYTES_MAX:
        raise Malformed(Reason.TOO_LARGE, f"the record has {len(value)} bytes, at most {BYTES_MAX} are stored")
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise Malformed(Reason.NOT_UTF8, f"byte {error.start} is not UTF-8") from None
    # To look for one byte is much faster than to look for two.
    if b"\\" not in value or not _SUSPICIOUS.search(text):
        try:
            return _as_expected(text, _BODY.decode(value), place, assistant_id)
        except (msgspec.DecodeError, RecursionError, *_NO_MOMENT):
            # Odd, but perhaps allowed; and if not, somebody wants to know why.
            pass
    return read_thoroughly(text, place, assistant_id=assistant_id)


def _as_expected(text: str, body: _Body, place: tuple[int, int, int], assistant_id: str) -> Event:
    metadata = body.metadata or _NO_METADATA
    intent = action = message = channel = confidence = None
    kind = body.event
    if kind == "user":
        message, channel = body.text, body.input_channel
        chosen = (body.parse_data.intent if body.parse_data else None) or _NO_INTENT
        intent, confidence = chosen.name, chosen.confidence
    elif kind == "bot":
        message = body.text
    elif kind == "action":
        action = body.name
    source, partition, offset = place
    return Event(
        source, partition, offset, metadata.assistant_id or assistant_id, body.sender_id,
        datetime.fromtimestamp(body.timestamp, UTC), kind, intent or None, confidence, action or None, message,
        channel or None, metadata.model_id or None, text,
    )  # fmt: skip


def name_in(data: str) -> str | None:
    """The `name` of a stored event, if it is a string."""
    name = _NAMED.decode(data).get("name", b"")
    return msgspec.json.decode(name, type=str) if bytes(name).startswith(b'"') else None


def read_thoroughly(text: str, place: tuple[int, int, int], *, assistant_id: str) -> Event:
    """The event in a text, the slow way, which knows why a text is refused. Raises Malformed."""
    body = _parse(text)
    sender = _id(body, "sender_id")
    kind = _id(body, "event")
    metadata = _object(body, "metadata")
    if metadata.get("assistant_id") is not None:
        assistant_id = _id(metadata, "assistant_id", "metadata.assistant_id")
    intent = action = message = channel = None
    confidence = None
    if kind == "user":
        message = _text(body, "text")
        channel = _text(body, "input_channel")
        chosen = _object(_object(body, "parse_data"), "intent", "parse_data.intent")
        intent = _text(chosen, "name", "parse_data.intent.name")
        confidence = _confidence(chosen)
    elif kind == "bot":
        message = _text(body, "text")
    elif kind == "action":
        action = _text(body, "name")
    model = _text(metadata, "model_id", "metadata.model_id")
    return Event(
        *place, assistant_id, sender, _moment(body), kind, _clip(intent), confidence, _clip(action),
        message[:TEXT_MAX] if message else message, _clip(channel), _clip(model), text,
    )  # fmt: skip


def _parse(text: str) -> dict[str, Any]:
    try:
        body = _JSON.decode(text)
        if _SUSPICIOUS.search(text):
            _check_characters(body)
    except RecursionError:
        raise Malformed(Reason.NOT_JSON, "it is nested too deeply") from None
    except ValueError as error:
        raise Malformed(Reason.NOT_JSON, str(error)) from None
    if not isinstance(body, dict):
        raise Malformed(Reason.NOT_AN_OBJECT, f"the JSON is {_kind(body)}, not an object")
    return body


def _id(body: Mapping[str, Any], key: str, path: str = "") -> str:
    value = body.get(key)
    if isinstance(value, str) and 0 < len(value) <= ID_MAX:
        return value
    path = path or key
    if value is None or value == "":
        raise Malformed(Reason.MISSING_FIELD, f"{path} is missing or empty")
    if not isinstance(value, str):
        raise Malformed(Reason.WRONG_TYPE, f"{path} must be a string, not {_kind(value)}")
    raise Malformed(Reason.TOO_LONG, f"{path} has {len(value)} characters, at most {ID_MAX} are allowed")


def _text(body: Mapping[str, Any], key: str, path: str = "") -> str | None:
    value = body.get(key)
    if value is None or isinstance(value, str):
        return value
    raise Malformed(Reason.WRONG_TYPE, f"{path or key} must be a string, not {_kind(value)}")


def _object(body: Mapping[str, Any], key: str, path: str = "") -> dict[str, Any]:
    value = body.get(key)
    if isinstance(value, dict):
        return value
    if value is None:
        return {}
    raise Malformed(Reason.WRONG_TYPE, f"{path or key} must be an object, not {_kind(value)}")


def _moment(body: Mapping[str, Any]) -> datetime:
    value = body.get("timestamp")
    if value is None:
        raise Malformed(Reason.MISSING_FIELD, "timestamp is missing")
    if type(value) not in _NUMBERS:
        raise Malformed(Reason.WRONG_TYPE, f"timestamp must be a number (seconds since 1970), not {_kind(value)}")
    try:
        return datetime.fromtimestamp(value, UTC)
    except _NO_MOMENT:
        raise Malformed(
            Reason.OUT_OF_RANGE, f"timestamp {value!r:.40} is no time between the years 1 and 9999"
        ) from None


def _confidence(chosen: Mapping[str, Any]) -> float | None:
    value = chosen.get("confidence")
    if value is None:
        return None
    if type(value) not in _NUMBERS:
        raise Malformed(Reason.WRONG_TYPE, f"parse_data.intent.confidence must be a number, not {_kind(value)}")
    if not abs(value) <= CONFIDENCE_MAX:
        raise Malformed(Reason.OUT_OF_RANGE, f"parse_data.intent.confidence is {value!r:.40}")
    return float(value)


def _clip(value: str | None) -> str | None:
    return value[:ID_MAX] if value else None


def _check_characters(value: Any) -> None:
    if isinstance(value, str):
        if "\x00" in value:
            raise Malformed(Reason.BAD_CHARACTER, "a string contains the character U+0000, which cannot be stored")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Malformed(Reason.BAD_CHARACTER, "a string contains half of a surrogate pair") from None
    elif isinstance(value, dict):
        for key, inner in value.items():
            _check_characters(key)
            _check_characters(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_characters(inner)


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"
