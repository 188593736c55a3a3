"""Conversations, their events, and the chat with an assistant."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from studio.backend.models.common import LARGEST_ID, Line, LongText, Model, Moment, Request

# What may stand in a topic's key, in a URL and in the engine's tracker without any quoting.
SENDER = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
TAG = r"^[\w][\w .:/-]*$"

Confidence = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Sender = Annotated[str, StringConstraints(pattern=SENDER, max_length=64)]


class Filters(Request):
    """What conversations must be like, and which part of their list is asked for; what is null does not matter."""

    model_config = ConfigDict(populate_by_name=True)

    assistant: Line | None = Field(default=None, description="name of an assistant, or the id of one elsewhere")
    since: Moment | None = Field(default=None, alias="from", description="something happened at or after this moment")
    until: Moment | None = Field(default=None, alias="to", description="it began at or before this moment")
    intent: Line | None = None
    action: Line | None = None
    channel: Line | None = None
    tag: Line | None = None
    flagged: bool | None = Field(default=None, description="whether there is a flag that is not resolved")
    text: Line | None = Field(default=None, description='words of messages, as in a web search: hello -bye "see you"')
    min_confidence: Confidence | None = Field(default=None, description="of the intent that was least sure")
    max_confidence: Confidence | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, StringConstraints(max_length=400)] | None = None


class Event(Model):
    """One event of a conversation; `data` is all that the engine told."""

    seq: int
    at: datetime
    type: str
    text: str | None
    intent: str | None
    confidence: float | None
    action: str | None
    data: dict[str, Any]


class Conversation(Model):
    """A conversation as it is listed."""

    id: int
    assistant_id: str
    sender_id: str
    channel: str | None
    started_at: datetime
    last_event_at: datetime
    user_messages: int
    bot_messages: int
    min_confidence: float | None
    tags: list[str]
    flags: int = Field(description="flags that are not resolved")
    preview: str | None


class Flag(Model):
    """Something to be looked at in a conversation."""

    id: int
    event_seq: int | None
    reason: str
    created_by: str
    created_at: datetime
    resolved_by: str | None
    resolved_at: datetime | None


class ConversationDetail(Conversation):
    """A conversation with what happened in it."""

    flag_list: list[Flag]
    events: list[Event] = Field(description="oldest first; of a very long conversation the newest ones")


class NewFlag(Request):
    """What to flag, and why; without `event_seq` the whole conversation."""

    event_seq: Annotated[int, Field(ge=1, le=LARGEST_ID)] | None = None
    reason: Line


class TagCount(Model):
    """A tag and how many conversations have it."""

    tag: str
    count: int


class ChatMessage(Request):
    """A message to an assistant; the same sender goes on with the same conversation."""

    sender: Sender
    message: Annotated[LongText, StringConstraints(min_length=1, max_length=4000)]


class Button(Model):
    """A choice that the assistant offers."""

    title: str
    payload: str | None


class Reply(Model):
    """One message of the assistant."""

    text: str | None
    image: str | None
    buttons: list[Button] | None
    custom: Any | None


class ChatAnswer(Model):
    """What the assistant answers at once."""

    messages: list[Reply]
    sender: str


class ChatEvents(Model):
    """What happened in a trial conversation."""

    events: list[Event]
