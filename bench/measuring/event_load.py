"""Conversation events as Rasa makes them, for measurements of ingestion. Pure."""

import json
from collections.abc import Iterator
from typing import Any

BEGAN = 1_760_000_000.0
TURNS = 4
METADATA = {"assistant_id": "default.concierge", "model_id": "8d2f7c1a5b3e4f60"}


def conversations(count: int) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of `count` records: conversations of a few turns, about ten of them going on at a time."""
    made = 0
    for group in range(count):
        for turn in range(TURNS):
            for member in range(10):
                sender = f"visitor-{group * 10 + member:07d}"
                for event in turn_of(sender, turn, BEGAN + group * 60 + turn * 10 + member / 10):
                    if made == count:
                        return
                    made += 1
                    yield sender.encode(), json.dumps(event).encode()


def turn_of(sender: str, turn: int, at: float) -> list[dict[str, Any]]:
    """What one message sets off: the message, a slot, an action, the answer, and listening again."""
    intent = f"intent_{turn}"
    ranking = [{"name": f"intent_{rank}", "confidence": 0.9 / (rank + 1)} for rank in range(5)]
    text = f"I would like to book a table for {turn + 2} people please"
    events: list[dict[str, Any]] = [
        {
            "event": "user", "text": text, "input_channel": "rest", "message_id": f"{sender}-{turn}",
            "parse_data": {"intent": {"name": intent, "confidence": 0.9}, "entities": [], "text": text,
                           "intent_ranking": ranking, "text_tokens": [[0, 1], [2, 7], [8, 12]]},
        },
        {"event": "slot", "name": "people", "value": turn + 2},
        {"event": "action", "name": f"utter_answer_{turn}", "policy": "RulePolicy", "confidence": 1.0},
        {"event": "bot", "text": "Very well, which day would suit you?",
         "data": {"elements": None, "quick_replies": None, "buttons": None, "attachment": None, "image": None}},
        {"event": "action", "name": "action_listen", "policy": "RulePolicy", "confidence": 1.0},
    ]  # fmt: skip
    return [
        {"sender_id": sender, "timestamp": at + index / 1000, "metadata": METADATA, **event}
        for index, event in enumerate(events)
    ]
