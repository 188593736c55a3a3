"""The routes of the entry proxy, asked for real: Debian's nginx with the files of the image."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from tests.unit.operator.components.conftest import default_studio
from tests.unit.operator.components.proxy import ADDRESSES, ASSISTANTS, Proxy, running, until
from tests.unit.operator.components.samples import TALK

from studio_operator.components.proxy_settings import studio_conf
from studio_operator.components.talk import TalkRoute

pytestmark = [
    pytest.mark.skipif(shutil.which("nginx") is None, reason="there is no nginx: install nginx-light"),
    pytest.mark.asyncio(loop_scope="module"),
]

WEB_CLIENT, BACKEND, KEYCLOAK = ADDRESSES.values()
REST = "/talk/concierge/webhooks/rest/webhook"
ALLOWED, OWN = "https://www.example.com", "http://localhost:8180"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Proxy]:
    conf = studio_conf(default_studio(talk=TALK))
    async with running(conf, tmp_path_factory.mktemp("proxy")) as proxy:
        yield proxy


@pytest.fixture
def proxy(shared: Proxy) -> Proxy:
    """One nginx serves all tests that leave its configuration alone."""
    shared.answers_with = {}
    shared.forget_log()
    return shared


@pytest.mark.parametrize(
    ("target", "at", "passed"),
    [
        ("/", WEB_CLIENT, "/"),
        ("/assistants/a%20b?x=1", WEB_CLIENT, "/assistants/a%20b?x=1"),
        ("/healthzz", WEB_CLIENT, "/healthzz"),
        ("/internal/v1/assistants/a/content", WEB_CLIENT, "/internal/v1/assistants/a/content"),
        ("/api/v1/me?x=..%2f", BACKEND, "/api/v1/me?x=..%2f"),
        (
            "/api/v1/assistants/a/content/files/data%2Fnlu.yml",
            BACKEND,
            "/api/v1/assistants/a/content/files/data%2Fnlu.yml",
        ),
        ("/api/v1/assistants/a/content/files/a..b.yml", BACKEND, "/api/v1/assistants/a/content/files/a..b.yml"),
        ("/auth/realms/studio/account/?a=b", KEYCLOAK, "/auth/realms/studio/account/?a=b"),
        ("/auth/resources/x.js", KEYCLOAK, "/auth/resources/x.js"),
        ("/talk/concierge/webhooks/rest/", ASSISTANTS, "/webhooks/rest/"),
        ("/talk/concierge/socket.io/?EIO=4&transport=polling", ASSISTANTS, "/socket.io/?EIO=4&transport=polling"),
    ],
)
async def test_routes(proxy: Proxy, target: str, at: str, passed: str) -> None:
    answer = await proxy.ask(target)
    assert answer.status == 200
    assert (answer.reached["at"], answer.reached["target"]) == (at, passed)


@pytest.mark.parametrize(
    "target",
    [
        "/api",
        "/auth",
        "/talk",
        "/auth/",
        "/auth/admin/",
        "/auth/admin/realms",
        "/auth/realms/master/",
        "/auth/realms/studio",
        "/auth/realms/studios/",
        "//auth/admin/",
        "/auth//admin/",
        "/auth/health",
        "/auth/metrics",
        "/auth/realms/%73tudio/",
        "/talk/",
        "/talk/concierge/",
        "/talk/concierge",
        "/talk/concierge/webhooks/rest/other",
        "/talk/concierge/webhooks/callback/webhook",
        "/talk/concierge/webhooks/rest/webhook/",
        "/talk/concierge/model",
        "/talk/concierge/conversations/x/tracker",
        "/talk/concierge/status",
        "/talk/stranger/webhooks/rest/webhook",
        "/talk/studio-backend/webhooks/rest/webhook",
        "/talk/studio-keycloak/socket.io/",
        "/talk/open-house/socket.io/",
        "/talk/concierge.other/webhooks/rest/webhook",
        "/talk/CONCIERGE/webhooks/rest/webhook",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_is_not_served(proxy: Proxy, target: str, method: str) -> None:
    assert (await proxy.ask(target, method)).status == 404


@pytest.mark.parametrize(
    "target",
    [
        "/auth/realms/studio/../master/",
        "/auth/realms/studio/%2e%2e/master/",
        "/auth/realms/studio/..%2fmaster/",
        "/auth/realms/studio/..;/master/",
        "/auth/realms/studio%2faccount",
        "/auth/realms/studio/.%2e/",
        "/api/../internal/v1/assistants/a/content",
        "/api/..%2finternal",
        "/internal/..%2fapi/v1/x",
        "/internal/../api/v1/x",
        "/%61pi/v1/me",
        "//api/v1/me",
        "/talk/concierge%2fwebhooks/rest/webhook",
        "/talk/concierge/webhooks/../model",
        "/talk/concierge/webhooks/rest/..%2f..%2fmodel",
        "/api/v1/%5c..%5cx",
        "/api/v1/a%00b",
        "/api/v1/a%0d%0aX-Header:%20x",
        "/x\\..\\y",
        "/..",
        "/.",
    ],
)
async def test_deceptive_paths_are_refused(proxy: Proxy, target: str) -> None:
    assert (await proxy.ask(target)).status == 400


async def test_keycloaks_console_only_where_it_is_wanted(studio: Any, tmp_path: Path) -> None:
    spec = {"identity": {"embedded": {"adminConsole": True}}}
    async with running(studio_conf(studio(spec)), tmp_path) as proxy:
        for target in ("/auth/admin/master/console/", "/auth/realms/master/protocol/openid-connect/auth"):
            assert (await proxy.ask(target)).reached["at"] == KEYCLOAK
        assert (await proxy.ask("/auth/realms/other/")).status == 404


async def test_without_a_keycloak_of_its_own_there_is_none(studio: Any, tmp_path: Path) -> None:
    spec = {"identity": {"external": {"issuer": "https://login.example.com"}}}
    async with running(studio_conf(studio(spec)), tmp_path) as proxy:
        assert (await proxy.ask("/auth/realms/studio/")).status == 404


@pytest.mark.parametrize("target", ["/", "/api/v1/me", "/auth/realms/studio/x", REST, "/talk/concierge/socket.io/"])
async def test_what_a_client_says_of_itself_is_overwritten(proxy: Proxy, target: str) -> None:
    claimed = {
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Host": "evil.example.com",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Port": "1",
        "X-Forwarded-Prefix": "/evil",
        "X-Real-IP": "192.0.2.1",
        "Forwarded": "for=192.0.2.1;host=evil.example.com",
    }
    reached = (await proxy.ask(target, "POST", claimed)).reached["headers"]
    assert reached["Host"] == reached["X-Forwarded-Host"] == "localhost:8180"
    assert reached["X-Forwarded-For"] == "127.0.0.1"
    assert (reached["X-Forwarded-Proto"], reached["X-Forwarded-Port"]) == ("http", "8180")
    assert not {"X-Forwarded-Prefix", "X-Real-Ip", "Forwarded"} & reached.keys()


async def test_behind_https_everybody_is_told_so(studio: Any, tmp_path: Path) -> None:
    async with running(studio_conf(studio({"publicUrl": "https://studio.example.com"})), tmp_path) as proxy:
        answer = await proxy.ask("/auth/realms/studio/x")
        told = answer.reached["headers"]
        assert (told["X-Forwarded-Proto"], told["X-Forwarded-Port"]) == ("https", "443")
        assert told["Host"] == "studio.example.com"
        assert answer.header("Strict-Transport-Security") == "max-age=31536000"


@pytest.mark.parametrize("target", ["/", "/api/v1/me", REST, "/auth/admin/", "/x/../y"])
async def test_headers_of_every_answer(proxy: Proxy, target: str) -> None:
    proxy.answers_with = {
        "X-Frame-Options": "ALLOWALL",
        "X-Request-Id": "theirs",
        "Referrer-Policy": "unsafe-url",
        "Content-Security-Policy": "default-src 'self'",
    }
    answer = await proxy.ask(target, "POST", {"X-Request-Id": "a-request-of-mine"})
    assert answer.header("X-Request-Id") == "a-request-of-mine"
    assert answer.header("X-Content-Type-Options") == "nosniff"
    assert answer.header("X-Frame-Options") == "SAMEORIGIN"
    assert answer.header("Referrer-Policy") == "no-referrer"
    assert answer.header("Strict-Transport-Security") is None
    if answer.status == 200:
        assert answer.header("Content-Security-Policy") == "default-src 'self'"
        assert answer.reached["headers"]["X-Request-Id"] == "a-request-of-mine"


@pytest.mark.parametrize("sent", [None, "short", 'with space and "quote"', "x" * 65])
async def test_a_request_id_is_made_where_there_is_no_good_one(proxy: Proxy, sent: str | None) -> None:
    answer = await proxy.ask("/", headers={"X-Request-Id": sent} if sent else {})
    made = answer.header("X-Request-Id")
    assert made != sent
    assert len(made or "") == 32
    assert answer.reached["headers"]["X-Request-Id"] == made


class TestCors:
    """Another web site may use an assistant only if the assistant says so."""

    PREFLIGHT = ("Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers")

    @pytest.mark.parametrize("target", [REST, "/talk/concierge/socket.io/"])
    async def test_a_preflight_is_answered_here(self, proxy: Proxy, target: str) -> None:
        asked = {"Origin": ALLOWED, "Access-Control-Request-Method": "POST"}
        answer = await proxy.ask(target, "OPTIONS", asked)
        assert (answer.status, answer.body) == (204, b"")
        assert answer.header("Access-Control-Allow-Origin") == ALLOWED
        assert "POST" in str(answer.header("Access-Control-Allow-Methods"))
        assert "Content-Type" in str(answer.header("Access-Control-Allow-Headers"))
        assert answer.header("Access-Control-Max-Age") == "600"
        assert answer.header("Vary") == "Origin"

    async def test_the_engines_own_word_does_not_count(self, proxy: Proxy) -> None:
        proxy.answers_with = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "true"}
        answer = await proxy.ask(REST, "POST", {"Origin": ALLOWED})
        assert answer.header("Access-Control-Allow-Origin") == ALLOWED
        assert answer.header("Access-Control-Allow-Credentials") is None
        answer = await proxy.ask(REST, "POST")
        assert answer.header("Access-Control-Allow-Origin") is None

    @pytest.mark.parametrize(
        "origin", ["https://evil.example.com", "null", f"{ALLOWED}.evil.example.com", "x" + ALLOWED]
    )
    @pytest.mark.parametrize("method", ["POST", "OPTIONS"])
    async def test_strangers_are_refused(self, proxy: Proxy, origin: str, method: str) -> None:
        answer = await proxy.ask(REST, method, {"Origin": origin})
        assert answer.status == 403
        assert not [name for name in self.PREFLIGHT if answer.header(name)]

    @pytest.mark.parametrize("origin", [OWN, None])
    async def test_the_studios_own_site_and_programs_are_served(self, proxy: Proxy, origin: str | None) -> None:
        answer = await proxy.ask(REST, "POST", {"Origin": origin} if origin else {}, b"{}")
        assert answer.status == 200
        assert answer.header("Access-Control-Allow-Origin") is None

    async def test_an_assistant_for_everybody(self, proxy: Proxy) -> None:
        answer = await proxy.ask(
            "/talk/open-house/webhooks/rest/webhook", "POST", {"Origin": "https://any.example.org"}
        )
        assert answer.header("Access-Control-Allow-Origin") == "https://any.example.org"

    async def test_who_is_unknown_is_not_found_whatever_the_origin(self, proxy: Proxy) -> None:
        answer = await proxy.ask("/talk/stranger/webhooks/rest/webhook", "OPTIONS", {"Origin": ALLOWED})
        assert answer.status == 404


async def test_a_message_is_passed_on(proxy: Proxy) -> None:
    answer = await proxy.ask(f"{REST}?stream=true", "POST", body=b'{"sender": "me", "message": "hi"}')
    assert answer.reached["target"] == "/webhooks/rest/webhook?stream=true"
    assert (answer.reached["method"], answer.reached["body"]) == ("POST", '{"sender": "me", "message": "hi"}')


@pytest.mark.parametrize(
    ("target", "method"),
    [(REST, "GET"), (REST, "PUT"), ("/talk/concierge/webhooks/rest/", "POST"), ("/talk/concierge/socket.io/", "PUT")],
)
async def test_other_methods_are_refused(proxy: Proxy, target: str, method: str) -> None:
    assert (await proxy.ask(target, method)).status == 405


async def test_web_sockets(proxy: Proxy) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"ws://127.0.0.1:{proxy.port}/talk/concierge/socket.io/?EIO=4", origin=ALLOWED) as socket,
    ):
        await socket.send_str("hello")
        assert await socket.receive_str(timeout=5) == "echo hello"


async def test_web_sockets_of_strangers_are_refused(proxy: Proxy) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(
                f"ws://127.0.0.1:{proxy.port}/talk/concierge/socket.io/", origin="https://evil.org"
            )
        assert caught.value.status == 403


@pytest.mark.parametrize("target", ["/", "/api/v1/me", "/auth/realms/studio/x", "/talk/concierge/socket.io/"])
async def test_no_other_upgrade_goes_through(proxy: Proxy, target: str) -> None:
    headers = {
        "Upgrade": "h2c",
        "Connection": "close, Upgrade, HTTP2-Settings",
        "HTTP2-Settings": "AAMAAABkAARAAAAAAAIAAAAA",
    }
    reached = (await proxy.ask(target, headers=headers)).reached["headers"]
    assert "Upgrade" not in reached


@pytest.mark.parametrize(("target", "limit"), [("/api/v1/x", 2**25), ("/auth/realms/studio/x", 2**20), (REST, 2**18)])
async def test_bodies_are_limited(proxy: Proxy, target: str, limit: int) -> None:
    headers = {"Content-Length": str(limit + 1), "Expect": "100-continue"}
    assert (await proxy.ask(target, "POST", headers)).status == 413


async def test_the_log_holds_no_queries(proxy: Proxy) -> None:
    await proxy.ask('/api/v1/me?token=hush"\\&code=hush', headers={"Authorization": "Bearer hush", "Cookie": "x=hush"})
    await proxy.ask("/signed-in?code=hush")
    text = (proxy.folder / "access.log").read_text()
    assert "hush" not in text
    assert [(line["path"], line["status"]) for line in proxy.log()] == [("/api/v1/me", 200), ("/signed-in", 200)]


async def test_an_upstream_that_is_away_is_told(studio: Any, tmp_path: Path) -> None:
    conf = studio_conf(studio(talk=TALK)).replace("studio-backend", "studio-backend.invalid..name")
    async with running(conf, tmp_path) as proxy:
        answer = await proxy.ask("/api/v1/me")
        assert (answer.status, answer.header("Content-Type")) == (503, "application/problem+json")
        assert answer.reached["request_id"] == answer.header("X-Request-Id")


async def test_a_changed_allow_list_is_followed(studio: Any, tmp_path: Path) -> None:
    async with running(studio_conf(studio(talk=TALK)), tmp_path) as proxy:
        await _follows(proxy, studio)


async def _follows(proxy: Proxy, studio: Any) -> None:
    target = "/talk/newcomer/webhooks/rest/webhook"
    assert (await proxy.ask(target, "POST")).status == 404
    proxy.write(studio_conf(studio(talk=(*TALK, TalkRoute("newcomer", ("rest",), ())))))

    async def served() -> bool:
        return (await proxy.ask(target, "POST")).status == 200

    await until(served)
    # A file that cannot be used is not taken.
    proxy.write("map $nonsense {")

    async def refused() -> bool:
        return "the old one stays in force" in (proxy.folder / "error.log").read_text()

    await until(refused)
    # A worker from before the reload may take one more request.
    await until(served)
