"""`python -m studio.backend.openapi [--check]`: the description of the API in docs/openapi.json."""

import json
import sys
from pathlib import Path
from typing import Any

from studio.auth.keys import Keys, from_api_server
from studio.auth.oidc import OidcSettings, Person
from studio.auth.verification import InvalidToken, Verifier
from studio.backend.access import Access
from studio.backend.app import build_app
from studio.backend.model_service import ModelService
from studio.backend.process import health, make_services
from studio.backend.settings import ClientSettings
from studio.db.engine import create_engine
from studio.kube import Kube
from studio.model_service.orchestrator_client import OrchestratorClient
from studio.settings import DatabaseSettings, ProcessSettings

PATH = Path(__file__).parents[3] / "docs" / "openapi.json"


class _Nobody:
    """Knows nobody."""

    async def verify(self, token: str) -> Person:
        """Refuse."""
        del token
        raise InvalidToken("nobody can sign in here")


async def _nothing(path: str) -> bytes:
    raise FileNotFoundError(path)


def description() -> dict[str, Any]:
    """The description, made by an app that is connected to nothing."""
    nowhere = DatabaseSettings("localhost", 5432, "studio", "studio", Path("/nowhere"))
    process = ProcessSettings(studio="studio", namespace="studio", pod="docs", version="1")
    client = OrchestratorClient("http://localhost", Path("/nowhere"), patience=0)
    services = make_services(
        process=process,
        oidc=OidcSettings(issuer="http://localhost:8180/auth/realms/studio"),
        clients=ClientSettings("http://localhost:8180", "studio-web", "studio-cli"),
        engine=create_engine(nowhere, application_name="docs"),
        kube=Kube.__new__(Kube),
        store=None,  # type: ignore[arg-type]
        model_service=ModelService(client, client),
        session=None,  # type: ignore[arg-type]
    )
    access = Access(people=_Nobody(), services=Verifier(Keys(from_api_server(_nothing))), operator="")
    return build_app(services, access, health(services)).openapi()


def main(arguments: list[str]) -> int:
    """Write the file, or with --check only compare it; gives the exit code."""
    text = json.dumps(description(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if arguments == ["--check"]:
        if not PATH.exists() or PATH.read_text(encoding="utf-8") != text:
            sys.stderr.write(f"{PATH.name} is not up to date: run `python -m studio.backend.openapi`\n")
            return 1
        return 0
    PATH.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
