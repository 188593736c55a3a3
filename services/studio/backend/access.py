"""Who sends a request and whether they may: one dependency that every route declares its operation with."""

from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from studio.auth.oidc import Person
from studio.auth.verification import Identity, InvalidToken, Verifier
from studio.backend.authorisation import WHOLE_STUDIO, Operation, Scope, permissions, roles_for
from studio.http.problems import Refused
from studio.http.request_ids import request_id

PERSON_TOKEN = HTTPBearer(auto_error=False, scheme_name="person", description="Access token of the Studio's issuer")
SERVICE_TOKEN = HTTPBearer(auto_error=False, scheme_name="service", description="Projected service-account token")

PersonToken = Annotated[HTTPAuthorizationCredentials | None, Depends(PERSON_TOKEN)]
ServiceToken = Annotated[HTTPAuthorizationCredentials | None, Depends(SERVICE_TOKEN)]


class People(Protocol):
    """Verifies the tokens of people."""

    async def verify(self, token: str) -> Person:
        """The person that a token proves. Raises InvalidToken, KeysUnavailable."""


@dataclass(frozen=True)
class Access:
    """How the back end tells who somebody is."""

    people: People
    services: Verifier
    operator: str


@dataclass(frozen=True, slots=True)
class Caller:
    """A person who may do the operation that they ask for."""

    person: Person
    operation: Operation
    request_id: str

    @property
    def scope(self) -> Scope:
        """The assistants that exist for them."""
        return Scope(self.person.assistants)


def no_assistant(name: str) -> Refused:
    """The answer about an assistant that does not exist, or not for the person who asks."""
    return Refused(404, f"there is no assistant {name}")


def may(operation: Operation) -> Any:
    """Dependency: the caller, who may do the operation with the assistant in the path.

    Refused: 401 nobody knows who it is, 403 they may not, 404 the assistant does not exist for them.
    """

    async def demand(request: Request, token: PersonToken) -> Caller:
        person = await _person(request, token)
        if operation not in permissions(person.roles):
            needed = " or ".join(roles_for(operation))
            raise Refused(403, f"{operation} takes the role {needed}: ask an administrator for it")
        if operation in WHOLE_STUDIO and person.assistants is not None:
            raise Refused(403, f"{operation} is about all assistants, and your account is restricted to some of them")
        caller = Caller(person, operation, request_id(request.scope))
        assistant = request.path_params.get("assistant")
        if assistant is not None and not caller.scope.sees(assistant):
            raise no_assistant(assistant)
        return caller

    demand.operation = operation  # type: ignore[attr-defined]
    return Depends(demand)


async def operator_only(request: Request, token: ServiceToken) -> Identity:
    """Dependency: the operator, by its service account. Refused: 401 or 403."""
    access: Access = request.app.state.access
    if token is None:
        raise Refused(401, "the header Authorization is missing: send `Bearer <service-account token>`")
    try:
        identity = await access.services.verify(token.credentials)
    except InvalidToken as error:
        raise Refused(401, f"the bearer token is not accepted: {error}") from error
    if identity.subject != access.operator:
        raise Refused(403, f"{identity.subject} may not do this: only the operator may")
    return identity


async def _person(request: Request, token: HTTPAuthorizationCredentials | None) -> Person:
    access: Access = request.app.state.access
    if token is None:
        raise Refused(401, "the header Authorization is missing: sign in and send `Bearer <access token>`")
    try:
        return await access.people.verify(token.credentials)
    except InvalidToken as error:
        raise Refused(401, f"the access token is not accepted: {error}; sign in again") from error
