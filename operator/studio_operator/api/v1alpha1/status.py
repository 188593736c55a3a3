"""What the operator reports in `status` of both custom resources.

No length limits that could refuse a report: texts are cut to size instead.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from studio_operator.api.v1alpha1.common import Model, map_list

# The limit of metav1.Condition; one limit for all texts.
MESSAGE_MAX = 32_768


def _cut(value: Any) -> Any:
    return value if not isinstance(value, str) or len(value) <= MESSAGE_MAX else value[: MESSAGE_MAX - 1] + "…"


Text = Annotated[str, BeforeValidator(_cut)]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Generation = Annotated[int, Field(json_schema_extra={"format": "int64"})]


class Condition(Model):
    """One aspect of the state, in the form of metav1.Condition."""

    type: str = Field(description="Which aspect, such as Ready.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    observed_generation: Generation = Field(default=0, description="The metadata.generation it was found for.")
    last_transition_time: Time = Field(description="When status changed last.")
    reason: str = Field(description="Why, in one CamelCase word for programs.")
    message: Text = Field(default="", description="Why, in words for people.")


Conditions = Annotated[list[Condition], Field(max_length=32, json_schema_extra=map_list("type"))]


class TrainingProgress(Model):
    """How far a training is, as far as its engine tells."""

    step: str = Field(default="", description="The component that the engine trains, such as DIETClassifier.")
    percent: int | None = Field(default=None, description="How much of that step is done, if the engine tells.")


class TrainingStatus(Model):
    """The newest training of the current content."""

    id: str = Field(default="", description="Id of the training; its Jobs are named <id>-<attempt>.")
    state: str = Field(default="", description="Queued, Running, Succeeded, Failed, Cancelled or Superseded.")
    position: int | None = Field(default=None, description="Place in the queue while Queued, beginning with 1.")
    waits_for: Text | None = Field(default=None, description="What it waits for while Queued, in words.")
    estimated_start: Time | None = Field(
        default=None, description="When it is expected to start while Queued, to the minute, if that can be told."
    )
    reason: str = Field(default="", description="Why it is in this state, in one word.")
    message: Text = Field(default="", description="Why it is in this state; after a failure the engine's own words.")
    progress: TrainingProgress | None = Field(default=None, description="How far it is while its engine trains.")


class ModelStatus(Model):
    """The model that answers; if none does, that of the current content, else the newest."""

    version: str = Field(default="", description="Number of the model; spec.running.model accepts it.")
    sha256: str = Field(default="", description="Digest of the model archive, in hex.")
    trained_at: Time | None = Field(default=None, description="When it was trained.")


class RunStatus(Model):
    """The run that answers, or the newest one while none does."""

    id: str = Field(default="", description="Id of the run; its Jobs are named <id>-<attempt>.")
    state: str = Field(default="", description="Queued, Starting, Ready, Draining, Stopped or Failed.")
    reason: str = Field(default="", description="Why it is in this state, in one word.")


class Urls(Model):
    """Where the assistant answers."""

    rest: str | None = Field(default=None, description="REST channel, from inside the cluster.")
    public: str | None = Field(default=None, description="REST channel at the Studio's public address, if exposed.")


class AssistantStatus(Model):
    """What the operator found."""

    observed_generation: Generation = Field(default=0, description="The metadata.generation this status is about.")
    conditions: Conditions = Field(default=[], description="State by aspect; Ready sums them up.")
    studio: str | None = Field(default=None, description="The Studio it is part of.")
    fingerprint: str | None = Field(
        default=None, description="Digest of the content, language, id and engine image that is wanted."
    )
    training: TrainingStatus | None = Field(default=None, description="The newest training of the current content.")
    model: ModelStatus | None = Field(
        default=None, description="The model that answers; if none does, that of the current content, else the newest."
    )
    run: RunStatus | None = Field(default=None, description="The run that answers, or that will.")
    urls: Urls | None = Field(default=None, description="Where the assistant answers.")


class ComponentStatus(Model):
    """How many pods of a component are ready."""

    name: str = Field(description="Name of the component, as in its label app.kubernetes.io/component.")
    ready: int = Field(default=0, description="Pods that are ready.")
    desired: int = Field(default=0, description="Pods that are wanted.")


class StudioStatus(Model):
    """What the operator found."""

    observed_generation: Generation = Field(default=0, description="The metadata.generation this status is about.")
    conditions: Conditions = Field(default=[], description="State by part; Ready sums them up.")
    version: str | None = Field(default=None, description="Version that is completely rolled out.")
    url: str | None = Field(default=None, description="Where people reach it: spec.publicUrl.")
    assistants: int | None = Field(default=None, description="Assistants of this Studio that are not being deleted.")
    running_slots: int | None = Field(default=None, description="Running consumers: each can hold one running model.")
    components: Annotated[list[ComponentStatus], Field(max_length=64, json_schema_extra=map_list("name"))] = Field(
        default=[], description="Pods by component."
    )


def _or_empty(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    """Another version of the operator may have written what this one cannot read; that must not stop a pass."""
    try:
        return handler(value)
    except ValidationError:
        return handler({})


ReadableAssistantStatus = Annotated[AssistantStatus, WrapValidator(_or_empty)]
ReadableStudioStatus = Annotated[StudioStatus, WrapValidator(_or_empty)]
