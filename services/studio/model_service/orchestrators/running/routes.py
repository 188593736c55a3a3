"""The HTTP API of the running orchestrator."""

import asyncio
from time import monotonic
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime

from studio.contract.model_service import (
    AwaitedModel,
    DesiredRunning,
    ObservedRunning,
    RunReport,
    RunState,
    RunTicket,
    RunView,
    Slots,
    WarmTicket,
)
from studio.model_service.orchestrators.changes import ChangeStream
from studio.model_service.orchestrators.common import OnBehalf, add_common_routes, asker
from studio.model_service.orchestrators.http import Helper, Missing, Operator, Reader, Refused
from studio.model_service.orchestrators.live_log import LiveLog
from studio.model_service.orchestrators.registry import Removing
from studio.model_service.orchestrators.running.service import RunningService

# Below the patience of the helper's client for one answer.
AWAIT_SECONDS = 20.0


def routes(service: RunningService, changes: ChangeStream, live_log: LiveLog) -> APIRouter:
    """All routes of the API."""
    router = APIRouter(prefix="/v1")
    add_common_routes(router, service, changes, live_log)
    _assistants(router, service)
    _runs(router, service)
    _attempts(router, service, changes)
    return router


def _assistants(router: APIRouter, service: RunningService) -> None:
    @router.put("/assistants/{name}")
    async def put_assistant(_: Operator, name: str, desired: DesiredRunning) -> ObservedRunning:
        """Say what is wanted of an assistant's runs; the answer is what is there."""
        if desired.name != name:
            raise Refused(422, f"name: the path says {name}, the body {desired.name}")
        try:
            return await service.put_assistant(desired)
        except Removing as error:
            raise Refused(409, str(error)) from error

    @router.post("/assistants/{name}/run/start")
    async def start_by_hand(who: Reader, name: str, request: OnBehalf | None = None) -> RunView:
        """Run the wanted model by hand, also with `mode: Never`, and after a failure or a stop."""
        return await service.start_by_hand(name, asker(request, who))

    @router.post("/assistants/{name}/run/stop")
    async def stop_by_hand(who: Reader, name: str, request: OnBehalf | None = None) -> RunView:
        """End what runs, until somebody starts it or another model is to run; the answer is the newest run."""
        return await service.stop_by_hand(name, asker(request, who))


def _runs(router: APIRouter, service: RunningService) -> None:
    @router.get("/runs")
    async def get_runs(
        _: Reader,
        assistant: Annotated[list[str] | None, Query()] = None,
        state: RunState | None = None,
        before: AwareDatetime | None = None,
        before_id: str = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> list[RunView]:
        """Runs, newest first; with `before` and `before_id` those that follow a place of this list."""
        place = (before, before_id) if before else None
        return await service.runs(assistants=assistant, state=state, before=place, limit=limit)

    @router.get("/slots")
    async def get_slots(_: Reader) -> Slots:
        """What the running consumers hold."""
        return await service.slots()

    @router.get("/runs/{id}")
    async def get_run(_: Reader, id: str) -> RunView:  # noqa: A002
        """One run."""
        return await service.run(id)


def _attempts(router: APIRouter, service: RunningService, changes: ChangeStream) -> None:
    @router.post("/runs/{id}/attempts/{attempt}/start")
    async def start(_: Helper, id: str, attempt: int, missing: Missing) -> RunTicket:  # noqa: A002
        """What the engine is started with."""
        return await service.start(id, attempt, missing=missing)

    @router.post("/runs/{id}/attempts/{attempt}/warm")
    async def warm(_: Helper, id: str, attempt: int, missing: Missing) -> WarmTicket:  # noqa: A002
        """What an engine is warmed with while its model is being trained."""
        return await service.warm(id, attempt, missing=missing)

    @router.post("/runs/{id}/attempts/{attempt}/model")
    async def model(_: Helper, request: Request, id: str, attempt: int) -> AwaitedModel:  # noqa: A002
        """The model for a warm engine, as soon as it is there; null after some seconds without it."""
        give_up = monotonic() + AWAIT_SECONDS
        with changes.subscribe() as news:
            while True:
                awaited = await service.awaited_model(id, attempt)
                left = give_up - monotonic()
                closing: asyncio.Event = request.app.state.closing
                if awaited.model or left <= 0 or closing.is_set():
                    return awaited
                await news.wait(left, closing)

    @router.post("/runs/{id}/attempts/{attempt}/report", status_code=204)
    async def report(_: Helper, id: str, attempt: int, report: RunReport) -> None:  # noqa: A002
        """What the helper found once the engine was ready."""
        await service.report(id, attempt, report)
