"""Settings of the back end."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from studio.auth.oidc import OidcSettings
from studio.contract.identity import CLI_CLIENT, WEB_CLIENT
from studio.settings import AuthSettings, DatabaseSettings, Environment, ProcessSettings, StorageSettings, required


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """What the web client and the command line are told before anybody has signed in."""

    public_url: str
    web_client_id: str
    cli_client_id: str

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        """PUBLIC_URL, OIDC_WEB_CLIENT_ID, OIDC_CLI_CLIENT_ID."""
        return cls(
            public_url=required(env, "PUBLIC_URL").rstrip("/"),
            web_client_id=env.get("OIDC_WEB_CLIENT_ID") or WEB_CLIENT,
            cli_client_id=env.get("OIDC_CLI_CLIENT_ID") or CLI_CLIENT,
        )


@dataclass(frozen=True, slots=True)
class ModelServiceSettings:
    """Where the orchestrators are, and the file with the token for them."""

    training_url: str
    running_url: str
    token_file: Path

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        """TRAINING_ORCHESTRATOR_URL, RUNNING_ORCHESTRATOR_URL, MODEL_SERVICE_TOKEN_FILE."""
        return cls(
            training_url=required(env, "TRAINING_ORCHESTRATOR_URL"),
            running_url=required(env, "RUNNING_ORCHESTRATOR_URL"),
            token_file=Path(required(env, "MODEL_SERVICE_TOKEN_FILE")),
        )


@dataclass(frozen=True, slots=True)
class BackendSettings:
    """Environment of `backend`."""

    process: ProcessSettings
    database: DatabaseSettings
    storage: StorageSettings
    auth: AuthSettings
    oidc: OidcSettings
    clients: ClientSettings
    model_service: ModelServiceSettings

    @classmethod
    def from_env(cls, env: Environment = os.environ) -> Self:
        """Read everything; raises SettingsError for the first thing that is missing."""
        return cls(
            process=ProcessSettings.from_env(env),
            database=DatabaseSettings.from_env(env),
            storage=StorageSettings.from_env(env),
            auth=AuthSettings.from_env(env),
            oidc=OidcSettings.from_env(env),
            clients=ClientSettings.from_env(env),
            model_service=ModelServiceSettings.from_env(env),
        )
