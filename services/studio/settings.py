"""Settings of the processes, read from the environment once at start; secrets stay in files and are read when used."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

Environment = Mapping[str, str]

SSL_MODES = ("disable", "prefer", "require", "verify-full")


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
class RunningOrchestratorSettings:
    """Environment of `running-orchestrator`."""

    process: ProcessSettings
    database: DatabaseSettings
    storage: StorageSettings
    auth: AuthSettings
    trackers: TrackerSettings

    @classmethod
    def from_env(cls, env: Environment = os.environ) -> Self:
        """Read everything; raises SettingsError for the first thing that is missing."""
        return cls(
            process=ProcessSettings.from_env(env),
            database=DatabaseSettings.from_env(env),
            storage=StorageSettings.from_env(env),
            auth=AuthSettings.from_env(env),
            trackers=TrackerSettings.from_env(env),
        )


@dataclass(frozen=True, slots=True)
class Login:
    """A role to be made on the server, with the file that holds its password."""

    role: str
    password_file: Path


@dataclass(frozen=True, slots=True)
class MigrateSettings:
    """Environment of `migrate`."""

    database: DatabaseSettings
    admin: DatabaseSettings
    studio: Login
    trackers: Login
    trackers_database: str
    patience: float = field(default=120.0)

    @classmethod
    def from_env(cls, env: Environment = os.environ) -> Self:
        """The DATABASE_* and TRACKERS_* ones, DATABASE_ADMIN_USER and DATABASE_ADMIN_PASSWORD_FILE."""
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
        )
