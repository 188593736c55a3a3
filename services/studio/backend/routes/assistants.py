"""Assistants: their state, live; creation and deletion."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Annotated

from fastapi import APIRouter, Request, Response

from studio.backend import cursors
from studio.backend.access import Caller, may
from studio.backend.authorisation import Operation
from studio.backend.models.assistants import Assistant, NewAssistant, Removed
from studio.backend.models.common import Page
from studio.backend.routes import parameters
from studio.backend.services import Services
from studio.http import streams

# A stream outlives the token that opened it, so it does not live long; clients open the next one with a fresh token.
STREAM_SECONDS = 600.0

Read = Annotated[Caller, may(Operation.ASSISTANTS_READ)]
Create = Annotated[Caller, may(Operation.ASSISTANTS_CREATE)]
Delete = Annotated[Caller, may(Operation.ASSISTANTS_DELETE)]


def routes(services: Services) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["assistants"])
    assistants = services.assistants

    @router.get("/assistants")
    async def list_assistants(
        caller: Read, limit: parameters.Limit = 50, cursor: parameters.Cursor = None
    ) -> Page[Assistant]:
        """Assistants, by name."""
        after = cursors.at_text(cursor) if cursor else ""
        items = [assistant for assistant in assistants.all(caller) if assistant.name > after]
        return cursors.page(items, limit, lambda last: (last.name,))

    @router.post("/assistants", status_code=201)
    async def create_assistant(caller: Create, wanted: NewAssistant) -> Assistant:
        """Create an assistant whose content is edited in the Studio."""
        return await assistants.create(caller, wanted)

    @router.get("/assistants/events", response_class=Response, responses=streams.STREAM)
    async def assistants_events(caller: Read, request: Request) -> Response:
        """Live state: all assistants first, then each that changes (`assistant`) or goes (`deleted`)."""
        return _stream(services, request, caller.scope.sees)

    @router.get("/assistants/{assistant}")
    async def get_assistant(_: Read, assistant: parameters.Assistant) -> Assistant:
        """One assistant."""
        return await assistants.one(assistant)

    @router.delete("/assistants/{assistant}", status_code=202)
    async def delete_assistant(caller: Delete, assistant: parameters.Assistant) -> Removed:
        """Begin the deletion of an assistant."""
        await assistants.delete(caller, assistant)
        return Removed(name=assistant)

    @router.get("/assistants/{assistant}/events", response_class=Response, responses=streams.STREAM)
    async def assistant_events(_: Read, request: Request, assistant: parameters.Assistant) -> Response:
        """Live state of one assistant."""
        await assistants.one(assistant)
        return _stream(services, request, lambda name: name == assistant)

    return router


def _stream(services: Services, request: Request, wanted: Callable[[str], bool]) -> Response:
    closing: asyncio.Event = request.app.state.closing
    return streams.event_stream(
        streams.limited(_events(services, closing, wanted), closing, seconds=STREAM_SECONDS),
    )


async def _events(services: Services, closing: asyncio.Event, wanted: Callable[[str], bool]) -> AsyncIterator[str]:
    with services.live.changes.subscribe() as subscription:
        yield streams.CONNECTED
        names = sorted(services.live.assistants.objects)
        while not closing.is_set():
            for name in filter(wanted, names):
                yield _event(services, name)
            names = await subscription.wait(streams.HEARTBEAT_SECONDS, closing)
            if not names:
                yield streams.HEARTBEAT


def _event(services: Services, name: str) -> str:
    found = services.assistants.known(name)
    if found is None:
        return streams.event(Removed(name=name).model_dump_json(), name="deleted")
    return streams.event(found.model_dump_json(), name="assistant")
