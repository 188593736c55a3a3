"""The façade against a small HTTP server that answers what it is told to."""

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import REGISTRY

from studio.kube import (
    CONFIGMAP,
    EVENT,
    JOB,
    NODE,
    POD,
    AlreadyExists,
    Conflict,
    Gone,
    Invalid,
    Kube,
    NotFound,
    TooManyRequests,
    Unavailable,
    client,
    connection,
)


class Server:
    """Answers requests in turn from `answers`; the last one is repeated. Each is (status, body[, headers])."""

    def __init__(self) -> None:
        self.answers: list[tuple[Any, ...]] = [(200, {})]
        self.seen: list[tuple[str, str, dict[str, str], Any]] = []
        self.headers: list[dict[str, str]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.seen.append((request.method, request.path, dict(request.query), json.loads(body) if body else None))
        self.headers.append(dict(request.headers))
        status, answer, *headers = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return web.Response(status=status, body=data, headers=headers[0] if headers else None)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def kube(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Kube]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {"token": "t0ken"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.setattr(client, "FIRST_BACKOFF_SECONDS", 0.001)
    kube = await Kube.connect(user_agent="tester/1")
    yield kube
    await kube.close()
    await runner.cleanup()


def refusal(code: int, reason: str = "", message: str = "no") -> tuple[int, dict[str, Any]]:
    return code, {"kind": "Status", "code": code, "reason": reason, "message": message}


async def test_requests_say_who_asks(kube: Kube, server: Server) -> None:
    await kube.get(POD, "n", "p")
    assert server.seen[0][:2] == ("GET", "/api/v1/namespaces/n/pods/p")
    assert server.headers[0]["User-Agent"] == "tester/1"
    assert server.headers[0]["Authorization"] == "Bearer t0ken"


async def test_get_of_nothing_is_none(kube: Kube, server: Server) -> None:
    server.answers = [refusal(404, "NotFound")]
    assert await kube.get(JOB, "n", "j") is None
    assert server.seen[0][1] == "/apis/batch/v1/namespaces/n/jobs/j"


async def test_lists_are_paged_and_typed(kube: Kube, server: Server) -> None:
    server.answers = [
        (200, {"metadata": {"continue": "more", "resourceVersion": "7"}, "items": [{"metadata": {"name": "a"}}]}),
        (200, {"metadata": {"resourceVersion": "7"}, "items": [{"metadata": {"name": "b"}}]}),
    ]
    items, version = await kube.list_with_version(POD, labels="a=b")
    assert [(item["kind"], item["apiVersion"], item["metadata"]["name"]) for item in items] == [
        ("Pod", "v1", "a"),
        ("Pod", "v1", "b"),
    ]
    assert version == "7"
    assert server.seen[1][1:3] == ("/api/v1/pods", {"labelSelector": "a=b", "limit": "500", "continue": "more"})


async def test_an_expired_page_starts_the_list_over(kube: Kube, server: Server) -> None:
    page = (200, {"metadata": {"continue": "more"}, "items": [{"metadata": {"name": "a"}}]})
    whole = (200, {"metadata": {"resourceVersion": "9"}, "items": [{"metadata": {"name": "b"}}]})
    server.answers = [page, refusal(410, "Expired"), whole]
    items, _ = await kube.list_with_version(POD)
    assert [item["metadata"]["name"] for item in items] == ["b"]


async def test_metadata_only(kube: Kube, server: Server) -> None:
    server.answers = [(200, {"items": []})]
    await kube.list(CONFIGMAP, "n", metadata_only=True)
    assert "as=PartialObjectMetadataList" in server.headers[0]["Accept"]


async def test_apply_is_server_side(kube: Kube, server: Server) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}}
    await kube.apply(body, field_manager="me")
    await kube.apply_status(
        body | {"status": {}},
        field_manager="me",
    )
    assert server.seen[0] == (
        "PATCH",
        "/api/v1/namespaces/n/configmaps/a",
        {"fieldManager": "me", "force": "true"},
        body,
    )
    assert server.headers[0]["Content-Type"] == "application/apply-patch+yaml"
    assert server.seen[1][1].endswith("/configmaps/a/status")


async def test_patch_compares_and_swaps(kube: Kube, server: Server) -> None:
    await kube.patch(CONFIGMAP, "n", "a", {"metadata": {"labels": {"a": None}}}, resource_version="5")
    assert server.seen[0][3] == {"metadata": {"labels": {"a": None}, "resourceVersion": "5"}}
    assert server.headers[0]["Content-Type"] == "application/merge-patch+json"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(409, "AlreadyExists"), AlreadyExists),
        (refusal(409, "Conflict"), Conflict),
        (refusal(410, "Expired"), Gone),
        (refusal(422, "Invalid"), Invalid),
        (refusal(404, "NotFound"), NotFound),
        (refusal(500, "InternalError"), Unavailable),
        ((502, b"<html>bad gateway"), Unavailable),
    ],
)
async def test_refusals_are_mapped(kube: Kube, server: Server, answer: Any, error: type[Exception]) -> None:
    server.answers = [answer]
    with pytest.raises(error):
        await kube.create(CONFIGMAP, {"metadata": {"name": "a", "namespace": "n"}})
    assert len(server.seen) == 1, "writes of unknown outcome are not repeated"


async def test_reads_are_repeated_while_the_server_is_away(kube: Kube, server: Server) -> None:
    server.answers = [refusal(503), refusal(500), (200, {"kind": "Pod"})]
    assert await kube.get(POD, "n", "p") == {"kind": "Pod"}
    assert len(server.seen) == 3


async def test_reads_give_up_in_the_end(kube: Kube, server: Server) -> None:
    server.answers = [refusal(503)]
    with pytest.raises(Unavailable):
        await kube.get(POD, "n", "p")
    assert len(server.seen) == client.ATTEMPTS


async def test_retry_after_is_honoured_for_writes_too(
    kube: Kube, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    server.answers = [(*refusal(429, "TooManyRequests"), {"Retry-After": "3"}), (201, {"kind": "ConfigMap"})]
    assert await kube.create(CONFIGMAP, {"metadata": {"name": "a", "namespace": "n"}}) == {"kind": "ConfigMap"}
    assert 3 <= slept[0] < 4


async def test_too_many_requests_in_the_end(kube: Kube, server: Server) -> None:
    server.answers = [(*refusal(429, "TooManyRequests"), {"Retry-After": "0"})]
    with pytest.raises(TooManyRequests) as raised:
        await kube.create(CONFIGMAP, {"metadata": {"name": "a", "namespace": "n"}})
    assert raised.value.retry_after == 0


async def test_too_many_requests_in_plain_words(kube: Kube, server: Server) -> None:
    """As priority and fairness says it: no Status object."""
    server.answers = [(429, b"Too many requests, please try again later.\n", {"Retry-After": "0"})]
    with pytest.raises(TooManyRequests) as raised:
        await kube.get(POD, "n", "p")
    assert raised.value.reason == "TooManyRequests"
    assert raised.value.message == "the API server answered 429: Too many requests, please try again later."


async def test_delete(kube: Kube, server: Server) -> None:
    another = (200, {"metadata": {"uid": "v"}})
    server.answers = [
        (200, {}),
        refusal(404),
        refusal(409, "Conflict"),
        another,
        refusal(409, "Conflict"),
        refusal(404),
    ]
    assert await kube.delete(POD, "n", "p", uid="u")
    assert not await kube.delete(POD, "n", "p")
    assert not await kube.delete(POD, "n", "p", uid="u"), "another object has that name now"
    assert not await kube.delete(POD, "n", "p", uid="u"), "it has gone meanwhile"
    assert server.seen[0][3]["preconditions"] == {"uid": "u"}
    assert server.seen[0][3]["propagationPolicy"] == "Background"


async def test_a_conflict_of_a_deletion_does_not_mean_that_there_is_nothing_to_delete(
    kube: Kube, server: Server
) -> None:
    server.answers = [refusal(409, "Conflict"), (200, {"metadata": {"uid": "u"}})]
    with pytest.raises(Conflict):
        await kube.delete(POD, "n", "p", uid="u")


async def test_watch(kube: Kube, server: Server) -> None:
    lines = [{"type": "ADDED", "object": {"n": 1}}, {"type": "BOOKMARK", "object": {"n": 2}}]
    server.answers = [(200, b"".join(json.dumps(line).encode() + b"\n" for line in lines))]
    assert [event async for event in kube.watch(POD, "n", resource_version="5", timeout_seconds=60)] == [
        ("ADDED", {"n": 1}),
        ("BOOKMARK", {"n": 2}),
    ]
    assert server.seen[0][2] == {
        "allowWatchBookmarks": "true",
        "resourceVersion": "5",
        "timeoutSeconds": "60",
        "watch": "true",
    }


async def test_watch_of_the_past_is_gone(kube: Kube, server: Server) -> None:
    server.answers = [refusal(410, "Expired")]
    with pytest.raises(Gone):
        [event async for event in kube.watch(POD)]


async def test_logs_and_raw(kube: Kube, server: Server) -> None:
    server.answers = [(200, b"caf\xc3\xa9 \xff")]
    assert await kube.logs("n", "p", "c", last_bytes=10, last_lines=3) == "café �"
    assert server.seen[0][2] == {"container": "c", "tailLines": "3"}
    assert await kube.raw_get("/openid/v1/jwks") == b"caf\xc3\xa9 \xff"


async def test_the_end_of_a_long_log_is_kept(kube: Kube, server: Server) -> None:
    server.answers = [(200, b"a bar\n" * 1_000_000 + b"ValueError: this is why\n")]
    text = await kube.logs("n", "p", "c", last_bytes=100)
    assert len(text) == 100
    assert text.endswith("a bar\nValueError: this is why\n")


async def test_an_unreachable_server_is_one_clear_sentence(kube: Kube, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kube, "_host", "http://127.0.0.1:1")
    before = REGISTRY.get_sample_value("studio_kube_requests_total", {"verb": "create", "kind": "Event", "code": "0"})
    with pytest.raises(Unavailable, match="create Event: Cannot connect to host"):
        await kube.create(EVENT, {"metadata": {"name": "a", "namespace": "n"}})
    after = REGISTRY.get_sample_value("studio_kube_requests_total", {"verb": "create", "kind": "Event", "code": "0"})
    assert (after or 0) - (before or 0) == 1


async def test_no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nothing"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(Unavailable, match="no Kubernetes API server is configured"):
        await Kube.connect(user_agent="tester/1")


async def test_the_token_of_a_pod_is_read_again(
    kube: Kube, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    host, port = kube._host.removeprefix("http://").split(":")
    token, trust = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text("first")
    trust.write_text("unused")
    loader = "kubernetes.aio.config.incluster_config"
    monkeypatch.setattr(f"{loader}.SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(f"{loader}.SERVICE_CERT_FILENAME", str(trust))
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    configuration = await connection.load_configuration()
    assert await configuration.get_api_key_with_prefix("BearerToken") == "bearer first"
    token.write_text("second")
    # The library says that it is always None.
    hook: Any = configuration.refresh_api_key_hook
    assert hook is not None
    # The library goes by the wall clock: two minutes on, the file is read again.
    later = dt.datetime.now(dt.UTC).replace(tzinfo=None) + dt.timedelta(days=1)

    class Later(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            return later

    monkeypatch.setattr(f"{loader}.datetime.datetime", Later)
    assert await configuration.get_api_key_with_prefix("BearerToken") == "bearer second"


def test_paths() -> None:
    assert JOB.path("n", "j", "status") == "/apis/batch/v1/namespaces/n/jobs/j/status"
    assert NODE.path(None, "x") == "/api/v1/nodes/x"
    assert JOB.path() == "/apis/batch/v1/jobs"
    with pytest.raises(ValueError, match="without its namespace"):
        JOB.path(None, "j")


async def test_concurrent_requests_do_not_wait_for_watches(kube: Kube, server: Server) -> None:
    server.answers = [(200, {"items": []})]
    await asyncio.gather(*(kube.list(POD) for _ in range(20)))
    assert len(server.seen) == 20
