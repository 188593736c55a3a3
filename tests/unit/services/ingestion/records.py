"""Events and records as engines make them, for the tests of ingestion."""

import json
from dataclasses import dataclass
from typing import Any

ASSISTANT = "default.concierge"
BEGAN = 1_760_000_000.0


@dataclass(frozen=True)
class FakeRecord:
    """As much of a record of Kafka as ingestion looks at."""

    offset: int
    value: bytes | None
    key: bytes | None = b"user"
    timestamp: int = int(BEGAN * 1000)


def user(sender: str, number: float, text: str = "hello", **more: Any) -> dict[str, Any]:
    """What a user said, `number` seconds after the beginning."""
    return {
        "sender_id": sender, "event": "user", "timestamp": BEGAN + number, "text": text, "input_channel": "rest",
        "metadata": {"assistant_id": ASSISTANT, "model_id": "m1"},
        "parse_data": {"intent": {"name": "greet", "confidence": 0.9}, "entities": []},
        **more,
    }  # fmt: skip


def bot(sender: str, number: float, text: str = "hi there", **more: Any) -> dict[str, Any]:
    """What the assistant said."""
    metadata = {"assistant_id": ASSISTANT, "model_id": "m1"}
    return {
        "sender_id": sender,
        "event": "bot",
        "timestamp": BEGAN + number,
        "text": text,
        "metadata": metadata,
        **more,
    }


def action(sender: str, number: float, name: str = "utter_greet", **more: Any) -> dict[str, Any]:
    """What the assistant did."""
    metadata = {"assistant_id": ASSISTANT, "model_id": "m1"}
    return {
        "sender_id": sender, "event": "action", "timestamp": BEGAN + number, "name": name, "metadata": metadata, **more
    }  # fmt: skip


def slot(sender: str, number: float, name: str, value: object = 1) -> dict[str, Any]:
    """A slot that was set."""
    metadata = {"assistant_id": ASSISTANT}
    return {
        "sender_id": sender, "event": "slot", "timestamp": BEGAN + number, "name": name, "value": value,
        "metadata": metadata,
    }  # fmt: skip


def as_bytes(event: object) -> bytes:
    """The value of the event's record."""
    return json.dumps(event).encode()


def records(*events: object, first: int = 0) -> list[FakeRecord]:
    """Records with consecutive offsets; bytes are taken as they are."""
    return [
        FakeRecord(first + index, event if isinstance(event, bytes) else as_bytes(event))
        for index, event in enumerate(events)
    ]
