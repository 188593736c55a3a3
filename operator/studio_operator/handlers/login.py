"""kopf's connection to the API server: the same configuration and the same rotating token as the façade's."""

import re
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import kopf
from aiohttp.client_middlewares import ClientHandlerType, ClientMiddlewareType

from studio.kube import metrics
from studio.kube.connection import open_session
from studio_operator.runtime.liveness import WatchActivity
from studio_operator.runtime.watched import Watched

_ONE = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_MANY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_COLLECTION = re.compile(r"^/apis?/.*/([a-z]+)$")


def watch_middleware(watched: tuple[Watched, ...], activity: WatchActivity) -> ClientMiddlewareType:
    """Tells `activity` of every watch that is opened, and asks for metadata only where nothing else is wanted.

    Counts the requests as the façade counts its own; what kopf asks besides lists and watches has no kind.
    """
    metadata_only = {entry.kind.plural for entry in watched if entry.metadata_only}
    kinds = {entry.kind.plural: entry.kind.kind for entry in watched}

    async def middleware(request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
        found = _COLLECTION.match(request.url.path)
        watching = request.url.query.get("watch") == "true"
        if found and found[1] in metadata_only:
            request.headers["Accept"] = _ONE if watching else _MANY
        kind = kinds.get(found[1], "") if found else ""
        verb = "watch" if watching else "list" if kind else "get"
        started, code = time.monotonic(), 0
        try:
            response = await handler(request)
            code = response.status
        finally:
            metrics.REQUESTS.labels(verb, kind, str(code)).inc()
            metrics.LATENCY.labels(verb, kind).observe(time.monotonic() - started)
        if found and watching and response.status == 200:  # noqa: PLR2004
            activity.opened(request.url.path)
        return response

    return middleware


class Answer(aiohttp.ClientResponse):
    """An answer in which a list is one even when it is empty: of PartialObjectMetadata, none at all come as null."""

    async def json(self, **options: Any) -> Any:
        """The body, with an empty list in the place of `items: null`, which kopf cannot read."""
        body = await super().json(**options)
        if isinstance(body, dict) and "items" in body:
            body["items"] = body["items"] or []
        return body


def login_handler(watched: tuple[Watched, ...], activity: WatchActivity, user_agent: str) -> Callable[..., Any]:
    """The login activity for kopf's registry."""

    async def login(**_: Any) -> kopf.AiohttpSession:
        server, session = await open_session(
            user_agent=user_agent, middlewares=(watch_middleware(watched, activity),), response_class=Answer
        )
        return kopf.AiohttpSession(server=server, aiohttp_session=session)

    return login
