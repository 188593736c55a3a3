"""`Studio`: the platform of a namespace that its assistants share."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from studio_operator.api.v1alpha1.access import EmbeddedIdentity, Gateway, Identity, Ingress
from studio_operator.api.v1alpha1.common import (
    DeletionPolicy,
    LocalObject,
    Model,
    ObjectMeta,
    Replicated,
    Sized,
    map_list,
    rules,
    unique,
)
from studio_operator.api.v1alpha1.parse import parse
from studio_operator.api.v1alpha1.patterns import ORIGIN, REGISTRY
from studio_operator.api.v1alpha1.status import ReadableStudioStatus, StudioStatus
from studio_operator.api.v1alpha1.stores import (
    Database,
    DatabaseStorage,
    EmbeddedDatabase,
    EmbeddedEventBroker,
    EmbeddedObjectStore,
    EventBroker,
    EventBrokerStorage,
    ObjectStore,
    ObjectStoreStorage,
    TopicName,
    volume_is_fixed,
)

DEFAULT_PUBLIC_URL = "http://localhost:8180"


class StudioImages(Model):
    """Where images come from."""

    registry: Annotated[str, Field(pattern=REGISTRY.regex, max_length=255)] | None = Field(
        default=None,
        description="Registry, with or without a path, that replaces the one of every image the operator ships.",
    )
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        default="IfNotPresent", description="When the kubelet pulls images."
    )
    pull_secrets: Annotated[
        list[LocalObject], Field(max_length=8, json_schema_extra=map_list("name")), AfterValidator(unique("name"))
    ] = Field(default=[], description="Secrets with registry credentials, in the same namespace, for every pod.")


class FinishedJobs(Model):
    """For how long the Job of a training stays after its end, with its pod, to be looked at."""

    succeeded_seconds: Annotated[int, Field(ge=0, le=604_800)] = Field(
        default=60, description="After a training that made its model."
    )
    failed_seconds: Annotated[int, Field(ge=0, le=604_800)] = Field(
        default=3600, description="After any other attempt, once its log is archived."
    )


class StudioTraining(Model):
    """Training of all assistants of the Studio."""

    consumers: Annotated[int, Field(ge=1, le=50)] = Field(
        default=1, description="Trainings that run at the same time; further ones wait in the queue."
    )
    finished_jobs: FinishedJobs = Field(default=FinishedJobs(), description="How long the Jobs of trainings stay.")


# What a Studio does that says nothing about warming.
DEFAULT_WARMING: Literal["Never", "BeforeTrainingEnds"] = "BeforeTrainingEnds"


class StudioRunning(Model):
    """Running of all assistants of the Studio."""

    model_config = rules(
        (
            "(has(self.policy) && self.policy == 'Fixed') == has(self.consumers)",
            "set consumers if, and only if, policy is Fixed",
        )
    )

    policy: Literal["AssistantsPlusOne", "AssistantsTimesTwo", "Fixed"] = Field(
        default="AssistantsPlusOne",
        description="How many running consumers there are; each can hold one running model. AssistantsPlusOne: one is "
        "always free for the next model. AssistantsTimesTwo: for teams that train often. Fixed: see consumers.",
    )
    consumers: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None, description="Number of running consumers under the policy Fixed."
    )
    warming: Literal["Never", "BeforeTrainingEnds"] = Field(
        default=DEFAULT_WARMING,
        description="When the engine of a next model is started. Never: once there is the model. BeforeTrainingEnds: "
        "when the training is expected to need less than a minute more, in a slot that no run needs; so the model "
        "answers within seconds. Takes the memory of one more engine for that minute.",
    )

    @model_validator(mode="after")
    def _fixed_with_number(self) -> Self:
        if (self.policy == "Fixed") != (self.consumers is not None):
            raise ValueError("set consumers if, and only if, policy is Fixed")
        return self


_SMALL = "Default: requests cpu 50m, memory 128Mi; limit memory 384Mi."
_CONSUMER = "Default: requests cpu 20m, memory 64Mi; limit memory 160Mi."
_PROXY = "Default: requests cpu 5m, memory 16Mi; limit memory 128Mi."


def _each_once(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("a topic is named twice; keep one of them")
    return names


class Ingestion(Model):
    """The way of conversation events from topics into the database."""

    topics: Annotated[
        list[TopicName],
        Field(max_length=16, json_schema_extra={"x-kubernetes-list-type": "set"}),
        AfterValidator(_each_once),
    ] = Field(
        default=[],
        description="Further topics to read, such as those of assistants that are deployed elsewhere. They must exist.",
    )
    replicas: Annotated[int, Field(ge=1, le=50)] = Field(
        default=1, description="Number of pods; more than the topic has partitions are idle."
    )
    backfill: bool = Field(
        default=True,
        description="Whether what an engine could not publish is read later from where it keeps conversations.",
    )


class Components(Model):
    """Size of the Studio's own components."""

    training_orchestrator: Replicated = Field(
        default=Replicated(), description=f"Keeps the queue of trainings. {_SMALL}"
    )
    running_orchestrator: Replicated = Field(default=Replicated(), description=f"Keeps models running. {_SMALL}")
    training_consumer: Sized = Field(default=Sized(), description=f"Attends one training at a time. {_CONSUMER}")
    running_consumer: Sized = Field(default=Sized(), description=f"Attends one running model. {_CONSUMER}")
    backend: Replicated = Field(default=Replicated(), description=f"Answers web client and command line. {_SMALL}")
    ingestion: Sized = Field(
        default=Sized(),
        description="Brings conversation events into the database. "
        "Default: requests cpu 20m, memory 96Mi; limit memory 256Mi.",
    )
    web_client: Replicated = Field(
        default=Replicated(),
        description="Serves the files of the web client. Default: requests cpu 5m, memory 16Mi; limit memory 64Mi.",
    )
    entry_proxy: Replicated = Field(default=Replicated(), description=f"Is the one origin of it all. {_PROXY}")
    migration: Sized = Field(default=Sized(), description=f"Brings the database up to date. {_SMALL}")


PublicUrl = Annotated[str, Field(pattern=ORIGIN.regex, max_length=255)]
# Browsers leave these out of the origins that they send, so nothing would match.
_USUAL_PORT = "^http://.*:80$|^https://.*:443$"
_PORT_IS_UNUSUAL = (
    f"!has(self.publicUrl) || !self.publicUrl.matches('{_USUAL_PORT}')",
    "publicUrl: leave out the usual port of its scheme",
)
_CERTIFICATE_IS_USED = (
    (
        "!has(self.ingress) || !has(self.ingress.tlsSecretName)"
        " || (has(self.publicUrl) && self.publicUrl.startsWith('https://'))"
    ),
    "ingress.tlsSecretName needs a publicUrl with https",
)


class StudioSpec(Model):
    """What the Studio should be. `{}` is a complete Studio with embedded stores."""

    model_config = rules(
        volume_is_fixed("database", DatabaseStorage().size),
        volume_is_fixed("objectStore", ObjectStoreStorage().size),
        volume_is_fixed("eventBroker", EventBrokerStorage().size),
        _PORT_IS_UNUSUAL,
        _CERTIFICATE_IS_USED,
    )

    public_url: PublicUrl = Field(
        default=DEFAULT_PUBLIC_URL,
        description="Where people reach the Studio: web client, back end, sign-in and the channels of its assistants. "
        "Browsers need https, or localhost, to sign in.",
    )
    ingress: Ingress | None = Field(default=None, description="An Ingress for publicUrl; without it there is none.")
    gateway: Gateway | None = Field(
        default=None, description="An HTTPRoute of the Gateway API for publicUrl; without it there is none."
    )
    images: StudioImages = Field(default=StudioImages(), description="Where images come from.")
    database: Database = Field(
        default=Database(embedded=EmbeddedDatabase()),
        description="The PostgreSQL server of queue, registry and conversations. Default: embedded.",
    )
    object_store: ObjectStore = Field(
        default=ObjectStore(embedded=EmbeddedObjectStore()),
        description="The S3 storage of content, models and logs. Default: embedded.",
    )
    event_broker: EventBroker = Field(
        default=EventBroker(embedded=EmbeddedEventBroker()),
        description="The Kafka that carries conversation events. Default: embedded.",
    )
    ingestion: Ingestion = Field(default=Ingestion(), description="From topics into the database.")
    identity: Identity = Field(
        default=Identity(embedded=EmbeddedIdentity()),
        description="Where people sign in; it may be changed later. Default: embedded.",
    )
    training: StudioTraining = Field(default=StudioTraining(), description="Training of all assistants.")
    running: StudioRunning = Field(default=StudioRunning(), description="Running of all assistants.")
    components: Components = Field(default=Components(), description="Replicas and resources by component.")
    deletion_policy: DeletionPolicy = Field(
        default="Retain",
        description="What becomes of the volumes of embedded stores, and their passwords, when the Studio is deleted.",
    )
    paused: bool = Field(
        default=False,
        description="While true the operator leaves everything as it is, and still deletes when asked to.",
    )

    @model_validator(mode="after")
    def _fitting_url(self) -> Self:
        if re.search(_USUAL_PORT, self.public_url):
            raise ValueError(_PORT_IS_UNUSUAL[1])
        if self.ingress and self.ingress.tls_secret_name and not self.public_url.startswith("https://"):
            raise ValueError(_CERTIFICATE_IS_USED[1])
        return self


class Studio(Model):
    """A Studio as read from the API server."""

    metadata: ObjectMeta
    spec: StudioSpec = StudioSpec()
    status: ReadableStudioStatus = StudioStatus()


def parse_studio(body: Mapping[str, Any]) -> Studio:
    """The model of a Studio manifest. Raises InvalidSpec."""
    return parse(Studio, body)
