"""The client against orchestrators that answer what they are told to."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from studio.contract.labels import Component
from studio.contract.model_service import DesiredRunning, DesiredTraining, EnginePod
from studio_operator.clients import studio_http
from studio_operator.clients.model_service import HttpModelService
from studio_operator.clients.studio_http import StudioHttp
from studio_operator.ports import Refused, Unreachable
from studio_operator.runtime.streams import Stream

WHO: dict[str, Any] = {
    "uid": "u",
    "name": "a",
    "namespace": "n",
    "studio": "s",
    "fingerprint": "f",
    "engine": EnginePod(image="e"),
}
STREAM = Stream("n", "s", Component.TRAINING_ORCHESTRATOR)


class Orchestrator:
    def __init__(self) -> None:
        self.status, self.answer = 200, b"{}"
        self.content_type = "application/json"
        self.seen: list[tuple[str, str, bytes]] = []
        self.headers: dict[str, str] = {}

    async def handle(self, request: web.Request) -> web.Response:
        self.seen.append((request.method, request.path_qs, await request.read()))
        self.headers = dict(request.headers)
        return web.Response(status=self.status, body=self.answer, content_type=self.content_type)

    def says(self, status: int, body: Any) -> None:
        self.status, self.answer = status, body if isinstance(body, bytes) else json.dumps(body).encode()


@pytest.fixture
def orchestrator() -> Orchestrator:
    return Orchestrator()


@pytest.fixture
async def client(orchestrator: Orchestrator, tmp_path: Path) -> AsyncIterator[HttpModelService]:
    app = web.Application(client_max_size=2**25)
    app.router.add_route("*", "/{path:.*}", orchestrator.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    token = tmp_path / "token"
    token.write_text("first\n")
    template = f"http://127.0.0.1:{runner.addresses[0][1]}/{{namespace}}/{{studio}}/{{component}}"
    http = StudioHttp(token_file=token, url_template=template, user_agent="tester/1")
    yield HttpModelService(http)
    await http.close()
    await runner.cleanup()


async def test_put_training(client: HttpModelService, orchestrator: Orchestrator, tmp_path: Path) -> None:
    orchestrator.says(200, {"needs_content": True, "unknown": "field"})
    observed = await client.put_training(DesiredTraining(**WHO))
    assert observed.needs_content
    method, path, body = orchestrator.seen[0]
    assert (method, path) == ("PUT", "/n/s/training-orchestrator/v1/assistants/a")
    assert json.loads(body)["fingerprint"] == "f"
    assert orchestrator.headers["Authorization"] == "Bearer first"
    (tmp_path / "token").write_text("second")
    await client.put_training(DesiredTraining(**WHO))
    assert orchestrator.headers["Authorization"] == "Bearer second"


async def test_put_running(client: HttpModelService, orchestrator: Orchestrator) -> None:
    assert (await client.put_running(DesiredRunning(**WHO))).target is None
    assert orchestrator.seen[0][1] == "/n/s/running-orchestrator/v1/assistants/a"


async def test_slots(client: HttpModelService, orchestrator: Orchestrator) -> None:
    orchestrator.says(200, {"held": [{"assistant": "a", "run": "r", "model_version": "1", "state": "Ready"}]})
    slots = await client.slots("n", "s")
    assert ([slot.assistant for slot in slots.held], slots.waiting) == (["a"], 0)
    assert orchestrator.seen[0][:2] == ("GET", "/n/s/running-orchestrator/v1/slots")


async def test_put_content(client: HttpModelService, orchestrator: Orchestrator) -> None:
    orchestrator.says(204, b"")
    await client.put_content(DesiredTraining(**WHO), b"\x1f" * 2_000_000, "abc")
    assert orchestrator.seen[0][1] == "/n/s/training-orchestrator/v1/assistants/a/content/f"
    assert len(orchestrator.seen[0][2]) == 2_000_000
    assert orchestrator.headers["X-Content-SHA256"] == "abc"


async def test_remove_asks_both(client: HttpModelService, orchestrator: Orchestrator) -> None:
    orchestrator.says(200, {"gone": False, "message": "a run is stopping"})
    answers = await client.remove("n", "s", "a", "u", delete_data=True)
    assert [answer.gone for answer in answers] == [False, False]
    assert sorted(path for _, path, _ in orchestrator.seen) == [
        "/n/s/running-orchestrator/v1/assistants/a?uid=u&delete_data=true",
        "/n/s/training-orchestrator/v1/assistants/a?uid=u&delete_data=true",
    ]


async def test_a_refusal_carries_the_detail(client: HttpModelService, orchestrator: Orchestrator) -> None:
    orchestrator.says(413, {"title": "Too large", "status": 413, "detail": "content has 17 MiB, 16 are allowed"})
    with pytest.raises(Refused, match="17 MiB") as raised:
        await client.put_content(DesiredTraining(**WHO), b"", "abc")
    assert raised.value.status == 413


@pytest.mark.parametrize("answer", [b"<html>", {"title": "Internal"}])
async def test_a_server_that_fails_may_recover(
    client: HttpModelService, orchestrator: Orchestrator, answer: Any
) -> None:
    orchestrator.says(503, answer)
    with pytest.raises(Unreachable):
        await client.put_training(DesiredTraining(**WHO))


async def test_an_answer_that_is_none(client: HttpModelService, orchestrator: Orchestrator) -> None:
    orchestrator.says(200, b"<html>")
    with pytest.raises(Unreachable, match="not a ObservedTraining"):
        await client.put_training(DesiredTraining(**WHO))


async def test_nobody_there(tmp_path: Path) -> None:
    http = StudioHttp(token_file=None, url_template="http://127.0.0.1:1", user_agent="tester/1")
    with pytest.raises(Unreachable, match="training-orchestrator does not answer"):
        await HttpModelService(http).put_training(DesiredTraining(**WHO))
    await http.close()
    http = StudioHttp(token_file=tmp_path / "none", user_agent="tester/1")
    with pytest.raises(Unreachable, match="token"):
        await HttpModelService(http).put_training(DesiredTraining(**WHO))
    await http.close()


async def test_an_address_that_never_answers_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of a Service which was deleted, while DNS still tells it; the time for a request would be too long."""
    monkeypatch.setattr(studio_http, "CONNECT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as nobody, contextlib.ExitStack() as queue:
        address = nobody.getsockname()
        # Nobody accepts, so the queue is full soon, and whoever comes then hears nothing.
        while True:
            waiting = queue.enter_context(socket.socket())
            waiting.settimeout(0.2)
            if waiting.connect_ex(address):
                break
        http = StudioHttp(token_file=None, url_template=f"http://127.0.0.1:{address[1]}", user_agent="tester/1")
        async with asyncio.timeout(studio_http.REQUEST_SECONDS / 2):
            with pytest.raises(Unreachable, match="training-orchestrator does not answer"):
                await HttpModelService(http).put_training(DesiredTraining(**WHO))
        await http.close()


async def test_changes(client: HttpModelService, orchestrator: Orchestrator) -> None:
    orchestrator.says(200, b': heartbeat\n\ndata: {"assistant": "a"}\n\ndata:{"assistant": "b"}\n\n')
    assert [change async for change in client.changes(STREAM)] == [None, "a", "b"]
    assert orchestrator.seen[0][1] == "/n/s/training-orchestrator/v1/changes"


async def test_changes_that_are_not_granted(client: HttpModelService, orchestrator: Orchestrator) -> None:
    orchestrator.says(401, {"title": "Unauthorized", "status": 401})
    with pytest.raises(Refused):
        [change async for change in client.changes(STREAM)]
