"""Assistants and the Studio as people see them."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from studio.backend.models.common import AssistantName, Line, Model, Request
from studio.contract.model_service import Progress


class Condition(Model):
    """One aspect of the state, in the form of metav1.Condition."""

    type: str
    status: str
    reason: str
    message: str
    last_transition_time: datetime | None


class AssistantTraining(Model):
    """The newest training of the wanted content."""

    id: str
    state: str
    position: int | None = Field(description="1-based place in the queue while Queued")
    waits_for: str | None = Field(description="what it waits for while Queued, as a sentence")
    estimated_start: datetime | None = Field(description="when it is expected to start; null: nobody can tell")
    progress: Progress | None = Field(description="how far it is while its engine trains")
    reason: str


class AssistantModel(Model):
    """The model that answers; if none does, that of the wanted content, else the newest."""

    version: str
    sha256: str
    trained_at: datetime | None


class AssistantRun(Model):
    """The run that answers, or that will."""

    id: str
    state: str


class Assistant(Model):
    """An assistant with its state."""

    name: str
    display_name: str | None
    language: str
    source: Literal["studio", "files", "config_maps", "git"]
    created_at: datetime | None
    ready: bool
    available: bool
    paused: bool
    deleting: bool
    conditions: list[Condition]
    fingerprint: str | None
    training: AssistantTraining | None
    model: AssistantModel | None
    run: AssistantRun | None
    urls: dict[str, str]
    published_revision: int | None
    generation: int


class NewAssistant(Request):
    """An assistant whose content is edited here."""

    name: AssistantName
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)] = "en"
    display_name: Line | None = None
    template: Literal["empty", "starter"] = "empty"


class Removed(Model):
    """The name of an assistant that is gone, or going."""

    name: str


class ComponentState(Model):
    """How many pods of a component are ready."""

    name: str
    ready: int
    desired: int


class IngestionState(Model):
    """How far the storing of events is behind."""

    lag: int = Field(description="events that are in the topics and not stored yet")
    dead_letters: int = Field(description="messages that could not be stored and were not replayed")


class StudioState(Model):
    """The Studio and its parts."""

    name: str
    namespace: str
    version: str | None
    ready: bool
    conditions: list[Condition]
    components: list[ComponentState]
    assistants: int | None
    running_slots: int | None
    ingestion: IngestionState
