"""The client of the back end, against one that answers what it is told to."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from studio_operator.clients import backend
from studio_operator.clients.backend import HttpContents
from studio_operator.clients.studio_http import StudioHttp
from studio_operator.ports import Refused, Unreachable

GOOD = {"revision": 3, "files": {"config.yml": "recipe: default.v1"}}


class Backend:
    """Says `answer` with `status`, and remembers what was asked."""

    def __init__(self) -> None:
        self.status, self.answer = 200, json.dumps(GOOD)
        self.asked: list[tuple[str, str | None]] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append((request.path_qs, request.headers.get("Authorization")))
        return web.Response(status=self.status, text=self.answer, content_type="application/json")


@pytest.fixture
def there() -> Backend:
    return Backend()


@pytest.fixture
async def contents(there: Backend, tmp_path: Path) -> AsyncIterator[HttpContents]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", there.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    token = tmp_path / "token"
    token.write_text("mine\n")
    template = f"http://127.0.0.1:{runner.addresses[0][1]}/{{namespace}}/{{studio}}/{{component}}"
    http = StudioHttp(token_file=token, url_template=template, user_agent="tester/1")
    yield HttpContents(http)
    await http.close()
    await runner.cleanup()


async def test_the_files_of_a_revision(contents: HttpContents, there: Backend) -> None:
    assert await contents.published("n", "s", "a", "3") == GOOD["files"]
    assert there.asked == [("/n/s/backend/internal/v1/assistants/a/content?revision=3", "Bearer mine")]


@pytest.mark.parametrize(
    ("status", "answer", "error"),
    [
        (404, {"detail": "there is no revision 3"}, Refused),
        (503, {"detail": "the database is away"}, Unreachable),
        (200, {"revision": 2, "files": {}}, Unreachable),
        (200, {"files": {}}, Unreachable),
        (200, ["nonsense"], Unreachable),
    ],
)
async def test_answers_that_are_no_content(
    contents: HttpContents, there: Backend, status: int, answer: Any, error: type[Exception]
) -> None:
    there.status, there.answer = status, json.dumps(answer)
    with pytest.raises(error):
        await contents.published("n", "s", "a", "3")


async def test_an_answer_without_end_is_cut(contents: HttpContents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "CONTENT_BYTES", 10)
    with pytest.raises(Refused, match="more than 10 bytes"):
        await contents.published("n", "s", "a", "3")
