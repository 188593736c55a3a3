"""An orchestrator, an object store and an engine on loopback, as small as the helpers need them."""

import hashlib
import io
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from studio.contract.model_service import FileDigest
from studio.model_service.helper.environment import HelperSettings
from studio.model_service.helper.transfer import storage_session
from studio.model_service.orchestrator_client import OrchestratorClient


def archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def digest_of(data: bytes) -> FileDigest:
    return FileDigest(sha256=hashlib.sha256(data).hexdigest(), size=len(data))


class World:
    """Objects, answers by path, and every request that came; `failures` are statuses to answer first."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.answers: dict[str, Any] = {}
        self.requests: list[tuple[str, str, str, Any]] = []
        self.failures: dict[str, list[int]] = {}
        self.engine_model: str | None = None
        self.engine_token = ""
        self.put_status = 204
        self.url = ""

    def application(self) -> web.Application:
        application = web.Application(client_max_size=1 << 26)
        application.add_routes(
            [
                web.get("/status", self._status),
                web.put("/model", self._put_model),
                web.get("/s3/{key}", self._get),
                web.put("/s3/{key}", self._put),
                web.route("*", "/v1/{rest:.*}", self._api),
            ]
        )
        return application

    def bodies(self, suffix: str) -> list[Any]:
        return [body for _, path, _, body in self.requests if path.endswith(suffix)]

    async def _api(self, request: web.Request) -> web.Response:
        is_json = request.content_type == "application/json"
        body = await request.json() if is_json else await request.text()
        self.requests.append((request.method, request.path, request.headers.get("Authorization", ""), body))
        if self.failures.get(request.path):
            status = self.failures[request.path].pop(0)
            return web.json_response({"title": "no", "status": status, "detail": f"because {status}"}, status=status)
        answer = self.answers.get(request.path, {})
        return web.json_response(answer() if callable(answer) else answer)

    async def _get(self, request: web.Request) -> web.Response:
        self.requests.append(("GET", request.path, "", request.rel_url.raw_query_string))
        if self.failures.get(request.path):
            return web.Response(status=self.failures[request.path].pop(0))
        return web.Response(body=self.objects[request.match_info["key"]])

    async def _put(self, request: web.Request) -> web.Response:
        data = await request.read()
        self.requests.append(("PUT", request.path, "", dict(request.headers)))
        if self.failures.get(request.path):
            return web.Response(status=self.failures[request.path].pop(0))
        self.objects[request.match_info["key"]] = data
        return web.Response()

    async def _status(self, request: web.Request) -> web.Response:
        if request.query.get("token") != self.engine_token:
            return web.json_response({}, status=401)
        if self.engine_model is None:
            return web.json_response({}, status=409)
        return web.json_response({"model_file": self.engine_model, "model_id": "m"})

    async def _put_model(self, request: web.Request) -> web.Response:
        """As Rasa does: the file is named by its path, and known by its name."""
        body = await request.json()
        self.requests.append(("PUT", request.path, request.query.get("token", ""), body))
        if self.put_status < 400:
            self.engine_model = body["model_file"].rsplit("/", 1)[-1]
            return web.Response(status=self.put_status)
        return web.json_response({"message": "the model is broken"}, status=self.put_status)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    async with TestServer(world.application()) as server:
        world.url = str(server.make_url("/")).rstrip("/")
        yield world


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with storage_session() as session:
        yield session


@pytest.fixture
def helper_settings(world: World, tmp_path: Path) -> HelperSettings:
    token = tmp_path / "projected-token"
    token.write_text("bearer-1\n")
    return HelperSettings(orchestrator_url=world.url, token_file=token, item="kiosk-t1-abcde", attempt=1)


@pytest.fixture
async def orchestrator(helper_settings: HelperSettings) -> AsyncIterator[OrchestratorClient]:
    async with helper_settings.orchestrator(patience=5) as client:
        yield client
