"""Settings of the processes, read from the environment once at start; secrets stay in files and are read when used."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

Environment = Mapping[str, str]

SSL_MODES = ("disable", "prefer", "require", "verify-full")
# What Kafka calls them; the first of each is the default.
SECURITY_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
SASL_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


class SettingsError(Exception):
    """The environment lacks a setting or holds one that cannot be used."""


def required(env: Environment, name: str) -> str:
    """The value of a variable that must be set and not empty."""
    value = env.get(name, "")
    if not value:
        raise SettingsError(f"the environment variable {name} is not set: set it in the pod's specification")
    return value


def number(env: Environment, name: str, default: int) -> int:
    """The value of a variable that holds an integer."""
    value = env.get(name, "")
    try:
        return int(value) if value else default
    except ValueError:
        raise SettingsError(f"the environment variable {name} must be an integer, not {value!r}") from None


def one_of(env: Environment, name: str, allowed: tuple[str, ...]) -> str:
    """The value of a variable that knows few; the first is the default."""
    value = env.get(name) or allowed[0]
    if value not in allowed:
        raise SettingsError(f"the environment variable {name} must be one of {', '.join(allowed)}, not {value!r}")
    return value


def names(text: str) -> tuple[str, ...]:
    """The entries of a comma-separated list, without blanks and empty ones."""
    return tuple(entry.strip() for entry in text.split(",") if entry.strip())


def read_secret(path: Path) -> str:
    """The secret in a file without surrounding white space; files are read at each use, because Secrets rotate."""
    secret = path.read_text(encoding="utf-8").strip()
    if not secret:
        raise SettingsError(f"the secret file {path} is empty: fill the key of its Secret")
    return secret


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """One login to one database of the PostgreSQL server."""

    host: str
    port: int
    name: str
    user: str
    password_file: Path
    ssl_mode: str = "prefer"
    ca_file: Path | None = None

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        """DATABASE_HOST, _PORT, _NAME, _USER, _PASSWORD_FILE, _SSLMODE and, for verify-full, _CA_FILE."""
        ssl_mode = env.get("DATABASE_SSLMODE") or "prefer"
        if ssl_mode not in SSL_MODES:
            raise SettingsError(
                f"the environment variable DATABASE_SSLMODE must be one of {', '.join(SSL_MODES)}, not {ssl_mode!r}"
            )
        ca_file = env.get("DATABASE_CA_FILE")
        return cls(
            host=required(env, "DATABASE_HOST"),
            port=number(env, "DATABASE_PORT", 5432),
            name=env.get("DATABASE_NAME") or "studio",
            user=env.get("DATABASE_USER") or "studio",
            password_file=Path(required(env, "DATABASE_PASSWORD_FILE")),
            ssl_mode=ssl_mode,
            ca_file=Path(ca_file) if ca_file else None,
        )

    def login(self, *, name: str, user: str, password_file: Path) -> Self:
        """Another login to the same server."""
        return replace(self, name=name, user=user, password_file=password_file)


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """A bucket of an S3-compatible store."""

    endpoint: str
    region: str
    bucket: str
    access_key_file: Path
    secret_key_file: Path
    prefix: str = ""

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        """S3_ENDPOINT, S3_REGION, S3_BUCKET, S3_PREFIX, S3_ACCESS_KEY_FILE, S3_SECRET_KEY_FILE."""
        return cls(
            endpoint=required(env, "S3_ENDPOINT"),
            region=env.get("S3_REGION") or "us-east-1",
            bucket=env.get("S3_BUCKET") or "studio",
            access_key_file=Path(required(env, "S3_ACCESS_KEY_FILE")),
            secret_key_file=Path(required(env, "S3_SECRET_KEY_FILE")),
            prefix=env.get("S3_PREFIX", ""),
        )


@dataclass(frozen=True, slots=True)
class EventBrokerSettings:
    """A login to the Kafka that carries the conversation events.

    `folder` holds what the login takes, each a file that may be missing: `username` (else `default_username`),
    `password`, `ca.crt` (the authority to trust, else the system's), `tls.crt` and `tls.key` (a client's certificate).
    """

    servers: tuple[str, ...]
    folder: Path
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = ""
    default_username: str = ""

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        """EVENT_BROKER_SERVERS (comma separated), _SECURITY_PROTOCOL, _SASL_MECHANISM, _FOLDER, _USERNAME."""
        protocol = one_of(env, "EVENT_BROKER_SECURITY_PROTOCOL", SECURITY_PROTOCOLS)
        mechanism = one_of(env, "EVENT_BROKER_SASL_MECHANISM", SASL_MECHANISMS)
        return cls(
            servers=names(required(env, "EVENT_BROKER_SERVERS")),
            folder=Path(env.get("EVENT_BROKER_FOLDER") or "/etc/studio/event-broker"),
            security_protocol=protocol,
            sasl_mechanism=mechanism if protocol.startswith("SASL_") else "",
            default_username=env.get("EVENT_BROKER_USERNAME", ""),
        )


@dataclass(frozen=True, slots=True)
class EventsTopicSettings:
    """The topic of the conversation events, and the one for records that could not be read."""

    name: str = "studio-events"
    dead_letters: str = "studio-events-dead-letters"
    partitions: int = 6
    replication: int = 1

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        """EVENTS_TOPIC, EVENTS_DEAD_LETTER_TOPIC, EVENTS_PARTITIONS, EVENTS_REPLICATION."""
        name = env.get("EVENTS_TOPIC") or "studio-events"
        return cls(
            name=name,
            dead_letters=env.get("EVENTS_DEAD_LETTER_TOPIC") or f"{name}-dead-letters",
            partitions=number(env, "EVENTS_PARTITIONS", 6),
            replication=number(env, "EVENTS_REPLICATION", 1),
        )


@dataclass(frozen=True, slots=True)
class ProcessSettings:
    """What every process knows about itself."""

    studio: str
    namespace: str
    pod: str
    version: str
    port: int = 8080

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        """STUDIO, NAMESPACE, POD_NAME, VERSION, PORT."""
        return cls(
            studio=required(env, "STUDIO"),
            namespace=required(env, "NAMESPACE"),
            pod=env.get("POD_NAME") or "local",
            version=env.get("VERSION") or "dev",
            port=number(env, "PORT", 8080),
        )


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """Who may call an orchestrator. With `jwks_file` the keys come from there instead of from the API server."""

    operator: str
    jwks_file: Path | None = None
    issuer: str | None = None

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        """AUTH_OPERATOR; AUTH_JWKS_FILE together with AUTH_ISSUER where there is no API server to ask."""
        jwks_file = env.get("AUTH_JWKS_FILE")
        return cls(
            operator=required(env, "AUTH_OPERATOR"),
            jwks_file=Path(jwks_file) if jwks_file else None,
            issuer=required(env, "AUTH_ISSUER") if jwks_file else None,
        )


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """The login that makes the roles and schemas of the conversations, and the key of their passwords."""

    database: DatabaseSettings
    key_file: Path

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        """TRACKERS_DATABASE, TRACKERS_USER, TRACKERS_PASSWORD_FILE, TRACKER_KEY_FILE beside the DATABASE_* ones."""
        return cls(
            database=DatabaseSettings.from_env(env).login(
                name=env.get("TRACKERS_DATABASE") or "trackers",
                user=env.get("TRACKERS_USER") or "trackers",
                password_file=Path(required(env, "TRACKERS_PASSWORD_FILE")),
            ),
            key_file=Path(required(env, "TRACKER_KEY_FILE")),
        )


@dataclass(frozen=True, slots=True)
class TrainingOrchestratorSettings:
    """Environment of `training-orchestrator`."""

    process: ProcessSettings
    database: DatabaseSettings
    storage: StorageSettings
    auth: AuthSettings

    @classmethod
    def from_env(cls, env: Environment = os.environ) -> Self:
        """Read everything; raises SettingsError for the first thing that is missing."""
        return cls(
            process=ProcessSettings.from_env(env),
            database=DatabaseSettings.from_env(env),
            storage=StorageSettings.from_env(env),
            auth=AuthSettings.from_env(env),
        )


@dataclass(frozen=True, slots=True)
class EngineEventsSettings:
    """Where and as whom engines publish their conversation events."""

    broker: EventBrokerSettings
    topic: str

    @classmethod
    def optional(cls, env: Environment) -> Self | None:
        """The EVENT_BROKER_* ones with ENGINE_EVENTS_FOLDER, _USERNAME; EVENTS_TOPIC. None: they publish nowhere."""
        if not env.get("EVENT_BROKER_SERVERS"):
            return None
        broker = replace(
            EventBrokerSettings.from_env(env),
            folder=Path(env.get("ENGINE_EVENTS_FOLDER") or "/etc/studio/event-broker-engine"),
            default_username=env.get("ENGINE_EVENTS_USERNAME", ""),
        )
        return cls(broker, EventsTopicSettings.from_env(env).name)


@dataclass(frozen=True, slots=True)
class RunningOrchestratorSettings:
    """Environment of `running-orchestrator`."""

    process: ProcessSettings
    database: DatabaseSettings
    storage: StorageSettings
    auth: AuthSettings
    trackers: TrackerSettings
    events: EngineEventsSettings | None = None

    @classmethod
    def from_env(cls, env: Environment = os.environ) -> Self:
        """Read everything; raises SettingsError for the first thing that is missing."""
        return cls(
            process=ProcessSettings.from_env(env),
            database=DatabaseSettings.from_env(env),
            storage=StorageSettings.from_env(env),
            auth=AuthSettings.from_env(env),
            trackers=TrackerSettings.from_env(env),
            events=EngineEventsSettings.optional(env),
        )


@dataclass(frozen=True, slots=True)
class Login:
    """A role to be made on the server, with the file that holds its password."""

    role: str
    password_file: Path


@dataclass(frozen=True, slots=True)
class KeycloakDatabase:
    """The database that Keycloak keeps its users in, and the role that owns it."""

    name: str
    owner: Login

    @classmethod
    def optional(cls, env: Environment) -> Self | None:
        """KEYCLOAK_DATABASE, KEYCLOAK_USER, KEYCLOAK_PASSWORD_FILE; None without the last: identity is elsewhere."""
        password_file = env.get("KEYCLOAK_PASSWORD_FILE")
        if not password_file:
            return None
        owner = Login(env.get("KEYCLOAK_USER") or "keycloak", Path(password_file))
        return cls(env.get("KEYCLOAK_DATABASE") or "keycloak", owner)


@dataclass(frozen=True, slots=True)
class EventsMigration:
    """The topics that `migrate` makes, and the user that may write events: of an embedded broker, else empty."""

    broker: EventBrokerSettings
    topic: EventsTopicSettings
    writer: str = ""

    @classmethod
    def optional(cls, env: Environment) -> Self | None:
        """The EVENT_BROKER_* and EVENTS_* ones, EVENT_BROKER_ENGINE_USER; None without EVENT_BROKER_SERVERS."""
        if not env.get("EVENT_BROKER_SERVERS"):
            return None
        return cls(
            broker=EventBrokerSettings.from_env(env),
            topic=EventsTopicSettings.from_env(env),
            writer=env.get("EVENT_BROKER_ENGINE_USER", ""),
        )


@dataclass(frozen=True, slots=True)
class MigrateSettings:
    """Environment of `migrate`."""

    database: DatabaseSettings
    admin: DatabaseSettings
    studio: Login
    trackers: Login
    trackers_database: str
    patience: float = field(default=120.0)
    keycloak: KeycloakDatabase | None = None
    events: EventsMigration | None = None

    @classmethod
    def from_env(cls, env: Environment = os.environ) -> Self:
        """DATABASE_*, TRACKERS_*, DATABASE_ADMIN_USER, _PASSWORD_FILE; KEYCLOAK_* and EVENT_* where there are any."""
        database = DatabaseSettings.from_env(env)
        return cls(
            database=database,
            admin=database.login(
                name=env.get("DATABASE_ADMIN_NAME") or "postgres",
                user=env.get("DATABASE_ADMIN_USER") or "postgres",
                password_file=Path(required(env, "DATABASE_ADMIN_PASSWORD_FILE")),
            ),
            studio=Login(database.user, database.password_file),
            trackers=Login(env.get("TRACKERS_USER") or "trackers", Path(required(env, "TRACKERS_PASSWORD_FILE"))),
            trackers_database=env.get("TRACKERS_DATABASE") or "trackers",
            patience=float(number(env, "MIGRATE_PATIENCE_SECONDS", 120)),
            keycloak=KeycloakDatabase.optional(env),
            events=EventsMigration.optional(env),
        )


@dataclass(frozen=True, slots=True)
class IngestionSettings:
    """Environment of `ingestion`. `trackers` is a login that can read the tracker schemas; None: no back-fill."""

    process: ProcessSettings
    database: DatabaseSettings
    broker: EventBrokerSettings
    topic: EventsTopicSettings
    more_topics: tuple[str, ...] = ()
    trackers: DatabaseSettings | None = None

    @classmethod
    def from_env(cls, env: Environment = os.environ) -> Self:
        """The process, DATABASE_*, EVENT_BROKER_*, EVENTS_* ones, INGESTION_TOPICS, INGESTION_BACKFILL, TRACKERS_*."""
        database = DatabaseSettings.from_env(env)
        trackers = None
        if one_of(env, "INGESTION_BACKFILL", ("true", "false")) == "true":
            trackers = database.login(
                name=env.get("TRACKERS_DATABASE") or "trackers",
                user=env.get("TRACKERS_USER") or "trackers",
                password_file=Path(required(env, "TRACKERS_PASSWORD_FILE")),
            )
        topic = EventsTopicSettings.from_env(env)
        return cls(
            process=ProcessSettings.from_env(env),
            database=database,
            broker=EventBrokerSettings.from_env(env),
            topic=topic,
            more_topics=tuple(name for name in names(env.get("INGESTION_TOPICS", "")) if name != topic.name),
            trackers=trackers,
        )
