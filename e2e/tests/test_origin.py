"""One public address: the channels of assistants behind it, what is not, and how people get there."""

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from cluster.command import run
from cluster.errors import ClusterError
from stage.kubectl import Kubectl, conditions
from studio.contract.labels import Component
from studio_e2e import assistants, chat, faults, manifests, socketio
from studio_e2e.assistants import Porter, summary
from studio_e2e.space import Space
from studio_e2e.waiting import NotYet, eventually

Json = dict[str, Any]

SHOP, ELSEWHERE = "https://shop.example.com", "https://elsewhere.example.com"
CREDENTIALS = """\
rest:
socketio:
  user_message_evt: user_uttered
  bot_message_evt: bot_uttered
  session_persistence: true
"""
# The kubelet brings a changed allow-list to the entry proxy within about a minute.
ALLOWED_WITHIN = 120.0
GATEWAY_API = "sigs.k8s.io/gateway-api@v1.2.1"
HTTPROUTES = "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"


@pytest.fixture
def talkative(porter: Porter) -> Iterator[Porter]:
    """The porter with Socket.IO, for the pages of a shop."""
    name = f"{porter.name}-channels"
    porter.space.apply(manifests.secret(name, {"credentials.yml": CREDENTIALS}))
    channels = {"credentialsSecretRef": {"name": name}, "cors": {"allowedOrigins": [SHOP]}}
    porter.apply(manifests.from_config_map(f"{porter.name}-content"), channels=channels)
    yield porter
    porter.apply(manifests.from_config_map(f"{porter.name}-content"))
    porter.wait_ready()
    porter.space.delete("secret", name)


def test_assistants_are_talked_to_by_rest_and_web_sockets(talkative: Porter, origin: str) -> None:
    talk = f"{origin}/talk/{talkative.name}"
    socket, rest = f"{talk}/socket.io/", f"{talk}/webhooks/rest/webhook"

    def answers() -> list[str]:
        try:
            return socketio.converse(socket, ["good day", "I have an appointment"], site=SHOP)
        except (socketio.Refused, OSError, aiohttp.ClientError) as error:
            raise NotYet(repr(error)) from error

    said = eventually("the porter answers on a WebSocket", answers, within=ALLOWED_WITHIN)
    assert said == [talkative.greeting, "Whom do you want to see?"]
    # A program is no page: it says no origin.
    assert socketio.converse(socket, ["hello porter"]) == [talkative.greeting]
    with pytest.raises(socketio.Refused) as refusal:
        socketio.converse(socket, ["good day"], site=ELSEWHERE)
    assert refusal.value.status == 403

    greeting = {"sender": "customer", "message": "good day"}
    allowed = ask("POST", rest, greeting, site=SHOP)
    assert (allowed.status, allowed.allows) == (200, SHOP)
    assert [part["text"] for part in allowed.body] == [talkative.greeting]
    refused = ask("POST", rest, greeting, site=ELSEWHERE)
    assert (refused.status, refused.allows) == (403, None)
    preflight = ask("OPTIONS", rest, site=SHOP)
    assert (preflight.status, preflight.allows) == (204, SHOP)


@pytest.mark.parametrize(
    "path",
    [
        "/talk/nobody/webhooks/rest/webhook",
        "/talk/studio-backend/webhooks/rest/webhook",
        "/talk/porter/model",
        "/talk/porter/conversations/somebody/tracker",
        "/auth/admin/",
        "/auth/admin/realms/studio",
        "/auth/realms/master/protocol/openid-connect/token",
        "/auth/metrics",
        "/api/internal/v1/assistants/porter/content",
    ],
)
def test_what_is_nobodys_business_is_not_routed(porter: Porter, origin: str, path: str) -> None:
    for method in ("GET", "POST"):
        assert ask(method, origin + path).status == 404


def test_internal_paths_end_at_the_web_client(studio: Space, origin: str) -> None:
    internal = "/internal/v1/assistants/porter/content?revision=1"
    # A path that it does not know is a page of the web client; nothing else answers it.
    for page in (internal, "/"):
        assert '<div id="root">' in ask("GET", origin + page).body
    assert ask("POST", origin + internal).status == 405


def test_an_ingress_comes_and_goes_with_its_field(studio: Space) -> None:
    wanted = {"className": "e2e", "annotations": {"example.com/timeout": "1h"}}
    studio.patch("studio", "studio", {"spec": {"ingress": wanted}})
    try:
        made = eventually("the Ingress", lambda: studio.get("ingress", "studio-entry-proxy"), within=30, every=0.5)
        host = urlsplit(studio.must_get("studio", "studio")["spec"]["publicUrl"]).hostname
        (rule,) = made["spec"]["rules"]
        (path,) = rule["http"]["paths"]
        assert (rule["host"], path["path"]) == (host, "/")
        assert path["backend"]["service"] == {"name": "studio-entry-proxy", "port": {"name": "http"}}
        assert made["spec"]["ingressClassName"] == "e2e"
        assert made["metadata"]["annotations"]["example.com/timeout"] == "1h"
    finally:
        studio.patch("studio", "studio", {"spec": {"ingress": None}})
    eventually("it is gone", lambda: studio.get("ingress", "studio-entry-proxy") is None, within=30, every=0.5)


def has_gateway_api(kubectl: Kubectl) -> bool:
    return kubectl.objects.get("crd", "httproutes.gateway.networking.k8s.io") is not None


@pytest.fixture
def httproutes(kubectl: Kubectl, tmp_path: Path) -> Path:
    """The definition of HTTPRoute as it is published; for a cluster that does not have it."""
    if has_gateway_api(kubectl):
        pytest.skip("this cluster has the Gateway API, and others may use it")
    command = ["go", "mod", "download", "-json", GATEWAY_API]
    return Path(json.loads(run(command, cwd=tmp_path))["Dir"]) / HTTPROUTES


def test_a_gateway_needs_its_api_and_then_gets_a_route(studio: Space, kubectl: Kubectl, httproutes: Path) -> None:
    parent = {"name": "front", "namespace": "gateways", "sectionName": "https"}
    studio.patch("studio", "studio", {"spec": {"gateway": {"parentRefs": [parent]}}})
    try:
        said = wait_ready_reason(studio, "GatewayMissing")
        assert "HTTPRoute" in said
        assert "install the Gateway API" in said
        kubectl.run("apply", "--server-side", "-f", str(httproutes))
        route = eventually("the HTTPRoute", lambda: route_of(studio), within=90)
        assert route["spec"]["parentRefs"] == [{"group": "gateway.networking.k8s.io", "kind": "Gateway", **parent}]
        (rule,) = route["spec"]["rules"]
        assert [backend["name"] for backend in rule["backendRefs"]] == ["studio-entry-proxy"]
        assistants.wait_studio_ready(studio)
        studio.patch("studio", "studio", {"spec": {"gateway": None}})
        eventually("the HTTPRoute is gone", lambda: route_of(studio) is None, within=30, every=0.5)
    finally:
        studio.patch("studio", "studio", {"spec": {"gateway": None}})
        kubectl.run("delete", "--ignore-not-found", "-f", str(httproutes))
    assistants.wait_studio_ready(studio)


def route_of(space: Space) -> Json | None:
    try:
        return space.get("httproutes", "studio-entry-proxy")
    except ClusterError as error:
        raise NotYet(str(error)) from error


def wait_ready_reason(space: Space, reason: str) -> str:
    """The message of Ready=False, once it has this reason."""

    def says() -> str:
        live = space.must_get("studio", "studio")
        ready = conditions(live).get("Ready", {})
        if ready.get("reason") != reason:
            raise NotYet(summary(live))
        return str(ready["message"])

    return eventually(f"the Studio is not Ready: {reason}", says, within=60, every=0.5)


def test_a_part_that_hangs_is_said_and_conversations_go_on(porter: Porter, origin: str) -> None:
    space = porter.space
    with faults.held(space.pod_of(Component.BACKEND)):
        said = porter.wait_for("StudioReady", "False", saying="BackendReady")
        assert porter.conditions["Available"]["status"] == "True", said
        assert chat.say(space, porter.name, "unimpressed", ["good day"]) == [[porter.greeting]]
        eventually("it is said at once that the back end is away", lambda: says_away(origin), within=30)
    porter.wait_for("StudioReady")
    porter.wait_ready()
    eventually("the back end answers", lambda: ask("GET", f"{origin}/api/v1/config").status == 200, within=30)


def says_away(origin: str) -> bool:
    try:
        return ask("GET", f"{origin}/api/v1/config", patience=5).status == HTTPStatus.SERVICE_UNAVAILABLE
    except TimeoutError as error:
        # The node has not heard yet that the pod is not ready.
        raise NotYet("no answer") from error


@dataclass(frozen=True)
class Reply:
    """An answer, and the site that it says may read it."""

    status: int
    body: Any
    allows: str | None


def ask(method: str, url: str, body: Any = None, *, site: str = "", patience: float = 30) -> Reply:
    """One request as a page of a site sends it; a second one where kubectl has left the first without an answer."""
    try:
        return asked(method, url, body, site=site, patience=min(patience, 10))
    except TimeoutError:
        return asked(method, url, body, site=site, patience=patience)


def asked(method: str, url: str, body: Any, *, site: str, patience: float) -> Reply:
    """One request and its answer. Raises TimeoutError."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=patience)
    headers = {"Content-Type": "application/json", **({"Origin": site} if site else {})}
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    decoded = json.loads(text) if answer.headers.get_content_type() == "application/json" else text
    return Reply(answer.status, decoded, answer.headers.get("Access-Control-Allow-Origin"))
