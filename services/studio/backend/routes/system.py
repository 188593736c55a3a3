"""How to sign in, who asks, the Studio, dead letters, the audit log."""

from typing import Annotated

from fastapi import APIRouter, Path

from studio.backend import audit
from studio.backend.access import Caller, may
from studio.backend.authorisation import Operation, Role, permissions
from studio.backend.conversations import dead_letters
from studio.backend.manifests import studio_view
from studio.backend.models.assistants import StudioState
from studio.backend.models.common import Id, Page
from studio.backend.models.system import AuditEntry, Configuration, DeadLetter, Me, Replay, ReplayRequest
from studio.backend.routes import parameters
from studio.backend.services import Services

ReadMe = Annotated[Caller, may(Operation.ME_READ)]
ReadStatus = Annotated[Caller, may(Operation.STATUS_READ)]
ReadLetters = Annotated[Caller, may(Operation.DEAD_LETTERS_READ)]
ReplayLetters = Annotated[Caller, may(Operation.DEAD_LETTERS_REPLAY)]
ReadAudit = Annotated[Caller, may(Operation.AUDIT_READ)]


def public_routes(services: Services) -> APIRouter:
    """What anybody may ask."""
    router = APIRouter(tags=["system"])
    clients = services.clients

    @router.get("/config")
    async def get_config() -> Configuration:
        """What a client needs to sign people in."""
        return Configuration(
            public_url=clients.public_url,
            version=services.process.version,
            issuer=services.oidc.issuer,
            web_client_id=clients.web_client_id,
            cli_client_id=clients.cli_client_id,
            audience=services.oidc.audience,
        )

    return router


def routes(services: Services) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["system"])
    _overview(router, services)
    _dead_letters(router, services)
    return router


def _overview(router: APIRouter, services: Services) -> None:
    @router.get("/me")
    async def get_me(caller: ReadMe) -> Me:
        """Who asks, and what they may do."""
        person = caller.person
        return Me(
            subject=person.subject,
            username=person.username,
            name=person.name,
            email=person.email,
            roles=sorted(person.roles & set(Role)),
            assistants=None if person.assistants is None else sorted(person.assistants),
            permissions=sorted(permissions(person.roles)),
        )

    @router.get("/status")
    async def get_status(_: ReadStatus) -> StudioState:
        """The Studio and its parts."""
        return studio_view(
            services.live.studio(),
            name=services.process.studio,
            namespace=services.process.namespace,
            ingestion=await dead_letters.ingestion(services.engine),
        )

    @router.get("/audit")
    async def list_audit(
        _: ReadAudit, limit: parameters.Limit = 50, cursor: parameters.Cursor = None
    ) -> Page[AuditEntry]:
        """Who changed what, newest first."""
        return await audit.entries(services.engine, limit=limit, cursor=cursor)


def _dead_letters(router: APIRouter, services: Services) -> None:
    engine = services.engine

    @router.get("/dead-letters")
    async def list_dead_letters(
        _: ReadLetters, limit: parameters.Limit = 50, cursor: parameters.Cursor = None
    ) -> Page[DeadLetter]:
        """Messages that could not be stored as events, newest first."""
        return await dead_letters.page(engine, limit=limit, cursor=cursor)

    @router.post("/dead-letters/replay", status_code=202)
    async def replay_dead_letters(caller: ReplayLetters, wanted: ReplayRequest) -> Replay:
        """Ask for the replay of all that were not replayed yet, of one topic or reason if given."""
        return Replay(requested=await dead_letters.replay_many(engine, caller, wanted))

    @router.post("/dead-letters/{id}/replay", status_code=202)
    async def replay_dead_letter(
        caller: ReplayLetters, id: Annotated[Id, Path(description="Number of a dead letter")]  # noqa: A002
    ) -> Replay:  # fmt: skip
        """Ask for the replay of one."""
        await dead_letters.replay_one(engine, caller, id)
        return Replay(requested=1)
