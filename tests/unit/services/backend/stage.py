"""The stage of the back end's tests: people with tokens, a cluster in memory, real orchestrators on a real database."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import asyncpg
from fastapi import FastAPI
from joserfc.jwk import KeySet
from tests.fakes.kube import FakeKube
from tests.fakes.storage import FakeStore
from tests.support.patience import STUCK_SECONDS
from tests.support.serving import Client
from tests.support.tokens import TokenMaker

from studio.auth.keys import Issuer, Keys
from studio.auth.oidc import OidcSettings, PeopleVerifier
from studio.auth.verification import Verifier
from studio.backend.access import Access
from studio.backend.services import Services
from studio.contract import labels
from studio.kube import Manifest
from studio.settings import ProcessSettings

OPERATOR = "system:serviceaccount:studio-system:studio-operator"
PROCESS = ProcessSettings(studio="studio", namespace="ns", pod="test", version="1.2.3")
OIDC = OidcSettings(issuer="https://studio.example.com/auth/realms/studio")
ROLES = ("viewer", "analyst", "annotator", "designer", "developer", "admin")
UID = "6f1f4c1e-0000-4000-8000-000000000001"


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait for a condition; five seconds are plenty."""
    async with asyncio.timeout(STUCK_SECONDS):
        while True:
            found = condition()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.005)


class People:
    """Makes access tokens."""

    def __init__(self, maker: TokenMaker) -> None:
        self.maker = maker

    def token(self, *roles: str, subject: str = "", assistants: list[str] | None = None, **claims: Any) -> str:
        name = subject or "-".join(roles) or "nobody"
        usual: dict[str, Any] = {
            "iss": OIDC.issuer, "aud": OIDC.audience, "preferred_username": name, "name": name.title(),
            "email": f"{name}@example.com", "roles": list(roles), "typ": "Bearer", "kubernetes.io": None,
        }  # fmt: skip
        if assistants is not None:
            usual["assistants"] = assistants
        return self.maker.token(f"subject-of-{name}", **{**usual, **claims})


def access(people: TokenMaker, services: TokenMaker) -> Access:
    async def issuer() -> Issuer:
        return Issuer(OIDC.issuer, KeySet.import_key_set(people.jwks()))

    async def cluster() -> Issuer:
        return services.issuer

    return Access(PeopleVerifier(Keys(issuer), OIDC), Verifier(Keys(cluster)), OPERATOR)


@dataclass
class Stage:
    """The stage of one test."""

    app: FastAPI
    base: str
    services: Services
    kube: FakeKube
    store: FakeStore
    people: People
    tokens: TokenMaker
    session: aiohttp.ClientSession
    pool: asyncpg.Pool
    training: Client

    def person(self, *roles: str, **claims: Any) -> Client:
        return Client(self.session, self.base, self.people.token(*roles, **claims))

    @property
    def admin(self) -> Client:
        return self.person("admin")

    @property
    def operator(self) -> Client:
        return Client(self.session, self.base, self.tokens.token(OPERATOR))

    def put_assistant(self, name: str = "concierge", uid: str = UID, **spec: Any) -> Manifest:
        """An Assistant as the operator has reported it."""
        return self.kube.put(assistant(name, uid, **spec))


def assistant(name: str = "concierge", uid: str = UID, *, available: bool = True, **spec: Any) -> Manifest:
    answer = "True" if available else "False"
    moment = "2026-11-21T08:00:00Z"
    return {
        "apiVersion": labels.API_VERSION,
        "kind": "Assistant",
        "metadata": {"name": name, "namespace": "ns", "uid": uid, "creationTimestamp": moment, "generation": 2},
        "spec": {"source": {"studio": {}}, "language": "en", **spec},
        "status": {
            "conditions": [
                {"type": "Ready", "status": answer, "reason": "Serving", "message": "", "lastTransitionTime": moment},
                {"type": "Available", "status": answer, "reason": "NotTrained", "message": "no model was trained yet",
                 "lastTransitionTime": moment},
            ],
            "training": {"id": f"{name}-t1-abcde", "state": "Succeeded", "reason": "Trained"},
            "model": {"version": "1", "sha256": "0" * 64, "trainedAt": moment},
            "run": {"id": f"{name}-r1-abcde", "state": "Ready"},
            "urls": {"rest": f"http://{name}.ns.svc:5005/webhooks/rest/webhook"},
        },
    }  # fmt: skip
