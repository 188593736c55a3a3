"""Bodies that are larger than their route takes are refused, at the latest while they arrive."""

from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.http.problems import Refused, problem

KIB, MIB = 1024, 1024 * 1024


class Limits:
    """Counts what is received; `limit` gives the bytes that a path takes."""

    def __init__(self, app: ASGIApp, limit: Callable[[str], int]) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse with 413: before anything is read when the length is declared, else as soon as it is too much."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit(scope["path"])
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdigit() and int(declared) > limit:
            await problem(Request(scope), _too_large(limit))(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                # FastAPI lets this one error through when it reads a body.
                raise HTTPException(413, _too_large(limit).detail)
            return message

        await self._app(scope, counted, send)


def _too_large(limit: int) -> Refused:
    return Refused(413, f"the body is larger than {limit} bytes: send less")
