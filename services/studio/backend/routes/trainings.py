"""Trainings with their logs."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from studio.backend import audit, cursors
from studio.backend.access import Caller, may
from studio.backend.authorisation import Operation
from studio.backend.models.common import AssistantName, Page
from studio.backend.models.trainings import Prioritisation, Training, Transition
from studio.backend.routes import logs, parameters
from studio.backend.services import Services
from studio.contract.model_service import CacheHit, TrainingState
from studio.http import streams
from studio.http.problems import Refused

Read = Annotated[Caller, may(Operation.TRAININGS_READ)]
Ask = Annotated[Caller, may(Operation.TRAININGS_REQUEST)]
Cancel = Annotated[Caller, may(Operation.TRAININGS_CANCEL)]
Prioritise = Annotated[Caller, may(Operation.TRAININGS_PRIORITISE)]
ReadLogs = Annotated[Caller, may(Operation.LOGS_READ)]
CACHE_HIT: dict[int | str, dict[str, Any]] = {
    200: {"model": CacheHit, "description": "Nothing is trained: this content has a model already"}
}


def routes(services: Services) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["trainings"])
    _reading(router, services)
    _changing(router, services)
    return router


def _reading(router: APIRouter, services: Services) -> None:
    model_service = services.model_service

    @router.get("/trainings")
    async def list_trainings(
        caller: Read,
        assistant: Annotated[AssistantName | None, Query()] = None,
        state: TrainingState | None = None,
        limit: parameters.Limit = 50,
        cursor: parameters.Cursor = None,
    ) -> Page[Training]:
        """Trainings, newest first, with their places in the queue."""
        before = cursors.at_name(cursor) if cursor else None
        wanted = parameters.assistants_of(caller, assistant)
        if wanted == []:
            return Page(items=[])
        items = await model_service.trainings(assistants=wanted, state=state, limit=limit + 1, before=before)
        return cursors.page(items, limit, lambda last: (last.requested_at, last.id))

    @router.get("/trainings/{id}")
    async def get_training(caller: Read, id: parameters.TrainingId) -> Training:  # noqa: A002
        """One training."""
        return await _own(services, caller, id)

    @router.get("/trainings/{id}/transitions")
    async def list_transitions(caller: Read, id: parameters.TrainingId) -> Page[Transition]:  # noqa: A002
        """Who changed a training, when, and why; the oldest first."""
        await _own(services, caller, id)
        return Page(items=await model_service.training_transitions(id))

    @router.get("/trainings/{id}/log", response_class=Response, responses=streams.STREAM)
    async def training_log(
        caller: ReadLogs, request: Request, id: parameters.TrainingId, last_event_id: parameters.LastEventId = None  # noqa: A002
    ) -> Response:  # fmt: skip
        """The log, live while the training runs: events `line`, then `end`."""
        await _own(services, caller, id)
        return await logs.passed_on(request, model_service.training_log(id, last_event_id))


def _changing(router: APIRouter, services: Services) -> None:
    model_service = services.model_service

    @router.post("/assistants/{assistant}/trainings", status_code=201, response_model=Training, responses=CACHE_HIT)
    async def request_training(caller: Ask, assistant: parameters.Assistant) -> Training | Response:
        """Train by hand, also what failed before; what is trained already is answered with its model."""
        await services.assistants.one(assistant)
        async with audit.recorded(services.engine, caller, assistant):
            return _made(await model_service.request_training(assistant, caller.person.username))

    @router.post("/trainings/{id}/retry", status_code=201, response_model=Training, responses=CACHE_HIT)
    async def retry_training(caller: Ask, id: parameters.TrainingId) -> Training | Response:  # noqa: A002
        """Train the content of a training that has ended once more, as a new training."""
        await _own(services, caller, id)
        async with audit.recorded(services.engine, caller, id):
            return _made(await model_service.retry_training(id, caller.person.username))

    @router.post("/trainings/{id}/priority")
    async def prioritise_training(
        caller: Prioritise, id: parameters.TrainingId, wanted: Prioritisation  # noqa: A002
    ) -> Training:  # fmt: skip
        """Move a training that waits; the Assistant's own priority counts again when it changes."""
        await _own(services, caller, id)
        async with audit.recorded(services.engine, caller, id):
            return await model_service.prioritise_training(id, wanted.priority, caller.person.username)

    @router.post("/trainings/{id}/cancel")
    async def cancel_training(caller: Cancel, id: parameters.TrainingId) -> Training:  # noqa: A002
        """End a training."""
        await _own(services, caller, id)
        async with audit.recorded(services.engine, caller, id):
            return await model_service.cancel_training(id, caller.person.username)


def _made(answer: Training | CacheHit) -> Training | Response:
    """201 with the training, or 200 with the model that made it needless."""
    if isinstance(answer, CacheHit):
        return Response(answer.model_dump_json(), media_type="application/json")
    return answer


async def _own(services: Services, caller: Caller, id: str) -> Training:  # noqa: A002
    found = await services.model_service.training(id)
    if not caller.scope.sees(found.assistant):
        raise Refused(404, f"there is no training {id}")
    return found
