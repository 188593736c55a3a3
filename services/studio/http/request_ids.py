"""X-Request-Id: taken over when it is harmless, made otherwise, in every answer and in every line of the log."""

import re
import uuid

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-Id"
_HARMLESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def request_id(scope: Scope) -> str:
    """The id of the request; empty outside of the middleware."""
    return str(scope.get("state", {}).get("request_id", ""))


class RequestIds:
    """Gives every request its id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note the id, then serve."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        own = given if _HARMLESS.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = own

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault(HEADER, own)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=own):
            await self._app(scope, receive, marked)
