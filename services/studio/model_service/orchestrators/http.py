"""What both orchestrators' servers have in common: who may do what, limits, what errors mean, the change stream."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

import asyncpg
from fastapi import Depends, FastAPI, Request, Response

from studio.auth.keys import KeysUnavailable
from studio.auth.verification import Identity, InvalidToken, Verifier
from studio.contract.model_service import Change, TicketRequest
from studio.db.retry import is_transient
from studio.http import app as generic
from studio.http import streams
from studio.http.health import Health
from studio.http.limits import KIB, MIB
from studio.http.problems import Meaning, Refused
from studio.http.server import Server
from studio.model_service.orchestrators.changes import ChangeStream
from studio.model_service.orchestrators.roles import Role, Roles
from studio.storage.port import StorageError

__all__ = [
    "Access", "Consumer", "Health", "Helper", "Missing", "Operator", "Reader", "Refused", "Server", "change_events",
    "create_app",
]  # fmt: skip

CONTENT_LIMIT = 16 * MIB
LOG_LIMIT = 16 * MIB
MESSAGE_LIMIT = 512 * KIB


@dataclass(frozen=True)
class Access:
    """Authentication and the roles of one orchestrator."""

    verifier: Verifier
    roles: Roles

    async def identify(self, request: Request) -> Identity:
        """Who sends the request; Refused with 401 if that is not proven."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refused(401, "the header Authorization is missing: send `Bearer <service-account token>`")
        try:
            return await self.verifier.verify(token.strip())
        except InvalidToken as error:
            raise Refused(401, f"the bearer token is not accepted: {error}") from error

    async def demand(self, request: Request, *roles: Role) -> Identity:
        """The sender, who must have one of the roles; Refused with 401 or 403."""
        identity = await self.identify(request)
        if self.roles.role(identity) not in roles:
            raise Refused(403, f"{identity.subject} may not do this: it takes the role {' or '.join(roles)}")
        return identity

    async def demand_attempt(self, request: Request, item_id: str, attempt: int) -> Identity:
        """The sender, which must be a pod of that attempt's Job; Refused with 401 or 403."""
        identity = await self.demand(request, Role.HELPER)
        if not self.roles.may_help(identity, item_id, attempt):
            raise Refused(403, f"the pod {identity.pod} does not belong to attempt {attempt} of {item_id}")
        return identity


def access_of(request: Request) -> Access:
    """The Access of the app that serves the request."""
    access: Access = request.app.state.access
    return access


async def operator_only(request: Request) -> Identity:
    """Dependency: the operator."""
    return await access_of(request).demand(request, Role.OPERATOR)


async def operator_or_backend(request: Request) -> Identity:
    """Dependency: the operator, or the back end on behalf of a person whom it has authorised."""
    return await access_of(request).demand(request, Role.OPERATOR, Role.BACKEND)


async def consumer_only(request: Request) -> Identity:
    """Dependency: a consumer."""
    return await access_of(request).demand(request, Role.CONSUMER)


async def own_attempt(request: Request, id: str, attempt: int) -> Identity:  # noqa: A002
    """Dependency: the helper of the attempt in the path."""
    return await access_of(request).demand_attempt(request, id, attempt)


async def object_missing(request: TicketRequest | None = None) -> bool:
    """Dependency: whether the helper says that the object was not where its last ticket said."""
    return request is not None and request.missing


Operator = Annotated[Identity, Depends(operator_only)]
Reader = Annotated[Identity, Depends(operator_or_backend)]
Consumer = Annotated[Identity, Depends(consumer_only)]
Helper = Annotated[Identity, Depends(own_attempt)]
Missing = Annotated[bool, Depends(object_missing)]


def create_app(*, title: str, version: str, access: Access, health: Health) -> FastAPI:
    """An orchestrator's app; the caller includes its routers."""
    app = generic.create_app(title=title, version=version, health=health, limit=_limit, meanings=MEANINGS)
    app.state.access = access
    return app


def _away(error: Exception) -> Refused:
    return Refused(503, str(error))


def _database(error: Exception) -> Refused | None:
    return Refused(503, "the database does not answer: try again") if is_transient(error) else None


MEANINGS: dict[type[Exception], Meaning] = {
    StorageError: _away,
    KeysUnavailable: _away,
    asyncpg.PostgresError: _database,
    asyncpg.InterfaceError: _database,
    OSError: _database,
}


def _limit(path: str) -> int:
    if "/content/" in path:
        return CONTENT_LIMIT
    return LOG_LIMIT if path.endswith("/log") else MESSAGE_LIMIT


def change_events(
    changes: ChangeStream, closing: asyncio.Event, *, heartbeat: float = streams.HEARTBEAT_SECONDS
) -> Response:
    """The change stream as server-sent events; ends when the process does."""

    async def events() -> AsyncIterator[str]:
        with changes.subscribe() as subscription:
            yield streams.CONNECTED
            while not closing.is_set():
                names = await subscription.wait(heartbeat, closing)
                for name in names:
                    yield streams.event(Change(assistant=name).model_dump_json())
                if not names:
                    yield streams.HEARTBEAT

    return streams.event_stream(events())
