"""Bodies of answers: whole, their end, or a watch's events, one JSON object a line in chunks that end anywhere."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp

from studio.kube.errors import from_status
from studio.kube.kinds import Manifest

Reader = Callable[[aiohttp.StreamReader], Awaitable[bytes]]


async def read_all(body: aiohttp.StreamReader) -> bytes:
    """The whole body."""
    return await body.read()


async def read_end(body: aiohttp.StreamReader, *, size: int) -> bytes:
    """The last `size` bytes of a body; never more than twice as much is held."""
    end = bytearray()
    async for piece in body.iter_any():
        end += piece
        if len(end) > 2 * size:
            del end[:-size]
    return bytes(end[-size:])


async def decode_events(chunks: AsyncIterator[bytes]) -> AsyncIterator[tuple[str, Manifest]]:
    """The events of a watch. Raises the error that an ERROR event carries, such as Gone or Unavailable."""
    async for line in _lines(chunks):
        event = json.loads(line)
        if event["type"] == "ERROR":
            status = event["object"]
            raise from_status(int(status.get("code") or 500), status)
        yield event["type"], event["object"]


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines of any length: an object may be larger than the buffer limit of the stream's own line reader.

    A last line without its end is a torn one and is dropped.
    """
    pending: list[bytes] = []
    async for chunk in chunks:
        head, *rest = chunk.split(b"\n")
        pending.append(head)
        for part in rest:
            line = b"".join(pending)
            pending = [part]
            if line.strip():
                yield line
