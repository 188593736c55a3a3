"""The HTTP API of the training orchestrator."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import AwareDatetime

from studio.contract.model_service import (
    CacheHit,
    DesiredTraining,
    FetchTicket,
    ModelTag,
    ModelView,
    ObservedTraining,
    Priority,
    TrainingResult,
    TrainingState,
    TrainingView,
    UploadRequest,
    UploadTicket,
)
from studio.model_service.orchestrators.changes import ChangeStream
from studio.model_service.orchestrators.common import OnBehalf, add_common_routes, asker
from studio.model_service.orchestrators.http import Helper, Missing, Operator, Reader, Refused
from studio.model_service.orchestrators.live_log import LiveLog
from studio.model_service.orchestrators.registry import Removing
from studio.model_service.orchestrators.training.service import TrainingService

CACHE_HIT: dict[int | str, dict[str, Any]] = {200: {"model": CacheHit, "description": "There is a model already"}}
FINGERPRINT = r"^[0-9a-f]{64}$"
Version = Annotated[int, Path(ge=1, le=2**31 - 1)]


class TrainingRequest(OnBehalf):
    """POST /v1/trainings: train the wanted content of an assistant by hand."""

    assistant: str


class Prioritisation(OnBehalf):
    """POST /v1/trainings/{id}/priority: move a training that waits."""

    priority: Priority


def routes(service: TrainingService, changes: ChangeStream, live_log: LiveLog) -> APIRouter:
    """All routes of the API."""
    router = APIRouter(prefix="/v1")
    add_common_routes(router, service, changes, live_log)
    _assistants(router, service)
    _trainings(router, service)
    _models(router, service)
    _attempts(router, service)
    return router


def _assistants(router: APIRouter, service: TrainingService) -> None:
    @router.put("/assistants/{name}")
    async def put_assistant(_: Operator, name: str, desired: DesiredTraining) -> ObservedTraining:
        """Say what is wanted of an assistant's trainings; the answer is what is there."""
        if desired.name != name:
            raise Refused(422, f"name: the path says {name}, the body {desired.name}")
        try:
            return await service.put_assistant(desired)
        except Removing as error:
            raise Refused(409, str(error)) from error

    @router.put("/assistants/{name}/content/{fingerprint}", status_code=204)
    async def put_content(
        _: Operator,
        request: Request,
        name: str,
        fingerprint: str,
        x_content_sha256: Annotated[str, Header(pattern=FINGERPRINT)],
    ) -> None:
        """Store the content (a tar.gz of at most 16 MiB) of a fingerprint."""
        await service.put_content(name, fingerprint, await request.body(), x_content_sha256)


def _trainings(router: APIRouter, service: TrainingService) -> None:
    @router.get("/trainings")
    async def get_trainings(
        _: Reader,
        assistant: Annotated[list[str] | None, Query()] = None,
        state: TrainingState | None = None,
        before: AwareDatetime | None = None,
        before_id: str = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> list[TrainingView]:
        """Trainings, newest first; with `before` and `before_id` those that follow a place of this list."""
        place = (before, before_id) if before else None
        return await service.trainings(assistants=assistant, state=state, before=place, limit=limit)

    @router.post("/trainings", status_code=201, response_model=TrainingView, responses=CACHE_HIT)
    async def post_training(who: Reader, request: TrainingRequest) -> TrainingView | Response:
        """Train by hand, also what failed before; what is trained already is answered with its model."""
        return _made(await service.request_by_hand(request.assistant, asker(request, who)))

    @router.get("/trainings/{id}")
    async def get_training(_: Reader, id: str) -> TrainingView:  # noqa: A002
        """One training."""
        return await service.training(id)

    @router.post("/trainings/{id}/cancel")
    async def cancel(who: Reader, id: str, request: OnBehalf | None = None) -> TrainingView:  # noqa: A002
        """End a training."""
        return await service.cancel(id, asker(request, who))

    @router.post("/trainings/{id}/retry", status_code=201, response_model=TrainingView, responses=CACHE_HIT)
    async def retry(who: Reader, id: str, request: OnBehalf | None = None) -> TrainingView | Response:  # noqa: A002
        """Train the same content once more, as a new training."""
        return _made(await service.retry(id, asker(request, who)))

    @router.post("/trainings/{id}/priority")
    async def prioritise(who: Reader, id: str, request: Prioritisation) -> TrainingView:  # noqa: A002
        """Move a training that waits."""
        return await service.prioritise(id, request.priority, asker(request, who))


def _models(router: APIRouter, service: TrainingService) -> None:
    @router.put("/models/{version}/tags/{tag}")
    async def put_tag(_: Reader, version: Version, tag: ModelTag, assistant: str) -> ModelView:
        """Tag a model of an assistant, which keeps it."""
        return await service.tag(assistant, version, tag)

    @router.delete("/models/{version}/tags/{tag}")
    async def delete_tag(_: Reader, version: Version, tag: ModelTag, assistant: str) -> ModelView:
        """Take a tag away."""
        return await service.untag(assistant, version, tag)


def _made(answer: TrainingView | CacheHit) -> TrainingView | Response:
    """201 with the training, or 200 with the model that made it needless."""
    if isinstance(answer, CacheHit):
        return Response(answer.model_dump_json(), media_type="application/json")
    return answer


def _attempts(router: APIRouter, service: TrainingService) -> None:
    @router.post("/trainings/{id}/attempts/{attempt}/fetch")
    async def fetch(_: Helper, id: str, attempt: int, missing: Missing) -> FetchTicket:  # noqa: A002
        """Where the content is."""
        return await service.fetch_ticket(id, attempt, missing=missing)

    @router.post("/trainings/{id}/attempts/{attempt}/upload")
    async def upload(_: Helper, id: str, attempt: int, request: UploadRequest) -> UploadTicket:  # noqa: A002
        """Where to store the model and the log."""
        return await service.upload_ticket(id, attempt, request)

    @router.post("/trainings/{id}/attempts/{attempt}/result", status_code=204)
    async def result(_: Helper, id: str, attempt: int, result: TrainingResult) -> None:  # noqa: A002
        """Make the model from what was stored, exactly once."""
        await service.accept_result(id, attempt, result)
