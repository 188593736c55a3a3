"""What strangers may send."""

import asyncio
import contextlib
import io
import os
import time
import zipfile
from collections.abc import AsyncIterator, Callable
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.patience import STUCK_SECONDS
from tests.unit.services.backend.stage import Stage

from studio.backend.content import archives, rules
from studio.http.problems import Refused

CONTENT = "/api/v1/assistants/concierge/content"


def packed(**members: str | bytes) -> bytes:
    return packed_with({name.replace("__", "/"): data for name, data in members.items()})


def packed_with(members: dict[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def link(name: str, target: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, target)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (packed_with({"../../etc/passwd.yml": "x"}), 422, "leads out of the archive"),
        (packed_with({"/etc/cron.yml": "x"}), 422, "leads out of the archive"),
        (packed_with({"data\\..\\..\\x.yml": "x"}), 422, "leads out of the archive"),
        (packed_with({"c:/x.yml": "x"}), 422, "leads out of the archive"),
        (link("data/nlu.yml", "/etc/passwd"), 422, "it is a link"),
        (packed_with({"config.yml": b"a" * 5_000_000}), 422, "grows more than 100 times"),
        (packed_with({f"data/{n}.yml": os.urandom(500_000).hex() for n in range(9)}), 413, "that are left for it"),
        (packed_with({f"data/{n}.yml": "x" for n in range(600)}), 413, "more than 500 files"),
        (packed_with({f"{n}.txt": "" for n in range(6000)}), 422, "6000 members"),
        (packed_with({"config.yml": b"\xff\xfe"}), 422, "not UTF-8"),
        (packed_with({"config.yml": b"a\x00b"}), 422, "U+0000"),
        (packed_with({"data": "x", "data/nlu.yml": "y"}), 200, ""),
        (packed_with({"x.yml": "x", "x.yml/nlu.yml": "y"}), 409, "is a file already"),
        (packed_with({"config.yml": "x"}, zipfile.ZIP_LZMA), 422, "compression is not supported"),
        (packed_with({"readme.md": "x"}), 422, "holds no content"),
        (b"not a zip archive", 422, "not a readable zip archive"),
        (packed_with({"config.yml": "x" * 300})[:-30], 422, "not a readable zip archive"),
    ],
    # Not of the bytes: an archive holds the time at which it was made.
    ids=lambda value: str(value) if not isinstance(value, bytes) else "archive",
)
def test_archives_of_strangers(data: bytes, status: int, words: str) -> None:
    if status == 200:
        assert archives.unpack(data).files
        return
    with pytest.raises(Refused) as refused:
        archives.unpack(data)
    assert refused.value.status == status
    assert words in refused.value.detail


def test_an_archive_that_lies_about_its_sizes_is_not_believed() -> None:
    data = bytearray(packed_with({"config.yml": b"b" * 100_000}))
    size = (100_000).to_bytes(4, "little")
    while (at := data.find(size)) >= 0:
        data[at : at + 4] = (10).to_bytes(4, "little")
    with pytest.raises(Refused) as refused:
        archives.unpack(bytes(data))
    assert refused.value.status == 422


@given(st.binary(max_size=400))
def test_no_bytes_at_all_break_the_reading(data: bytes) -> None:
    for body in (data, packed_with({"config.yml": "x"}) + data, data + packed_with({"config.yml": "x"})):
        with contextlib.suppress(Refused):
            archives.unpack(body)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,5}(/[a-z]{1,5})?\.yml", fullmatch=True), st.text(alphabet="abc\n:ü")))
def test_what_is_packed_is_unpacked(files: dict[str, str]) -> None:
    if not files:
        return
    kept = archives.unpack(archives.pack(files)).files
    assert kept == {path: text for path, text in files.items() if path in kept}


@pytest.mark.parametrize(
    "path",
    ["../x.yml", "%2e%2e/%2e%2e/etc/x.yml", "a/..%2fx.yml", "/etc/x.yml", "a//b.yml", ".hidden.yml", "a/.git/x.yml",
     "x.py", "a%00.yml", "a%0ab.yml", "a\\b.yml", "x" * 260 + ".yml", "%C3%BC.yml"],
)  # fmt: skip
async def test_paths_that_lead_elsewhere(stage: Stage, path: str) -> None:
    from yarl import URL

    stage.put_assistant()
    for method in ("GET", "PUT", "DELETE"):
        url = URL(f"{stage.base}{CONTENT}/files/{path}", encoded=True)
        headers = {"Authorization": f"Bearer {stage.people.token('admin')}"}
        async with stage.session.request(
            method, url, data=b"x" if method == "PUT" else None, headers=headers
        ) as answer:
            assert answer.status in (404, 405, 422), path
            assert answer.content_type == "application/problem+json"
    assert await stage.pool.fetchval("select count(*) from drafts") == 0


async def test_a_body_without_end_is_refused_while_it_comes(stage: Stage) -> None:
    """A gigabyte, sent in pieces: refused after the first few megabytes, and the process does not grow."""
    stage.put_assistant()
    sent = 0
    process = psutil.Process()
    before = process.memory_info().rss

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        piece = b"x" * 65536
        while sent < 1024**3:
            sent += len(piece)
            yield piece

    for path, most in ((f"{CONTENT}/archive", 8), (f"{CONTENT}/files/a.yml", 1)):
        sent = 0
        try:
            status, problem = await stage.admin("PUT", path, data=body())
            assert (status, problem["title"]) == (413, "Content Too Large") or status == 413
        except (ConnectionError, OSError):
            pass  # the server hung up before the client had read the answer
        assert sent < (most + 16) * 1024**2
    assert process.memory_info().rss - before < 64 * 1024**2


async def test_a_body_that_says_how_large_it_is_is_not_read_at_all(stage: Stage) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(stage.base.rpartition(":")[2]))
    writer.write(f"PUT {CONTENT}/archive HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n".encode())
    await writer.drain()
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), STUCK_SECONDS)
    assert b"413" in head.split(b"\r\n")[0]
    assert b"application/problem+json" in head
    writer.close()
    await writer.wait_closed()


async def test_a_yaml_bomb_is_only_text(stage: Stage) -> None:
    stage.put_assistant()
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    bomb = "\n".join(lines)
    began = time.monotonic()
    assert (await stage.admin("PUT", f"{CONTENT}/files/config.yml", data=bomb.encode()))[0] == 204
    assert (await stage.admin("POST", f"{CONTENT}/publish", json={}))[0] == 201
    _, got = await stage.operator("GET", "/internal/v1/assistants/concierge/content")
    assert got["files"]["config.yml"] == bomb
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    "name",
    ["169.254.169.254", "localhost", "evil.example.com", "concierge.other-ns.svc", "a@b", "x:80", "%2e%2e", "CON"],
)
async def test_the_chat_reaches_nothing_but_assistants(stage: Stage, engine_session: Any, name: str) -> None:
    status, _ = await stage.admin("POST", f"/api/v1/assistants/{name}/chat", json={"sender": "me", "message": "hi"})
    assert status in (404, 422)
    assert engine_session[0].heard == []


@pytest.mark.parametrize("value", ["' or 1=1 --", "\\", "%", "a'; drop table events; --", "🙂", '"', "!!!", "& | :*"])
async def test_filters_are_values_not_statements(stage: Stage, value: str) -> None:
    for field in ("assistant", "intent", "action", "channel", "tag", "text"):
        status, page = await stage.admin("GET", "/api/v1/conversations", params={field: value})
        assert (status, page["items"]) == (200, [])
    assert await stage.pool.fetchval("select count(*) from events") == 0


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/v1/conversations?text=a%00b", None),
        ("GET", "/api/v1/conversations?from=0001-01-01T00:00:00%2B14:00", None),
        ("GET", "/api/v1/conversations?to=9999-12-31T23:59:59-14:00", None),
        ("GET", "/api/v1/conversations?min_confidence=nan", None),
        ("GET", "/api/v1/conversations?limit=100000", None),
        ("GET", "/api/v1/conversations/99999999999999999999", None),
        ("GET", "/api/v1/conversations?nonsense=1", None),
        ("POST", "/api/v1/conversations/1/flags", b'{"reason": "a\\u0000b"}'),
        ("POST", "/api/v1/conversations/1/flags", b'{"reason": "\\ud800"}'),
        ("POST", "/api/v1/assistants", b'{"name": "a", "surprise": 1}'),
        ("POST", "/api/v1/dead-letters/replay", b'{"topic": "a\\u0000b"}'),
        ("PUT", "/api/v1/conversations/1/tags/%00", None),
    ],
)
async def test_values_that_no_database_takes(stage: Stage, method: str, path: str, body: bytes | None) -> None:
    from yarl import URL

    headers = {"Authorization": f"Bearer {stage.people.token('admin')}", "Content-Type": "application/json"}
    async with stage.session.request(
        method, URL(stage.base + path, encoded=True), data=body, headers=headers
    ) as answer:  # fmt: skip
        assert answer.status == 422, await answer.text()
        problem = await answer.json()
    assert problem["errors"]


@pytest.mark.parametrize(
    "cursor", ["x", "!!!!", "e30", "WzFd", "W251bGwsbnVsbF0", "WyIyMDI2IiwtMV0", "W3RydWVd", "Wy0xXQ"]
)
async def test_cursors_that_nobody_gave(stage: Stage, cursor: str) -> None:
    for path in ("conversations", "trainings", "runs", "dead-letters", "audit"):
        status, problem = await stage.admin("GET", f"/api/v1/{path}?cursor={cursor}")
        if status != 200:
            assert (status, problem["detail"]) == (422, "cursor: it is not one that this list gave; begin without it")
        else:
            assert (path, cursor) in {("audit", "WzFd"), ("dead-letters", "WzFd")}


async def test_the_log_has_one_line_for_each_event(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """What people send cannot end a line of the log, and their tokens are not in it."""
    import json
    import logging

    from studio.logging import configure

    root = logging.getLogger()
    before = root.handlers[:], root.level
    configure("INFO", "backend")
    try:
        token = stage.people.token("admin")
        stage.kube.fail(RuntimeError('boom\n{"event": "forged"}\r\nBearer ' + token), verb="get")
        status, problem = await stage.admin("GET", "/api/v1/assistants/nobody", headers={"X-Request-Id": 'a"b'})
        assert status == 500
        assert problem["request_id"] != 'a"b'
    finally:
        root.handlers[:], _ = before
        root.setLevel(before[1])
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all(json.loads(line) for line in lines)
    assert not any(json.loads(line)["event"] == "forged" for line in lines)
    assert token not in "".join(lines)
    assert problem["request_id"] in "".join(lines)


CheckSet = Callable[[dict[str, int]], None]


def test_bounds_of_drafts() -> None:
    rules.check_set({"config.yml": 10, "data/nlu.yml": 10})
    for sizes, status in (({f"{n}.yml": 1 for n in range(501)}, 413), ({"a.yml": 8 * 1024**2 + 1}, 413)):
        with pytest.raises(Refused) as refused:
            rules.check_set(sizes)
        assert refused.value.status == status
