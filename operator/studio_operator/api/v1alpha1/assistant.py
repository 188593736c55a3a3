"""`Assistant`: one conversational assistant, described by its content and how it is trained and run."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from studio_operator.api.quantity import Requirements
from studio_operator.api.v1alpha1.common import (
    CheckedEnvironment,
    DataKey,
    DeletionPolicy,
    FilePath,
    Image,
    LocalObject,
    Model,
    ModelVersion,
    ObjectMeta,
    ObjectName,
    Problem,
    ResourceName,
    Resources,
    Scheduling,
    SecretKeyRef,
    check_exactly_one,
    exactly_one_rule,
    rules,
    unique,
)
from studio_operator.api.v1alpha1.parse import parse
from studio_operator.api.v1alpha1.patterns import FILE_PATH, GIT_URL, LANGUAGE, OBJECT_NAME, ORIGINS
from studio_operator.api.v1alpha1.status import AssistantStatus, ReadableAssistantStatus

DEFAULT_STUDIO = "studio"
CREDENTIALS_KEY = "credentials.yml"

RUNNING_RESOURCES: Requirements = {"requests": {"cpu": "200m", "memory": "700Mi"}, "limits": {"memory": "2Gi"}}
TRAINING_RESOURCES: Requirements = {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "2Gi"}}
ACTIONS_RESOURCES: Requirements = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}

_SOURCES = ("files", "config_maps", "git", "studio")


def _paths(files: dict[str, str]) -> dict[str, str]:
    # Map keys cannot be given a pattern in a CRD, so this is checked here only.
    for path in files:
        if not re.fullmatch(FILE_PATH.regex, path):
            raise ValueError(f"{path[:80]!r} is not a usable file name; {FILE_PATH.advice}")
    return files


class ConfigMapItem(Model):
    """A key of a ConfigMap and the file it becomes."""

    key: DataKey = Field(description="Key within the ConfigMap.")
    path: FilePath = Field(description="Path of the file in the assistant's content, such as data/nlu.yml.")


class ConfigMapSource(Model):
    """A ConfigMap that holds content, one file per key."""

    name: ObjectName = Field(description="Name of the ConfigMap, in the same namespace.")
    items: Annotated[list[ConfigMapItem], Field(min_length=1, max_length=256)] | None = Field(
        default=None, description="Keys to take and the files they become; without it every key becomes a file."
    )


class GitSource(Model):
    """A Git repository that holds content."""

    url: Annotated[str, Field(pattern=GIT_URL.regex, max_length=2048)] = Field(description="URL of the repository.")
    ref: Annotated[str, Field(max_length=255)] = Field(default="main", description="Branch, tag or commit.")
    path: FilePath | None = Field(default=None, description="Folder with the content; without it the root.")
    secret_ref: LocalObject | None = Field(default=None, description="Secret with the credentials of the repository.")


class StudioSource(Model):
    """Content that is edited in the web client or pushed by the command line."""


class Source(Model):
    """Where the content comes from: exactly one of these.

    config.yml and domain*.yml are known by name, test_* is kept out of training, everything else is training data.
    """

    model_config = rules(exactly_one_rule("files", "configMaps", "git", "studio"))

    files: (
        Annotated[
            dict[str, Annotated[str, Field(max_length=1_000_000)]],
            Field(min_length=1, max_length=256),
            AfterValidator(_paths),
        ]
        | None
    ) = Field(default=None, description="The content itself: file names and their text. For small assistants.")
    config_maps: (
        Annotated[list[ConfigMapSource], Field(min_length=1, max_length=32), AfterValidator(unique("name"))] | None
    ) = Field(
        default=None,
        description="ConfigMaps of the same namespace; a change in one of them trains anew.",
    )
    git: GitSource | None = Field(default=None, description="A Git repository. Not available in this release.")
    studio: StudioSource | None = Field(
        default=None, description="Edited in the web client or pushed by the CLI; what was published last is trained."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        check_exactly_one(self, *_SOURCES)
        return self


class Engine(Model):
    """The engine that trains and runs the assistant: Rasa Open Source, or an image with the same HTTP API."""

    image: Image | None = Field(
        default=None, description="Image of the engine; without it the one that the operator ships."
    )
    licence_secret_ref: SecretKeyRef | None = Field(
        default=None, description="Key of the Secret with the licence, for engines that need one."
    )
    env: CheckedEnvironment = Field(default=[], description="Environment variables for trainings and runs.")
    resources: Resources = Field(
        default=Resources(),
        description="Resources of the engine, for trainings and runs, where those do not set their own. "
        "Default of a run: requests cpu 200m, memory 700Mi; limit memory 2Gi.",
    )


class History(Model):
    """How much of the past is kept."""

    models: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=10, description="Models to keep, newest first; the one that serves always stays."
    )
    trainings: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=20, description="Finished trainings, with their logs, to keep."
    )


class Training(Scheduling):
    """How the assistant is trained; every training is a Job of its own."""

    trigger: Literal["OnChange", "Manual"] = Field(
        default="OnChange", description="OnChange: when the content or the engine changes. Manual: when asked to."
    )
    priority: Annotated[int, Field(ge=-1000, le=1000)] = Field(
        default=0, description="Place in the Studio's queue: higher goes first."
    )
    deadline_seconds: Annotated[int, Field(ge=60, le=604_800)] = Field(
        default=3600, description="How long a training may take, in seconds, counted from the start of the engine."
    )
    stall_seconds: Annotated[int, Field(ge=0, le=86_400)] = Field(
        default=900,
        description="After so many seconds without any output of the engine a training counts as stuck: "
        "it is tried once more. 0: never.",
    )
    queue_name: Annotated[str, Field(min_length=1, max_length=63, pattern=OBJECT_NAME.regex)] | None = Field(
        default=None,
        description="LocalQueue of Kueue in the same namespace: Jobs are made suspended and start once it admits them. "
        "Until then each holds a training consumer of the Studio, for ever if there is no such queue: correct the "
        "name, cancel the training, and ask for it again.",
    )
    retries: Annotated[int, Field(ge=0, le=10)] = Field(
        default=1, description="Further attempts after one that failed for a reason other than the content."
    )
    resources: Resources = Field(
        default=Resources(),
        description="Resources of the training engine; wins over engine.resources. "
        "Default: requests cpu 500m, memory 1Gi; limit memory 2Gi.",
    )
    history: History = Field(default=History(), description="How many models and trainings are kept.")


class Running(Scheduling):
    """How the assistant runs; every running model is a Job of its own."""

    mode: Literal["Always", "OnDemand", "Never"] = Field(
        default="Always",
        description="Always: a model runs all the time. Never: the assistant is only trained. "
        "OnDemand: a model runs once somebody has started it, and ends when nobody has used it for idleMinutes.",
    )
    idle_minutes: int = Field(
        default=30, ge=1, le=10_080, description="With mode OnDemand: ends what has heard nothing for so many minutes."
    )
    model: ModelVersion = Field(
        default="latest",
        description="Model that serves: latest, or the number of a model (as in status.model.version) to keep.",
    )
    resources: Resources = Field(
        default=Resources(), description="Resources of the running engine; wins over engine.resources."
    )
    warming: bool = Field(
        default=True,
        description="Whether the engine of its next model may be started before the training ends, where the Studio "
        "wants that (spec.running.warming of the Studio).",
    )


class Cors(Model):
    """Web sites of others that may use the assistant from a browser."""

    allowed_origins: Annotated[
        list[Annotated[str, Field(pattern=ORIGINS.regex, max_length=255)]], Field(max_length=64)
    ] = Field(
        default=[],
        description="Origins of those sites, such as https://www.example.com, or * for all. "
        "The Studio's own is always allowed.",
    )


Exposed = Literal["rest", "socketio"]


class Channels(Model):
    """Channels of the assistant beside REST, which is always there, and which of them people reach from outside."""

    cors: Cors = Field(default=Cors(), description="Who may use the channels at /talk/<assistant>/ from a browser.")
    expose: (
        Annotated[list[Exposed], Field(max_length=2, json_schema_extra={"x-kubernetes-list-type": "set"})] | None
    ) = Field(
        default=None,
        description="Channels that the Studio's publicUrl serves at /talk/<assistant>/; an empty list: none. "
        "Default: rest, and socketio where credentialsSecretRef is set.",
    )

    credentials_secret_ref: LocalObject | None = Field(
        default=None, description="Secret whose key credentials.yml configures the channels, as the engine expects it."
    )


class Actions(Model):
    """A server of custom actions for this assistant."""

    image: Image = Field(description="Image of the action server; it must listen on port 5055 and answer GET /health.")
    env: CheckedEnvironment = Field(default=[], description="Environment variables of the action server.")
    resources: Resources = Field(
        default=Resources(),
        description="Resources of the action server. Default: requests cpu 50m, memory 128Mi; limit memory 512Mi.",
    )
    replicas: Annotated[int, Field(ge=1, le=20)] = Field(default=1, description="Number of pods.")


class StudioRef(Model):
    """The Studio that an assistant is part of."""

    name: ResourceName = Field(description="Name of a Studio of the same namespace.")


_EFFECTIVE_STUDIO = f"(has({{}}.studioRef) ? {{}}.studioRef.name : '{DEFAULT_STUDIO}')"


class AssistantSpec(Model):
    """What the assistant should be."""

    model_config = rules(
        (
            f"{_EFFECTIVE_STUDIO.format('self', 'self')} == {_EFFECTIVE_STUDIO.format('oldSelf', 'oldSelf')}",
            "studioRef cannot be changed: create the assistant anew in the other Studio",
        )
    )

    studio_ref: StudioRef | None = Field(
        default=None,
        description="Studio that trains and runs the assistant; cannot be changed later. Default: the Studio named "
        f"{DEFAULT_STUDIO}, which is created when it is missing.",
    )
    language: Annotated[str, Field(pattern=LANGUAGE.regex, max_length=35)] = Field(
        default="en", description="Language of the assistant, as an IETF language tag."
    )
    source: Source = Field(description="Where the content comes from: exactly one of files, configMaps, git, studio.")
    engine: Engine = Field(default=Engine(), description="The engine that trains and runs the assistant.")
    training: Training = Field(default=Training(), description="How the assistant is trained.")
    running: Running = Field(default=Running(), description="How the assistant runs.")
    channels: Channels = Field(default=Channels(), description="Channels beside REST, which is always there.")
    actions: Actions | None = Field(default=None, description="A server of custom actions; without it there is none.")
    deletion_policy: DeletionPolicy = Field(
        default="Retain",
        description="What becomes of models, logs and conversations when the assistant is deleted.",
    )
    paused: bool = Field(
        default=False,
        description="While true the operator leaves everything as it is, and still deletes when asked to.",
    )


class Assistant(Model):
    """An Assistant as read from the API server."""

    metadata: ObjectMeta
    spec: AssistantSpec
    status: ReadableAssistantStatus = AssistantStatus()

    @property
    def studio(self) -> str:
        """The name of the Studio it is part of."""
        return self.spec.studio_ref.name if self.spec.studio_ref else DEFAULT_STUDIO


def parse_assistant(body: Mapping[str, Any]) -> Assistant:
    """The model of an Assistant manifest. Raises InvalidSpec."""
    return parse(Assistant, body)


def unsupported(spec: AssistantSpec) -> list[Problem]:
    """What the schema accepts and this release does not do."""
    if spec.source.git is None:
        return []
    return [Problem("spec.source.git", "is not available in this release: use files, configMaps or studio")]
