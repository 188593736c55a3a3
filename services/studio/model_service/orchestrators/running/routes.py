"""The HTTP API of the running orchestrator."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse

from studio.contract.model_service import (
    DesiredRunning,
    ModelView,
    ObservedRunning,
    Removal,
    RunReport,
    RunState,
    RunTicket,
    RunView,
)
from studio.model_service.orchestrators.changes import ChangeStream
from studio.model_service.orchestrators.http import Consumer, Helper, Operator, Refused, change_events
from studio.model_service.orchestrators.registry import Removing
from studio.model_service.orchestrators.running.service import RunningService


def routes(service: RunningService, changes: ChangeStream) -> APIRouter:
    """All routes of the API."""
    router = APIRouter(prefix="/v1")
    _assistants(router, service, changes)
    _runs(router, service)
    _attempts(router, service)
    return router


def _assistants(router: APIRouter, service: RunningService, changes: ChangeStream) -> None:
    @router.put("/assistants/{name}")
    async def put_assistant(_: Operator, name: str, desired: DesiredRunning) -> ObservedRunning:
        """Say what is wanted of an assistant's runs; the answer is what is there."""
        if desired.name != name:
            raise Refused(422, f"name: the path says {name}, the body {desired.name}")
        try:
            return await service.put_assistant(desired)
        except Removing as error:
            raise Refused(409, str(error)) from error

    @router.delete("/assistants/{name}")
    async def delete_assistant(
        _: Operator, name: str, uid: str, *, delete_data: Annotated[bool, Query()] = False
    ) -> Removal:
        """Stop and clean up; repeated until `gone`. The uid decides, whoever has the name now."""
        del name  # part of the address only
        return await service.remove_assistant(uid, delete_data=delete_data)

    @router.get("/changes", response_class=Response)
    async def get_changes(_: Operator, request: Request) -> Response:
        """Server-sent events: which assistant to look at again."""
        return change_events(changes, request.app.state.closing)

    @router.get("/models")
    async def get_models(_: Operator, assistant: str) -> list[ModelView]:
        """The models of an assistant, newest first."""
        return await service.models(assistant)


def _runs(router: APIRouter, service: RunningService) -> None:
    @router.get("/runs")
    async def get_runs(
        _: Operator,
        assistant: str | None = None,
        state: RunState | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> list[RunView]:
        """Runs, newest first."""
        return await service.runs(assistant=assistant, state=state, limit=limit)

    @router.get("/runs/{id}")
    async def get_run(_: Operator, id: str) -> RunView:  # noqa: A002
        """One run."""
        return await service.run(id)

    @router.get("/runs/{id}/log", response_class=PlainTextResponse)
    async def get_log(_: Operator, id: str) -> Response:  # noqa: A002
        """The log of its newest attempt that has one."""
        return PlainTextResponse(await service.log(id))


def _attempts(router: APIRouter, service: RunningService) -> None:
    @router.put("/runs/{id}/attempts/{attempt}/log", status_code=204)
    async def put_log(_: Consumer, request: Request, id: str, attempt: int) -> None:  # noqa: A002
        """Archive the log (text) of an attempt."""
        await service.archive_log(id, attempt, await request.body())

    @router.post("/runs/{id}/attempts/{attempt}/start")
    async def start(_: Helper, id: str, attempt: int) -> RunTicket:  # noqa: A002
        """What the engine is started with."""
        return await service.start(id, attempt)

    @router.post("/runs/{id}/attempts/{attempt}/report", status_code=204)
    async def report(_: Helper, id: str, attempt: int, report: RunReport) -> None:  # noqa: A002
        """What the helper found once the engine was ready."""
        await service.report(id, attempt, report)
