"""Error answers (RFC 9457, application/problem+json), and what the errors of a process mean to whoever asked."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from studio.contract.model_service import FieldProblem, Problem
from studio.http.request_ids import HEADER, request_id

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
UNEXPECTED = "an unexpected error: see the log of the server for this request"

# The answer to whatever goes wrong, for the description of every route.
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "What went wrong",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}


class Refused(Exception):
    """A request that cannot be granted; `detail` names the field and the remedy, `errors` the fields one by one."""

    def __init__(self, status: int, detail: str, *, errors: Sequence[FieldProblem] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = list(errors)


# What an error of a library means: the answer to it, or None where it is a bug after all.
Meaning = Callable[[Exception], Refused | None]
Meanings = Mapping[type[Exception], Meaning]


def answer_errors(app: FastAPI, meanings: Meanings) -> None:
    """Answer every error of the app as a problem; `meanings` are the errors that are no bugs.

    `Exception` alone would do, but what is left to it is raised again after the answer: the server would log a
    traceback for every request while, say, the database restarts.
    """

    async def answer(request: Request, error: Exception) -> Response:
        return _answer(request, error, meanings)

    for error in (Refused, HTTPException, RequestValidationError, *meanings, Exception):
        app.add_exception_handler(error, answer)


def problem(request: Request, refused: Refused, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer to a request that is refused."""
    body = Problem(
        title=HTTPStatus(refused.status).phrase,
        status=refused.status,
        detail=refused.detail,
        instance=request.url.path,
        request_id=request_id(request.scope),
        errors=refused.errors,
    )
    extra = {HEADER: body.request_id, **(headers or {})}
    if refused.status == HTTPStatus.UNAUTHORIZED:
        extra["WWW-Authenticate"] = "Bearer"
    if refused.status == HTTPStatus.SERVICE_UNAVAILABLE:
        extra["Retry-After"] = "2"
    if refused.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        # Else the server would go on reading, only to throw away what comes.
        extra["Connection"] = "close"
    return JSONResponse(body.model_dump(mode="json"), refused.status, extra, media_type=MEDIA_TYPE)


def _answer(request: Request, error: Exception, meanings: Meanings) -> Response:
    match error:
        case Refused():
            return problem(request, error)
        case HTTPException():
            return problem(request, Refused(error.status_code, str(error.detail)), error.headers)
        case RequestValidationError():
            return problem(request, _invalid(error))
    for kind in type(error).__mro__:
        meaning = meanings.get(kind)
        refused = meaning(error) if meaning else None
        if refused is not None:
            log.warning("a dependency failed", path=request.url.path, error=str(error))
            return problem(request, refused)
    # Outside of the middleware that binds the id: it is told here once more.
    log.error("a request failed", path=request.url.path, request_id=request_id(request.scope), exc_info=error)
    return problem(request, Refused(500, UNEXPECTED))


def _invalid(error: RequestValidationError) -> Refused:
    found = [
        FieldProblem(field=".".join(str(part) for part in each["loc"]), message=str(each["msg"]))
        for each in error.errors()
    ]
    return Refused(422, "; ".join(f"{each.field}: {each.message}" for each in found), errors=found)
