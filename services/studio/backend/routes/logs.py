"""Logs that are passed on while they are written."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import structlog
from fastapi import Request, Response

from studio.backend.routes.assistants import STREAM_SECONDS
from studio.http import streams
from studio.http.problems import Refused

log = structlog.get_logger(__name__)


async def passed_on(request: Request, source: AbstractAsyncContextManager[AsyncIterator[bytes]]) -> Response:
    """The events of `source`, once it has begun to answer. Raises Refused."""
    stack = AsyncExitStack()
    chunks = await stack.enter_async_context(source)
    pieces = streams.limited(chunks, request.app.state.closing, seconds=STREAM_SECONDS)
    return streams.event_stream(_relayed(stack, pieces))


async def _relayed(stack: AsyncExitStack, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces; a stream that breaks off ends, and its reader goes on with the next one."""
    try:
        async with stack:
            async for piece in pieces:
                yield piece
    except Refused as refused:
        log.info("a log broke off", reason=refused.detail)
