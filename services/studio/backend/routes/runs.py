"""Runs with their history and logs; trying an assistant that does not run, and taking one away."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from studio.backend import audit, cursors
from studio.backend.access import Caller, may
from studio.backend.authorisation import Operation
from studio.backend.models.common import AssistantName, Page
from studio.backend.models.trainings import Run, Transition
from studio.backend.routes import logs, parameters
from studio.backend.services import Services
from studio.http import streams
from studio.http.problems import Refused

Read = Annotated[Caller, may(Operation.RUNS_READ)]
ReadLogs = Annotated[Caller, may(Operation.LOGS_READ)]
Start = Annotated[Caller, may(Operation.RUNS_START)]
Stop = Annotated[Caller, may(Operation.RUNS_STOP)]


def routes(services: Services) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["runs"])
    _reading(router, services)
    _changing(router, services)
    return router


def _reading(router: APIRouter, services: Services) -> None:
    model_service = services.model_service

    @router.get("/runs")
    async def list_runs(
        caller: Read,
        assistant: Annotated[AssistantName | None, Query()] = None,
        limit: parameters.Limit = 50,
        cursor: parameters.Cursor = None,
    ) -> Page[Run]:
        """Runs, newest first."""
        before = cursors.at_name(cursor) if cursor else None
        wanted = parameters.assistants_of(caller, assistant)
        if wanted == []:
            return Page(items=[])
        items = await model_service.runs(assistants=wanted, limit=limit + 1, before=before)
        return cursors.page(items, limit, lambda last: (last.requested_at, last.id))

    @router.get("/runs/{id}")
    async def get_run(caller: Read, id: parameters.RunId) -> Run:  # noqa: A002
        """One run."""
        return await _own(services, caller, id)

    @router.get("/runs/{id}/transitions")
    async def list_transitions(caller: Read, id: parameters.RunId) -> Page[Transition]:  # noqa: A002
        """Who changed a run, when, and why; the oldest first."""
        await _own(services, caller, id)
        return Page(items=await model_service.run_transitions(id))

    @router.get("/runs/{id}/log", response_class=Response, responses=streams.STREAM)
    async def run_log(
        caller: ReadLogs, request: Request, id: parameters.RunId, last_event_id: parameters.LastEventId = None  # noqa: A002
    ) -> Response:  # fmt: skip
        """The log, live while the run is there: events `line`, then `end`."""
        await _own(services, caller, id)
        return await logs.passed_on(request, model_service.run_log(id, last_event_id))


def _changing(router: APIRouter, services: Services) -> None:
    @router.post("/assistants/{assistant}/run/start")
    async def start_run(caller: Start, assistant: parameters.Assistant) -> Run:
        """Run the wanted model by hand, also with `mode: Never`, and after a failure or a stop.

        Where nothing shall run, it runs until it is stopped or another model is wanted.
        """
        await services.assistants.one(assistant)
        async with audit.recorded(services.engine, caller, assistant):
            return await services.model_service.start_run(assistant, caller.person.username)

    @router.post("/assistants/{assistant}/run/stop")
    async def stop_run(caller: Stop, assistant: parameters.Assistant) -> Run:
        """End what runs, until it is started by hand or another model is wanted; the answer is the newest run."""
        await services.assistants.one(assistant)
        async with audit.recorded(services.engine, caller, assistant):
            return await services.model_service.stop_run(assistant, caller.person.username)


async def _own(services: Services, caller: Caller, id: str) -> Run:  # noqa: A002
    found = await services.model_service.run(id)
    if not caller.scope.sees(found.assistant):
        raise Refused(404, f"there is no run {id}")
    return found
