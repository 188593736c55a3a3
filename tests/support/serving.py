"""A FastAPI app behind a real server on a free loopback port, and a client that speaks as somebody."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from fastapi import FastAPI

from studio.model_service.orchestrators.http import Server


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """The base URL while the context lasts."""
    server = Server(app, host="127.0.0.1", port=0)
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            if task.done():
                task.result()
            await asyncio.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.end()
        with contextlib.suppress(asyncio.CancelledError):
            await task


class Client:
    """Requests with one bearer token; answers are (status, JSON or text)."""

    def __init__(self, session: aiohttp.ClientSession, base: str, token: str | None) -> None:
        self._session = session
        self._base = base
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def __call__(self, method: str, path: str, **arguments: Any) -> tuple[int, Any]:
        headers = {**self._headers, **arguments.pop("headers", {})}
        async with self._session.request(method, self._base + path, headers=headers, **arguments) as response:
            if "json" in response.content_type:
                return response.status, await response.json()
            return response.status, await response.text()

    def open(self, path: str) -> Any:
        """A streaming GET."""
        return self._session.get(self._base + path, headers=self._headers)
