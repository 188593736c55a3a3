"""Hostile input from the outside: archives, engines, cursors. Everything is answered in words, nothing by a 500."""

import base64
import io
import json
import zipfile
from collections.abc import Iterator

import aiohttp
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.services.backend.conftest import Engine
from tests.unit.services.backend.stage import Stage

from studio.backend import chat
from studio.backend.content import archives
from studio.backend.models.conversations import ChatAnswer
from studio.http.problems import Refused

SURROGATE = "\ud800"


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Tracebacks of the server are not rendered."""
    with structlog.testing.capture_logs():
        yield


def archive(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name in names:
            made.writestr(name, "x")
    return buffer.getvalue()


def cursor(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).rstrip(b"=").decode()


def test_a_member_without_a_name_is_refused() -> None:
    whole = archive("config.yml", "?")
    with pytest.raises(Refused):
        archives.unpack(_without_name(whole))


@given(st.binary(min_size=1, max_size=4), st.integers(0, 400))
def test_a_damaged_archive_is_refused_or_read(noise: bytes, position: int) -> None:
    whole = archive("config.yml", "domain.yml", "data/nlu.yml")
    position = min(position, len(whole))
    try:
        archives.unpack(whole[:position] + noise + whole[position + len(noise) :])
    except Refused:
        return


@pytest.mark.parametrize(
    "answer",
    [b"[" * 100_000, b'[{"custom":' + b"[" * 100_000 + b"]" * 100_000 + b"}]", rb'[{"text":"\ud800"}]'],
    ids=["deep", "deep inside", "half a character"],
)
def test_an_engine_that_answers_nonsense_is_told_so(answer: bytes) -> None:
    with pytest.raises(Refused) as refused:
        ChatAnswer(messages=chat._replies(answer), sender="me").model_dump_json()
    assert refused.value.status == 502


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/conversations",
        "/api/v1/conversations?text=%00",
        "/api/v1/conversations?text=%27%20%7C%20%21%20%28",
        "/api/v1/conversations?min_confidence=nan",
        "/api/v1/conversations?from=9999-12-31T23:59:59-23:59",
        f"/api/v1/trainings?cursor={cursor('2026-11-21T08:00:00Z', SURROGATE)}",
        f"/api/v1/assistants?cursor={cursor(SURROGATE)}",
        "/api/v1/conversations/1/tags/%FF",
        "/api/v1/assistants/%00/content",
        "/api/v1/assistants/concierge/content/files/%2e%2e/%2e%2e/etc/passwd.yml",
    ],
)
async def test_no_request_ends_in_an_unexpected_error(stage: Stage, path: str) -> None:
    stage.put_assistant()
    status, answer = await stage.admin("GET", path)
    assert status < 500, answer


async def test_an_assistant_that_was_never_trained_has_no_models(stage: Stage) -> None:
    stage.put_assistant()
    assert await stage.admin("GET", "/api/v1/assistants/concierge/models") == (200, {"items": [], "next_cursor": None})


async def test_half_a_character_from_an_engine_is_a_bad_gateway(
    stage: Stage, engine_session: tuple[Engine, aiohttp.ClientSession]
) -> None:
    stage.put_assistant()
    engine_session[0].answer = [{"text": SURROGATE}]
    body = {"sender": "me", "message": "hi"}
    status, answer = await stage.admin("POST", "/api/v1/assistants/concierge/chat", json=body)
    assert status == 502, answer


async def test_a_tag_with_a_slash_can_be_given(stage: Stage) -> None:
    # The pattern of tags allows the slash; in the path it is %2F, which is not another segment (RFC 3986, 2.2).
    status, answer = await stage.admin("PUT", "/api/v1/conversations/1/tags/a%2Fb")
    assert "no conversation 1" in answer["detail"], (status, answer)


def _without_name(whole: bytes) -> bytes:
    """The archive, where the name of the last member is empty; what was its name is a comment."""
    central, local = whole.rindex(b"PK\x01\x02"), whole.rindex(b"PK\x03\x04")
    changed = bytearray(whole)
    # APPNOTE.TXT 4.3.7 and 4.3.12: the lengths of name and comment in the central header, of the name in the local one.
    changed[central + 28 : central + 30] = b"\0\0"
    changed[central + 32 : central + 34] = (1).to_bytes(2, "little")
    changed[local + 26 : local + 28] = b"\0\0"
    return bytes(changed)
