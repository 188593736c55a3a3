"""The stores of a Studio: database, object store and event broker, each embedded or somebody else's."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from studio_operator.api.v1alpha1.common import (
    LocalObject,
    Model,
    ObjectName,
    PlainQuantity,
    Resources,
    check_exactly_one,
    exactly_one_rule,
    rules,
)
from studio_operator.api.v1alpha1.patterns import BOOTSTRAP_SERVERS, TOPIC, URL

DATABASE_KEYS = ("host", "port", "user", "password", "sslmode")
OBJECT_STORE_KEYS = ("access-key", "secret-key")
LOGIN_KEYS = ("username", "password")

TopicName = Annotated[str, Field(pattern=TOPIC.regex, max_length=249)]


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


class EventBrokerStorage(DatabaseStorage):
    """The volume of the embedded event broker."""


class EmbeddedEventBroker(Model):
    """One small Kafka pod with a volume, for trying out and for small teams."""

    storage: EventBrokerStorage = Field(
        default=EventBrokerStorage(), description="The volume; cannot be changed later."
    )
    resources: Resources = Field(
        default=Resources(),
        description="Resources of the pod. Default: requests cpu 100m, memory 256Mi; limit memory 768Mi.",
    )


class ExternalEventBroker(Model):
    """A Kafka cluster that somebody else runs."""

    model_config = rules(
        (
            "(has(self.securityProtocol) && !self.securityProtocol.startsWith('SASL_')) || has(self.secretRef)",
            "a securityProtocol with SASL needs secretRef",
        ),
    )

    bootstrap_servers: Annotated[str, Field(pattern=BOOTSTRAP_SERVERS.regex, max_length=2048)] = Field(
        description="Addresses to begin with, host:port, separated by commas."
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="SASL_SSL", description="How connections are protected."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="How clients sign in, where securityProtocol has SASL."
    )
    secret_ref: LocalObject | None = Field(
        default=None,
        description="Secret of the Studio's own login: keys username and password for SASL; where TLS needs them "
        "ca.crt, tls.crt and tls.key. The user must be allowed to create the topics, to write to them and to read.",
    )
    engine_secret_ref: LocalObject | None = Field(
        default=None,
        description="Secret of the engines' login, with the same keys: it only has to write to the topic of events. "
        "Without it engines use secretRef.",
    )

    @property
    def signs_in(self) -> bool:
        """Whether clients need a user and a password."""
        return self.security_protocol.startswith("SASL_")

    @model_validator(mode="after")
    def _login(self) -> Self:
        if self.signs_in and self.secret_ref is None:
            raise ValueError("a securityProtocol with SASL needs secretRef")
        return self


class EventTopic(Model):
    """The topic of conversation events. Beside it there is one for what could not be read, `<name>-dead-letters`."""

    name: TopicName = Field(default="studio-events", description="Name of the topic.")
    partitions: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=6, description="Partitions of the topic; an existing one grows to this, and never shrinks."
    )
    replication_factor: Annotated[int, Field(ge=1, le=10)] = Field(
        default=1, description="Brokers that hold each event of a new topic. The embedded broker is one."
    )


class EventBroker(Model):
    """The Kafka that carries conversation events: exactly one of embedded and external."""

    model_config = rules(
        exactly_one_rule("embedded", "external"),
        (
            (
                "!has(self.embedded) || !has(self.topic) || !has(self.topic.replicationFactor)"
                " || self.topic.replicationFactor == 1"
            ),
            "the embedded broker is one: topic.replicationFactor must be 1",
        ),
    )

    embedded: EmbeddedEventBroker | None = Field(default=None, description="One small pod, for trying and small teams.")
    external: ExternalEventBroker | None = Field(default=None, description="A cluster that somebody else runs.")
    topic: EventTopic = Field(default=EventTopic(), description="The topic of conversation events.")

    @model_validator(mode="after")
    def _one_broker(self) -> Self:
        check_exactly_one(self, "embedded", "external")
        if self.embedded and self.topic.replication_factor != 1:
            raise ValueError("the embedded broker is one: topic.replicationFactor must be 1")
        return self


def volume_is_fixed(store: str, size: str) -> tuple[str, str]:
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
