"""Content: the draft file by file or as an archive, publications."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse

from studio.backend.access import Caller, may
from studio.backend.authorisation import Operation
from studio.backend.content import archives, drafts, rules
from studio.backend.models.common import Number, Page
from studio.backend.models.content import ContentState, DraftPaths, Publication, Published, Revision
from studio.backend.routes import parameters
from studio.backend.services import Services
from studio.http.problems import Refused

Read = Annotated[Caller, may(Operation.CONTENT_READ)]
Write = Annotated[Caller, may(Operation.CONTENT_WRITE)]
Publish = Annotated[Caller, may(Operation.CONTENT_PUBLISH)]

ZIP = "application/zip"
_ETAG = {"ETag": {"description": "Digest of the file", "schema": {"type": "string"}}}
_TEXT: dict[int | str, dict[str, Any]] = {
    200: {"headers": _ETAG, "content": {"text/plain": {"schema": {"type": "string"}}}}
}
_ZIP: dict[int | str, dict[str, Any]] = {
    200: {"description": "A zip archive", "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}}}
}


def _body(media_type: str, **schema: str) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {media_type: {"schema": {"type": "string", **schema}}}}}


def routes(services: Services) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["content"], prefix="/assistants/{assistant}/content")
    _files(router, services)
    _publications(router, services)
    _archives(router, services)
    return router


def _files(router: APIRouter, services: Services) -> None:
    engine, assistants = services.engine, services.assistants

    @router.get("/files/{path:path}", response_class=PlainTextResponse, responses=_TEXT)
    async def get_file(_: Read, assistant: parameters.Assistant, path: parameters.FilePath) -> Response:
        """The text of a file of the draft."""
        text, digest = await drafts.read(engine, await assistants.subject(assistant), path)
        return PlainTextResponse(text, headers={"ETag": f'"{digest}"'})

    @router.put("/files/{path:path}", status_code=204, response_class=Response, openapi_extra=_body("text/plain"))
    async def put_file(
        caller: Write,
        request: Request,
        assistant: parameters.Assistant,
        path: parameters.FilePath,
        if_match: parameters.IfMatch = None,
    ) -> Response:
        """Write a file of the draft (UTF-8, at most 1 MiB); its ETag is in the answer."""
        rules.check_path(path)
        subject = await assistants.editable(assistant)
        text = rules.text_of(path, await request.body())
        digest = await drafts.write(engine, caller, subject, path, text, if_match=if_match)
        return Response(status_code=204, headers={"ETag": f'"{digest}"'})

    @router.delete("/files/{path:path}", status_code=204, response_class=Response)
    async def delete_file(
        caller: Write,
        assistant: parameters.Assistant,
        path: parameters.FilePath,
        if_match: parameters.IfMatch = None,
    ) -> None:
        """Delete a file of the draft."""
        await drafts.remove(engine, caller, await assistants.editable(assistant), path, if_match=if_match)


def _publications(router: APIRouter, services: Services) -> None:
    publications, assistants = services.publications, services.assistants

    @router.get("")
    async def get_content(_: Read, assistant: parameters.Assistant) -> ContentState:
        """The draft, and what was published last."""
        return await publications.state(await assistants.subject(assistant))

    @router.post("/publish", status_code=201)
    async def publish(caller: Publish, assistant: parameters.Assistant, wanted: Publication) -> Published:
        """Make an immutable revision of the draft: the assistant is trained with it."""
        return await publications.publish(caller, await assistants.editable(assistant), wanted.message)

    @router.get("/revisions")
    async def get_revisions(
        _: Read, assistant: parameters.Assistant, limit: parameters.Limit = 50, cursor: parameters.Cursor = None
    ) -> Page[Revision]:
        """Everything that was published, newest first."""
        return await publications.history(await assistants.subject(assistant), limit=limit, cursor=cursor)


def _archives(router: APIRouter, services: Services) -> None:
    publications, assistants, engine = services.publications, services.assistants, services.engine
    # An archive takes a few times its size of memory while it is read: one at a time.
    one_at_a_time = asyncio.Semaphore(1)

    @router.get("/archive", response_class=Response, responses=_ZIP)
    async def get_archive(
        _: Read, assistant: parameters.Assistant, revision: Annotated[Number | None, Query()] = None
    ) -> Response:
        """The draft, or a revision, as a zip archive."""
        subject = await assistants.subject(assistant)
        if revision is None:
            async with engine.connect() as conn:
                files = await drafts.texts(conn, subject.uid)
        else:
            files = (await publications.revision(subject, revision)).files
        data = await asyncio.to_thread(archives.pack, files)
        name = f"{assistant}-{revision or 'draft'}.zip"
        return Response(data, media_type=ZIP, headers={"Content-Disposition": f'attachment; filename="{name}"'})

    @router.put("/archive", openapi_extra=_body(ZIP, format="binary"))
    async def put_archive(caller: Write, request: Request, assistant: parameters.Assistant) -> DraftPaths:
        """Replace the draft by the content of a zip archive (a Rasa project, or what GET gives)."""
        subject = await assistants.editable(assistant)
        async with one_at_a_time:
            data = await request.body()
            if not data:
                raise Refused(422, "the body is empty: send a zip archive")
            unpacked = await asyncio.to_thread(archives.unpack, data)
            await drafts.replace(engine, caller, subject, unpacked.files)
        return DraftPaths(files=sorted(unpacked.files), left_out=unpacked.left_out)
