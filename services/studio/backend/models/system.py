"""Who asks, how to sign in, dead letters, and the audit log."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from studio.backend.models.common import LongText, Model, Request


class Configuration(Model):
    """What a client needs before anybody has signed in."""

    public_url: str
    version: str
    issuer: str
    web_client_id: str
    cli_client_id: str
    audience: str


class Me(Model):
    """Who asks, and what they may do."""

    subject: str
    username: str
    name: str | None
    email: str | None
    roles: list[str]
    assistants: list[str] | None = Field(description="the assistants that may be seen; null: all")
    permissions: list[str] = Field(description="names of operations")


class DeadLetter(Model):
    """A message that could not be stored as an event."""

    id: int
    topic: str
    partition: int
    offset: int
    key: str | None
    value: str | None = Field(description="the beginning of the message; what is not UTF-8 is replaced")
    reason: str
    detail: str
    created_at: datetime
    replay_requested_at: datetime | None
    replayed_at: datetime | None
    replay_result: str | None


class ReplayRequest(Request):
    """Which dead letters to replay: those that meet all that is given."""

    topic: Annotated[LongText, StringConstraints(max_length=249)] | None = None
    reason: Annotated[LongText, StringConstraints(max_length=200)] | None = None


class Replay(Model):
    """How many replays were requested."""

    requested: int


class AuditEntry(Model):
    """Who did what."""

    id: int
    at: datetime
    who: str
    operation: str
    target: str
    outcome: str
    request_id: str
