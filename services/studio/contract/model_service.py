"""The messages between the operator, the orchestrators, the consumers' Jobs and their helpers.

Every message travels as JSON under the snake_case names below. Times are RFC 3339 in UTC, sizes are bytes,
durations are seconds. Readers ignore fields that they do not know, so that either side may be upgraded first.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from studio.contract.reasons import SILENT, Reason

# As spec.training.priority of an Assistant.
Priority = Annotated[int, Field(ge=-1000, le=1000, description="higher ones start first")]
ModelTag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=50)]


class Message(BaseModel):
    """Base of all messages: immutable, unknown fields ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class TrainingState(StrEnum):
    """Where a training is. The last four are final."""

    QUEUED = "Queued"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    SUPERSEDED = "Superseded"

    @property
    def final(self) -> bool:
        """Whether the training will not change any more."""
        return self not in (TrainingState.QUEUED, TrainingState.RUNNING)


class RunState(StrEnum):
    """Where a run is. `Ready` means the engine has the intended model loaded; the last two are final.

    `Warming`: its engine is started, or waits, for a model that is still being trained.
    """

    QUEUED = "Queued"
    WARMING = "Warming"
    STARTING = "Starting"
    READY = "Ready"
    DRAINING = "Draining"
    STOPPED = "Stopped"
    FAILED = "Failed"

    @property
    def final(self) -> bool:
        """Whether the run has ended."""
        return self in (RunState.STOPPED, RunState.FAILED)


class SecretKey(Message):
    """A key of a Secret in the same namespace."""

    name: str
    key: str


class EnginePod(Message):
    """How the engine's container and its pod are made; Kubernetes shapes are passed through as they are."""

    image: str
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: list[str] = []
    env: list[dict[str, Any]] = []
    licence: SecretKey | None = None
    resources: dict[str, Any] = {}
    node_selector: dict[str, str] = {}
    tolerations: list[dict[str, Any]] = []
    affinity: dict[str, Any] | None = None
    priority_class_name: str | None = None


class AssistantIdentity(Message):
    """Which assistant a message is about. A new uid under an old name is a new assistant."""

    uid: str
    name: str
    namespace: str
    studio: str


class DesiredTraining(AssistantIdentity):
    """What the operator wants of the training orchestrator for one assistant (PUT /v1/assistants/{name})."""

    fingerprint: str | None = Field(
        description="sha256 (hex) of content, language, id and engine image; null: no usable content"
    )
    trigger: str = "OnChange"
    priority: int = 0
    deadline_seconds: int = 3600
    attempts: int = 2
    keep_models: int = 10
    keep_trainings: int = 20
    paused: bool = False
    stall_seconds: int = Field(default=900, description="an engine that writes nothing for so long is stuck; 0: never")
    queue_name: str | None = Field(default=None, description="the Kueue queue that admits its Jobs; null: none")
    succeeded_job_seconds: int = Field(default=60, description="for which a Job stays after it has made its model")
    failed_job_seconds: int = Field(default=3600, description="for which any other Job stays once its log is archived")
    engine: EnginePod


class DesiredRunning(AssistantIdentity):
    """What the operator wants of the running orchestrator for one assistant (PUT /v1/assistants/{name})."""

    fingerprint: str | None
    mode: str = "Always"
    idle_seconds: int = Field(default=1800, description="with mode OnDemand: ends what hears nothing for so long")
    model: str = Field(default="latest", description="`latest` or a model version")
    credentials: str | None = Field(default=None, description="Secret whose key credentials.yml holds the channels")
    credentials_digest: str | None = Field(
        default=None, description="sha256 (hex) of that Secret's content: other channels take a new run; null: not told"
    )
    licence_digest: str | None = Field(
        default=None, description="the same of the Secret with the engine's licence, which engines read at their start"
    )
    stores_digest: str | None = Field(
        default=None, description="of where engines keep what is said, and publish it; the orchestrator's own to say"
    )
    actions_url: str | None = None
    paused: bool = False
    warming: bool = Field(default=False, description="start the engine of the next model before its training ends")
    engine: EnginePod


class ModelView(Message):
    """One immutable trained model."""

    version: str
    fingerprint: str
    sha256: str
    size: int
    trained_at: datetime
    training: str
    engine_image: str
    seconds: float | None = Field(default=None, description="that the engine took to train it; null: not known")
    parent: str | None = Field(
        default=None,
        description="the version that answered when this one was made, else the newest one then, kept or not; "
        "null: there was none",
    )
    tags: list[str] = Field(default=[], description="what people call it, sorted; a tagged model is kept")


class Progress(Message):
    """How far a training is, as far as its engine tells."""

    step: str = Field(default="", description="the component that the engine trains, such as DIETClassifier")
    percent: int | None = Field(
        default=None, description="how much of that step is done; null: the engine does not tell"
    )

    @property
    def words(self) -> str:
        """Such as `DIETClassifier, 40 %`; empty if nothing is known."""
        return ", ".join(filter(None, (self.step, "" if self.percent is None else f"{self.percent} %")))


class TrainingView(Message):
    """One training as everybody sees it."""

    id: str
    assistant: str
    fingerprint: str
    state: TrainingState
    reason: str
    message: str = ""
    attempt: int = 0
    position: int | None = Field(default=None, description="1-based place in the queue while Queued")
    waits_for: str = Field(default="", description="what it waits for while Queued, as a sentence")
    starts_in: float | None = Field(
        default=None,
        description="expected seconds until it starts while Queued, from what trainings took; null: nobody can tell",
    )
    priority: int = Field(default=0, description="higher ones start first")
    progress: Progress | None = Field(default=None, description="how far it is while its engine trains")
    requested_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    model_version: str | None = None


class TransitionView(Message):
    """One entry of the audit of a training: who changed it, when, and why."""

    at: datetime
    who: str = Field(description="a person, `operator`, or the consumer that held it")
    from_state: str | None = Field(default=None, description="null: it was made")
    to_state: str = Field(description="the same as `from_state` where something else changed, such as its attempt")
    reason: str
    message: str = ""
    attempt: int = 0


class CacheHit(Message):
    """Why nothing is trained: the same content, configuration and engine image have a model already."""

    reason: str = Field(default=Reason.CACHE_HIT.value, description="always CacheHit")
    message: str
    model: ModelView


class RunView(Message):
    """One run as everybody sees it.

    No run tells when it is expected to start: a slot becomes free when somebody's run ends, which nobody can foresee.
    """

    id: str
    assistant: str
    model_version: str = Field(description="empty while it is warmed: its model is still being trained")
    model_sha256: str
    state: RunState
    reason: str
    message: str = ""
    attempt: int = 0
    position: int | None = Field(default=None, description="1-based place among the queued runs while Queued")
    waits_for: str = Field(default="", description="what it waits for while Queued, as a sentence")
    serving: bool = Field(default=False, description="whether the Service of the assistant sends to this run")
    requested_at: datetime
    ready_at: datetime | None = None

    @property
    def answers(self) -> bool:
        """Whether its engine answers with the intended model at this moment."""
        return self.state is RunState.READY and self.reason not in SILENT


class ObservedTraining(Message):
    """The answer to PUT /v1/assistants/{name} of the training orchestrator."""

    needs_content: bool = Field(description="the bytes of the desired fingerprint are not stored yet: PUT them")
    training: TrainingView | None = Field(default=None, description="the newest training of the desired fingerprint")
    model: ModelView | None = Field(default=None, description="the model of the desired fingerprint")
    latest_model: ModelView | None = Field(default=None, description="the newest model of the assistant")
    cache_hit: bool = Field(
        default=False, description="whether `model` was there before its fingerprint was wanted: nothing was trained"
    )


class ObservedRunning(Message):
    """The answer to PUT /v1/assistants/{name} of the running orchestrator."""

    target: ModelView | None = Field(default=None, description="the model that should serve")
    serving: RunView | None = None
    outdated: bool = Field(
        default=False,
        description="whether the serving run has the right model but other settings than are wanted now, such as its "
        "channels: another run takes its place",
    )
    newest: RunView | None = Field(default=None, description="the newest run of the target model, final or not")
    warming: RunView | None = Field(default=None, description="the run that waits for a model that is being trained")
    trackers_durable: bool | None = Field(
        default=None,
        description="whether the serving engine keeps its conversations in PostgreSQL; null: not known yet",
    )
    problem_reason: str | None = Field(
        default=None, description="why the Service of the assistant cannot be written, such as Conflict or Forbidden"
    )
    problem: str | None = Field(default=None, description="the same as a sentence; null: nothing is wrong with it")


class HeldSlot(Message):
    """A running consumer that is taken, or about to be: a run that has begun and not ended."""

    assistant: str
    run: str
    model_version: str = Field(description="empty while it is warmed")
    state: RunState


class Slots(Message):
    """What the running consumers of a Studio hold (GET /v1/slots of the running orchestrator)."""

    held: list[HeldSlot] = []
    waiting: int = Field(default=0, description="runs in the queue")


class Removal(Message):
    """The answer to DELETE /v1/assistants/{name}?uid=…&delete_data=…: `gone` when nothing is left to stop or clean."""

    gone: bool
    message: str = Field(default="", description="what is waited for")
    waiting_seconds: float = Field(default=0.0, description="since the removal was first asked for; 0 once gone")


class Change(Message):
    """One event of the change stream (GET /v1/changes, server-sent events): look at this assistant again."""

    assistant: str


class FileDigest(Message):
    """What a file must be."""

    sha256: str
    size: int


class TicketRequest(Message):
    """How it went with the address of the last ticket, in a request for another."""

    missing: bool = Field(default=False, description="the object store had no such object")


class FetchTicket(FileDigest):
    """Where a training's helper finds the content (POST /v1/trainings/{id}/attempts/{n}/fetch)."""

    url: str


class UploadRequest(Message):
    """What a training's helper is about to store (POST /v1/trainings/{id}/attempts/{n}/upload)."""

    model: FileDigest
    log: FileDigest


class UploadTicket(Message):
    """Where it stores it: presigned PUT URLs with the headers to send."""

    model_url: str
    model_headers: dict[str, str] = {}
    log_url: str
    log_headers: dict[str, str] = {}


class TrainingResult(Message):
    """What was stored (POST /v1/trainings/{id}/attempts/{n}/result); accepting it makes the model, exactly once."""

    model: FileDigest
    members: list[str] = Field(description="names of the archive's members, sorted")
    seconds: float


class TrackerStore(Message):
    """The PostgreSQL schema of one assistant's conversations."""

    host: str
    port: int
    database: str
    db_schema: str
    username: str
    password: str
    sslmode: str = Field(default="prefer", description="as libpq knows it: disable, prefer, require, verify-full")
    ca: str | None = Field(
        default=None, description="PEM of the authority to trust with verify-full; null: the system's"
    )


class EventBrokerLogin(Message):
    """The Kafka topic that an engine publishes its conversation events to."""

    servers: list[str]
    topic: str
    security_protocol: str = Field(description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL")
    sasl_mechanism: str | None = Field(default=None, description="PLAIN, SCRAM-SHA-256, SCRAM-SHA-512; null: no SASL")
    username: str | None = None
    password: str | None = None
    ca: str | None = Field(default=None, description="PEM of the authority to trust; null: the system's")
    certificate: str | None = Field(default=None, description="PEM of a client's certificate")
    key: str | None = Field(default=None, description="PEM of its private key")


class ModelTicket(Message):
    """Where a run's helper finds a model, and what it must be."""

    model_version: str
    model: FileDigest
    model_url: str
    members: list[str]


class EngineTicket(Message):
    """What an engine is started with, whatever its model."""

    tracker_store: TrackerStore
    actions_url: str | None = None
    event_broker: EventBrokerLogin | None = Field(default=None, description="null: events are published nowhere")


class RunTicket(ModelTicket, EngineTicket):
    """All a run's helper needs to start its engine (POST /v1/runs/{id}/attempts/{n}/start)."""


class WarmTicket(EngineTicket):
    """What an engine is warmed with, before its own model is there (POST /v1/runs/{id}/attempts/{n}/warm)."""

    warm_with: ModelTicket | None = Field(
        default=None, description="a model of the same assistant to load meanwhile; null: the one in the engine's image"
    )


class AwaitedModel(Message):
    """The answer to POST /v1/runs/{id}/attempts/{n}/model, which waits for the model of a warm engine for a while."""

    model: ModelTicket | None = Field(description="null: it is not there yet, ask again")


class RunReport(Message):
    """What a run's helper found once its engine is ready (POST /v1/runs/{id}/attempts/{n}/report)."""

    trackers_durable: bool | None = Field(default=None, description="null: not known yet")
    message: str = ""
    loaded: str | None = Field(default=None, description="sha256 of the model that a warm engine has taken")
    refused: str | None = Field(default=None, description="why a warm engine did not take its model")


class FieldProblem(Message):
    """What is wrong with one field of a request."""

    field: str
    message: str


class Problem(Message):
    """An error answer (RFC 9457, application/problem+json)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    instance: str = ""
    request_id: str = ""
    errors: list[FieldProblem] = Field(default=[], description="what is wrong with the request, field by field")
