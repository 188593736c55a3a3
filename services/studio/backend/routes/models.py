"""Models: which there are, which one answers, and their bytes."""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from studio.backend import audit, cursors, downloads
from studio.backend.access import Caller, may
from studio.backend.authorisation import Operation
from studio.backend.models.common import Page
from studio.backend.models.trainings import TrainedModel
from studio.backend.routes import parameters
from studio.backend.services import Services
from studio.http.problems import Refused

Read = Annotated[Caller, may(Operation.MODELS_READ)]
Activate = Annotated[Caller, may(Operation.MODELS_ACTIVATE)]
Download = Annotated[Caller, may(Operation.MODELS_DOWNLOAD)]
Tag = Annotated[Caller, may(Operation.MODELS_TAG)]

GZIP = "application/gzip"
_MODEL: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A model archive (tar.gz)",
        "headers": {"ETag": {"description": "Its sha256", "schema": {"type": "string"}}},
        "content": {GZIP: {"schema": {"type": "string", "format": "binary"}}},
    }
}


def routes(services: Services) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["models"], prefix="/assistants/{assistant}/models")
    _models(router, services)
    _tags(router, services)
    return router


def _models(router: APIRouter, services: Services) -> None:

    @router.get("")
    async def list_models(
        _: Read, assistant: parameters.Assistant, limit: parameters.Limit = 50, cursor: parameters.Cursor = None
    ) -> Page[TrainedModel]:
        """The models of an assistant, newest first."""
        await services.assistants.one(assistant)
        before = cursors.at_number(cursor) if cursor else None
        found = await services.model_service.models(assistant)
        items = [model for model in found if before is None or int(model.version) < before]
        return cursors.page(items, limit, lambda last: (int(last.version),))

    @router.post("/{version}/activate")
    async def activate_model(
        caller: Activate, assistant: parameters.Assistant, version: parameters.Version
    ) -> TrainedModel:
        """Choose the model that answers users; it does as soon as its run is ready."""
        chosen = await _chosen(services, assistant, version)
        await services.assistants.choose_model(caller, assistant, version)
        return chosen

    @router.get("/{version}/download", response_class=Response, responses=_MODEL)
    async def download_model(
        caller: Download, assistant: parameters.Assistant, version: parameters.Version
    ) -> Response:
        """The archive of a model."""
        await services.assistants.one(assistant)
        model = await downloads.find(services.engine, assistant, None if version == "latest" else int(version))
        pieces = await downloads.open_model(services.store, model)
        async with services.engine.begin() as conn:
            await audit.record(conn, caller, f"{assistant} model {model.version}")
        headers = {
            "ETag": f'"{model.sha256}"',
            "Content-Length": str(model.size),
            "Content-Disposition": f'attachment; filename="{assistant}-{model.version}.tar.gz"',
        }
        return StreamingResponse(pieces, media_type=GZIP, headers=headers)


def _tags(router: APIRouter, services: Services) -> None:
    @router.put("/{version}/tags/{tag}", status_code=204, response_class=Response)
    async def put_model_tag(
        caller: Tag, assistant: parameters.Assistant, version: parameters.Version, tag: parameters.ModelTagName
    ) -> None:
        """Tag a model; it is kept as long as it has a tag."""
        model = await _chosen(services, assistant, version)
        async with audit.recorded(services.engine, caller, f"{assistant} model {model.version} tag {tag}"):
            await services.model_service.tag_model(assistant, model.version, tag)

    @router.delete("/{version}/tags/{tag}", status_code=204, response_class=Response)
    async def delete_model_tag(
        caller: Tag, assistant: parameters.Assistant, version: parameters.Version, tag: parameters.ModelTagName
    ) -> None:
        """Take a tag away."""
        model = await _chosen(services, assistant, version)
        async with audit.recorded(services.engine, caller, f"{assistant} model {model.version} tag {tag}"):
            await services.model_service.untag_model(assistant, model.version, tag)


async def _chosen(services: Services, assistant: str, version: str) -> TrainedModel:
    """The model of a version, or of `latest`; Refused with 404."""
    await services.assistants.one(assistant)
    found = await services.model_service.models(assistant)
    chosen = next((model for model in found if version in ("latest", model.version)), None)
    if chosen is None:
        raise Refused(404, f"{assistant} has no model {version}")
    return chosen
