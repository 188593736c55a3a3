"""kopf with our settings, registry and login against a small API server that holds two objects."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import kopf
import pytest
from aiohttp import web
from prometheus_client import REGISTRY
from tests.support.patience import STUCK_SECONDS

from studio.kube import ASSISTANT, CONFIGMAP, DEPLOYMENT, Kind, Manifest
from studio_operator.handlers.registry import build_registry
from studio_operator.handlers.settings import build_settings
from studio_operator.runtime.liveness import WatchActivity
from studio_operator.runtime.watched import MANAGED, WATCHED, Watched

SMALL = (Watched(ASSISTANT), Watched(CONFIGMAP, fields="metadata.name!=x", metadata_only=True))
NAMES = {"assistants": "Assistant", "configmaps": "ConfigMap", "namespaces": "Namespace"}


class Server:
    """Enough of discovery, list and watch for kopf; everything that writes is recorded as a sin."""

    def __init__(self) -> None:
        self.lists: dict[str, Any] = {}
        self.watches: dict[str, web.Request] = {}
        self.watching = {"assistants": asyncio.Event(), "configmaps": asyncio.Event()}
        self.writes: list[str] = []
        self.without: set[str] = set()
        self.events: asyncio.Queue[Manifest] = asyncio.Queue()

    async def handle(self, request: web.Request) -> web.StreamResponse:  # noqa: PLR0911 a table of paths
        if request.method != "GET":
            self.writes.append(request.path)
        match request.path.strip("/").split("/"):
            case ["api"]:
                return web.json_response({"versions": ["v1"]})
            case ["apis"]:
                return web.json_response({"groups": GROUPS})
            case ["api", "v1"]:
                return web.json_response({"resources": [_resource("configmaps"), _resource("namespaces")]})
            case ["apis", "studio-operator.io", "v1alpha1"]:
                return web.json_response({"resources": [_resource("assistants")]})
            case ["apis", "apiextensions.k8s.io", "v1"]:
                return web.json_response({"resources": [_resource("customresourcedefinitions")]})
            case [*_, plural] if plural in ("assistants", "configmaps"):
                return await self._collection(request, plural)
        return web.json_response({}, status=404)

    async def _collection(self, request: web.Request, plural: str) -> web.StreamResponse:
        if request.query.get("watch") != "true":
            self.lists[plural] = request
            item = {"metadata": {"name": plural, "namespace": "n", "uid": plural, "resourceVersion": "1"}}
            items = None if plural in self.without else [item]
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": items})
        self.watches[plural] = request
        self.watching[plural].set()
        response = web.StreamResponse()
        await response.prepare(request)
        while plural == "assistants":
            await response.write(json.dumps(await self.events.get()).encode() + b"\n")
        await asyncio.Event().wait()
        return response


def _group(name: str, version: str) -> Manifest:
    entry = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [entry], "preferredVersion": entry}


def _resource(plural: str) -> Manifest:
    kind = NAMES.get(plural, "CustomResourceDefinition")
    verbs = ["list", "watch", "patch"]
    return {"name": plural, "singularName": kind.lower(), "kind": kind, "namespaced": True, "verbs": verbs}


GROUPS = [_group("studio-operator.io", "v1alpha1"), _group("apiextensions.k8s.io", "v1")]


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    config = {
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{runner.addresses[0][1]}"}}],
        "users": [{"name": "u", "user": {"token": "t0ken"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    yield server
    await runner.cleanup()


def requests(verb: str, kind: str) -> float:
    labels = {"verb": verb, "kind": kind, "code": "200"}
    return REGISTRY.get_sample_value("studio_kube_requests_total", labels) or 0.0


async def test_kopf_only_watches(server: Server) -> None:
    seen: asyncio.Queue[tuple[Kind, str | None, str]] = asyncio.Queue()
    activity, stop = WatchActivity(), asyncio.Event()

    def observe(kind: Kind, event: str | None, body: Manifest) -> None:
        seen.put_nowait((kind, event, body["metadata"]["name"]))

    before = {verb: requests(verb, "ConfigMap") for verb in ("list", "watch")}
    running = asyncio.create_task(
        kopf.operator(
            registry=build_registry(SMALL, observe, activity, user_agent="tester/1"),
            settings=build_settings(SMALL),
            standalone=True,
            clusterwide=True,
            stop_flag=stop,
        )
    )
    first = [await seen.get(), await seen.get()]
    assert sorted(first, key=lambda it: it[2]) == [(ASSISTANT, None, "assistants"), (CONFIGMAP, None, "configmaps")]
    body = {"metadata": {"name": "b", "namespace": "n", "uid": "b", "resourceVersion": "2"}}
    server.events.put_nowait({"type": "ADDED", "object": body})
    assert await seen.get() == (ASSISTANT, "ADDED", "b")
    server.events.put_nowait({"type": "DELETED", "object": body})
    assert await seen.get() == (ASSISTANT, "DELETED", "b")
    assert activity.last(None, ASSISTANT) is not None
    async with asyncio.timeout(STUCK_SECONDS):
        await server.watching["configmaps"].wait()
    stop.set()
    await running
    assert server.writes == []
    assert {verb: requests(verb, "ConfigMap") - count for verb, count in before.items()} == {"list": 1, "watch": 1}
    request = server.lists["configmaps"]
    assert request.query["fieldSelector"] == "metadata.name!=x"
    assert "PartialObjectMetadataList" in request.headers["Accept"]
    assert "PartialObjectMetadata;" in server.watches["configmaps"].headers["Accept"]
    assert request.headers["User-Agent"] == "tester/1"
    assert request.headers["Authorization"] == "Bearer t0ken"
    assert "PartialObject" not in server.lists["assistants"].headers["Accept"]


async def test_an_empty_list_may_be_null(server: Server) -> None:
    # So the API server answers for PartialObjectMetadata: in a namespace without any ConfigMap but the excluded one.
    server.without = {"configmaps"}
    stop = asyncio.Event()
    running = asyncio.create_task(
        kopf.operator(
            registry=build_registry(SMALL, lambda *_: None, WatchActivity(), user_agent="tester/1"),
            settings=build_settings(SMALL),
            standalone=True,
            clusterwide=True,
            stop_flag=stop,
        )
    )
    async with asyncio.timeout(STUCK_SECONDS):
        await server.watching["configmaps"].wait()
    stop.set()
    await running


def test_the_server_sends_only_what_is_ours() -> None:
    settings = build_settings(WATCHED)
    assert not settings.posting.enabled
    assert settings.scanning.disabled
    assert settings.peering.standalone
    assert settings.queueing.worker_limit is None
    selectors = {str(key): value for key, value in settings.watching.label_selectors.items()}
    assert [value for key, value in selectors.items() if DEPLOYMENT.plural in key] == [MANAGED]
    assert not any(ASSISTANT.plural in key for key in selectors)


def test_every_watched_kind_has_exactly_one_handler() -> None:
    registry = build_registry(WATCHED, lambda *_: None, WatchActivity(), user_agent="tester/1")
    handlers = list(registry._watching.get_all_handlers())
    assert sorted(str(handler.id) for handler in handlers) == sorted(entry.kind.plural for entry in WATCHED)
    assert not list(registry._changing.get_all_handlers())
    assert not list(registry._spawning.get_all_handlers())
    assert not list(registry._indexing.get_all_handlers())
