"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, TypeVar

from fastapi.responses import StreamingResponse

Piece = TypeVar("Piece")

MEDIA_TYPE = "text/event-stream"
HEARTBEAT_SECONDS = 10.0
CONNECTED = ": connected\n\n"
HEARTBEAT = ": heartbeat\n\n"

# For the description of a route that streams.
STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "Server-sent events", "content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}
}


def event(data: str, *, name: str | None = None, id: str | None = None) -> str:  # noqa: A002
    """One event; `data` is JSON, so it has no line breaks of its own."""
    head = (f"id: {id}\n" if id is not None else "") + (f"event: {name}\n" if name else "")
    return f"{head}data: {data}\n\n"


def event_stream(events: AsyncIterator[str] | AsyncIterator[bytes]) -> StreamingResponse:
    """The answer that sends these events as they come; no proxy is to keep them back."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type=MEDIA_TYPE, headers=headers)


def json_of(value: Any) -> str:
    """JSON without line breaks."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


async def with_heartbeats(
    pieces: AsyncIterator[Piece], closing: asyncio.Event, *, seconds: float = HEARTBEAT_SECONDS
) -> AsyncIterator[Piece | None]:
    """The pieces as they come, None after each `seconds` without one, until they end or the process begins to stop."""
    stopping = asyncio.ensure_future(closing.wait())
    coming: asyncio.Future[Piece] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(_next(pieces))
            waiting: set[asyncio.Future[Any]] = {coming, stopping}
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if stopping.done():
                return
            if not coming.done():
                yield None
                continue
            try:
                piece = coming.result()
            except _Ended:
                return
            coming = None
            yield piece
    finally:
        stopping.cancel()
        if coming is not None and not coming.done():
            coming.cancel()
            # Only then may the iterator be closed by whoever made it.
            await asyncio.wait({coming})


async def limited(pieces: AsyncIterator[Piece], closing: asyncio.Event, *, seconds: float) -> AsyncIterator[Piece]:
    """The pieces as they come, until they end, the process begins to stop, or `seconds` have passed."""
    end = asyncio.get_running_loop().time() + seconds
    async for piece in with_heartbeats(pieces, closing):
        if piece is not None:
            yield piece
        if asyncio.get_running_loop().time() >= end:
            return


async def _next(pieces: AsyncIterator[Piece]) -> Piece:
    try:
        return await anext(pieces)
    except StopAsyncIteration:
        raise _Ended from None


class _Ended(Exception):
    """A future cannot carry StopAsyncIteration."""
