"""`Studio`: the platform of a namespace that its assistants share."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from studio_operator.api.v1alpha1.common import (
    DeletionPolicy,
    LocalObject,
    Model,
    ObjectMeta,
    ObjectName,
    PlainQuantity,
    Resources,
    check_exactly_one,
    exactly_one_rule,
    map_list,
    rules,
    unique,
)
from studio_operator.api.v1alpha1.parse import parse
from studio_operator.api.v1alpha1.patterns import REGISTRY, URL
from studio_operator.api.v1alpha1.status import ReadableStudioStatus, StudioStatus

DATABASE_KEYS = ("host", "port", "user", "password", "sslmode")
OBJECT_STORE_KEYS = ("access-key", "secret-key")


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


class DatabaseStorage(Model):
    """The volume of the embedded database."""

    size: PlainQuantity = Field(default="5Gi", description="Size of the volume; cannot be changed later.")
    class_name: ObjectName | None = Field(
        default=None, description="StorageClass; without it the cluster's default. Cannot be changed later."
    )


class ObjectStoreStorage(DatabaseStorage):
    """The volume of the embedded object store."""

    size: PlainQuantity = Field(default="10Gi", description="Size of the volume; cannot be changed later.")


class EmbeddedDatabase(Model):
    """One small PostgreSQL pod with a volume, for trying out and for small teams."""

    storage: DatabaseStorage = Field(default=DatabaseStorage(), description="The volume; cannot be changed later.")
    resources: Resources = Field(
        default=Resources(),
        description="Resources of the pod. Default: requests cpu 100m, memory 128Mi; limit memory 512Mi.",
    )


class ExternalDatabase(Model):
    """A PostgreSQL server that somebody else runs."""

    secret_ref: LocalObject = Field(
        description="Secret with the keys host, port, user, password and sslmode (disable, prefer, require or "
        "verify-full). The user must be allowed to create databases and roles: the Studio makes its own."
    )


class Database(Model):
    """The PostgreSQL server of queue, registry and conversations: exactly one of these."""

    model_config = rules(exactly_one_rule("embedded", "external"))

    embedded: EmbeddedDatabase | None = Field(default=None, description="One small pod, for trying and small teams.")
    external: ExternalDatabase | None = Field(
        default=None,
        description="A server that somebody else runs. One Studio per PostgreSQL server: the names of its databases "
        "and roles are the same in every Studio.",
    )

    @model_validator(mode="after")
    def _one_server(self) -> Self:
        check_exactly_one(self, "embedded", "external")
        return self


class EmbeddedObjectStore(Model):
    """One small S3 gateway with a volume, for trying out and for small teams."""

    storage: ObjectStoreStorage = Field(
        default=ObjectStoreStorage(), description="The volume; cannot be changed later."
    )
    resources: Resources = Field(
        default=Resources(),
        description="Resources of the pod. Default: requests cpu 50m, memory 64Mi; limit memory 512Mi.",
    )


class ExternalObjectStore(Model):
    """A bucket of an S3-compatible service that somebody else runs."""

    endpoint: Annotated[str, Field(pattern=URL.regex, max_length=2048)] = Field(
        description="URL of the service; it must be reachable from every pod of the Studio."
    )
    region: Annotated[str, Field(min_length=1, max_length=63)] = Field(
        default="us-east-1", description="Region that requests are signed for."
    )
    bucket: Annotated[str, Field(min_length=3, max_length=63)] = Field(description="Bucket; it must exist.")
    prefix: Annotated[str, Field(max_length=255)] = Field(
        default="", description="Begin of every key, so that several Studios can share a bucket. Empty: none."
    )
    secret_ref: LocalObject = Field(description="Secret with the keys access-key and secret-key.")


class ObjectStore(Model):
    """The S3 storage of content, models and logs: exactly one of these."""

    model_config = rules(exactly_one_rule("embedded", "external"))

    embedded: EmbeddedObjectStore | None = Field(default=None, description="One small pod, for trying and small teams.")
    external: ExternalObjectStore | None = Field(default=None, description="A bucket that somebody else runs.")

    @model_validator(mode="after")
    def _one_store(self) -> Self:
        check_exactly_one(self, "embedded", "external")
        return self


class StudioTraining(Model):
    """Training of all assistants of the Studio."""

    consumers: Annotated[int, Field(ge=1, le=50)] = Field(
        default=1, description="Trainings that run at the same time; further ones wait in the queue."
    )


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

    @model_validator(mode="after")
    def _fixed_with_number(self) -> Self:
        if (self.policy == "Fixed") != (self.consumers is not None):
            raise ValueError("set consumers if, and only if, policy is Fixed")
        return self


class Sized(Model):
    """Size of one component whose number of pods follows from something else."""

    resources: Resources = Field(default=Resources(), description="Resources of each pod.")


class Replicated(Sized):
    """Size of one component."""

    replicas: Annotated[int, Field(ge=1, le=10)] = Field(default=1, description="Number of pods.")


_SMALL = "Default: requests cpu 50m, memory 128Mi; limit memory 384Mi."
_CONSUMER = "Default: requests cpu 20m, memory 64Mi; limit memory 160Mi."


class Components(Model):
    """Size of the Studio's own components."""

    training_orchestrator: Replicated = Field(
        default=Replicated(), description=f"Keeps the queue of trainings. {_SMALL}"
    )
    running_orchestrator: Replicated = Field(default=Replicated(), description=f"Keeps models running. {_SMALL}")
    training_consumer: Sized = Field(default=Sized(), description=f"Attends one training at a time. {_CONSUMER}")
    running_consumer: Sized = Field(default=Sized(), description=f"Attends one running model. {_CONSUMER}")
    migration: Sized = Field(default=Sized(), description=f"Brings the database up to date. {_SMALL}")


def _volume_is_fixed(store: str, size: str) -> tuple[str, str]:
    """Volumes of a StatefulSet cannot be changed; a change of the kind of store is the reconcile's to judge.

    Strings are compared, and without optional types: anything else exceeds the cost that the API server allows.
    """
    external = " || ".join(f"has({version}.{store}) && has({version}.{store}.external)" for version in _VERSIONS)
    same = " && ".join(
        " == ".join(_value(version, f"{store}.embedded.storage.{field}", default) for version in _VERSIONS)
        for field, default in (("size", size), ("className", ""))
    )
    return f"{external} || {same}", f"{store}.embedded.storage cannot be changed once the Studio exists"


_VERSIONS = ("self", "oldSelf")


def _value(version: str, path: str, default: str) -> str:
    """CEL for a field that may be missing at any level."""
    steps = path.split(".")
    given = " && ".join(f"has({'.'.join([version, *steps[: depth + 1]])})" for depth in range(len(steps)))
    return f"({given} ? {version}.{path} : '{default}')"


class StudioSpec(Model):
    """What the Studio should be. `{}` is a complete Studio with embedded stores."""

    model_config = rules(
        _volume_is_fixed("database", DatabaseStorage().size), _volume_is_fixed("objectStore", ObjectStoreStorage().size)
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


class Studio(Model):
    """A Studio as read from the API server."""

    metadata: ObjectMeta
    spec: StudioSpec = StudioSpec()
    status: ReadableStudioStatus = StudioStatus()


def parse_studio(body: Mapping[str, Any]) -> Studio:
    """The model of a Studio manifest. Raises InvalidSpec."""
    return parse(Studio, body)
