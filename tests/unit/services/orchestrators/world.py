"""The stage of the orchestrators' tests: desired states, tokens, clients."""

from dataclasses import dataclass, field
from typing import Any

import aiohttp
from tests.fakes.storage import FakeStore
from tests.support.serving import Client
from tests.support.tokens import TokenMaker

from studio.auth.keys import Issuer, Keys
from studio.auth.verification import Verifier
from studio.contract.model_service import DesiredRunning, DesiredTraining, EnginePod
from studio.model_service.items import Kind
from studio.model_service.leasing import Queue
from studio.model_service.orchestrators.http import Access
from studio.model_service.orchestrators.orchestrator import Connections
from studio.model_service.orchestrators.roles import Roles
from studio.settings import ProcessSettings

OPERATOR = "system:serviceaccount:studio-system:studio-operator"
UID = "6f1f4c1e-0000-4000-8000-000000000001"
PROCESS = ProcessSettings(studio="studio", namespace="ns", pod="test", version="1.0.0")


def fingerprint(text: str) -> str:
    return (text * 64)[:64].encode().hex()[:64]


def desired_training(content: str | None = "a", **changes: Any) -> DesiredTraining:
    values: dict[str, Any] = {
        "uid": UID, "name": "concierge", "namespace": "ns", "studio": "studio",
        "fingerprint": fingerprint(content) if content else None, "engine": EnginePod(image="engine:1"),
    }  # fmt: skip
    return DesiredTraining(**{**values, **changes})


def desired_running(content: str | None = "a", **changes: Any) -> DesiredRunning:
    values: dict[str, Any] = {
        "uid": UID, "name": "concierge", "namespace": "ns", "studio": "studio",
        "fingerprint": fingerprint(content) if content else None, "engine": EnginePod(image="engine:1"),
    }  # fmt: skip
    return DesiredRunning(**{**values, **changes})


@dataclass
class World:
    """The stage of one test."""

    made: Connections
    store: FakeStore
    tokens: TokenMaker
    session: aiohttp.ClientSession
    base: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def queue(self) -> Queue:
        return Queue(self.made.pool, connect=self.made.connect)

    def access(self, kind: Kind) -> Access:
        async def source() -> Issuer:
            return self.tokens.issuer

        roles = Roles.of(kind, studio="studio", namespace="ns", operator=OPERATOR)
        return Access(Verifier(Keys(source)), roles)

    @property
    def operator(self) -> Client:
        return self.client(OPERATOR)

    def consumer(self, name: str = "training-consumer") -> Client:
        return self.client(f"system:serviceaccount:ns:studio-{name}")

    def helper(self, job: str, account: str = "training") -> Client:
        return self.client(f"system:serviceaccount:ns:studio-{account}", pod=f"{job}-x7z9k")

    def client(self, subject: str, **claims: Any) -> Client:
        return Client(self.session, self.base, self.tokens.token(subject, **claims))
