"""Keys over HTTP, and the requests that nobody can make us send."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from joserfc.jwk import OctKey, RSAKey
from tests.support.people import PeopleTokens

from studio.auth.discovery import LARGEST_ANSWER, checked, from_discovery, from_jwks, guarded_session
from studio.auth.keys import Keys, KeysUnavailable
from studio.auth.oidc import OidcSettings, PeopleVerifier


class Site:
    """An issuer on loopback; `answers` by path are JSON, text, or a ready response."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        self.url = ""

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request.path)
        found = self.answers.get(request.path)
        if found is None:
            return web.Response(status=404)
        if isinstance(found, web.Response):
            return found
        return web.Response(text=found if isinstance(found, str) else json.dumps(found))


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    runner = web.ServerRunner(web.Server(site))
    await runner.setup()
    tcp = web.TCPSite(runner, "127.0.0.1", 0)
    await tcp.start()
    site.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield site
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with guarded_session() as session:
        yield session


@pytest.fixture
def issuer(site: Site) -> PeopleTokens:
    """An issuer with keys of all kinds beside the one that signs."""
    tokens = PeopleTokens(f"{site.url}/tenant")
    site.answers["/tenant/.well-known/openid-configuration"] = {"issuer": tokens.name, "jwks_uri": f"{site.url}/keys"}
    encryption = RSAKey.generate_key(2048, {"kid": "enc", "use": "enc"}).as_dict(private=False)
    others = [
        encryption,
        {"kty": "AKP", "kid": "pq"},
        {"kty": "RSA", "kid": "half"},
        "words",
        OctKey.generate_key().as_dict(),
    ]
    site.answers["/keys"] = {"keys": [*others, *tokens.jwks()["keys"]]}
    return tokens


async def test_discovery(site: Site, issuer: PeopleTokens, session: aiohttp.ClientSession) -> None:
    verifier = PeopleVerifier.of(OidcSettings(issuer.name), session)
    assert site.asked == []
    for _ in range(2):
        assert (await verifier.verify(issuer.token())).username == "ann"
    assert site.asked == ["/tenant/.well-known/openid-configuration", "/keys"]


async def test_keys_at_a_known_address(site: Site, issuer: PeopleTokens, session: aiohttp.ClientSession) -> None:
    verifier = PeopleVerifier.of(OidcSettings(issuer.name, jwks_url=f"{site.url}/keys"), session)
    assert (await verifier.verify(issuer.token())).username == "ann"
    assert site.asked == ["/keys"]


async def test_an_encryption_key_signs_nothing(
    site: Site, issuer: PeopleTokens, session: aiohttp.ClientSession
) -> None:
    keys = Keys(from_jwks(session, issuer.name, f"{site.url}/keys"))
    assert await keys.find("test") is not None
    assert await keys.find("enc") is None


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/tenant/.well-known/openid-configuration", "<html>"),
        ("/tenant/.well-known/openid-configuration", []),
        ("/tenant/.well-known/openid-configuration", {"issuer": "https://another", "jwks_uri": "/keys"}),
        ("/tenant/.well-known/openid-configuration", {"jwks_uri": "/keys"}),
        ("/keys", {}),
        ("/keys", {"keys": "none"}),
        ("/keys", {"keys": []}),
        ("/keys", " " * (LARGEST_ANSWER + 1)),
        ("/keys", None),
    ],
    ids=str,
)
async def test_answers_that_are_of_no_use(
    site: Site, issuer: PeopleTokens, session: aiohttp.ClientSession, path: str, answer: Any
) -> None:
    site.answers[path] = answer
    with pytest.raises(KeysUnavailable):
        await from_discovery(session, issuer.name)()


async def test_redirects_are_not_followed(site: Site, issuer: PeopleTokens, session: aiohttp.ClientSession) -> None:
    site.answers["/elsewhere"] = site.answers["/keys"]
    site.answers["/keys"] = web.Response(status=302, headers={"Location": "/elsewhere"})
    with pytest.raises(KeysUnavailable, match="302"):
        await from_discovery(session, issuer.name)()
    assert "/elsewhere" not in site.asked


@pytest.mark.parametrize(
    "keys",
    [
        "http://169.254.169.254/keys",
        "https://[::ffff:169.254.169.254]/",
        "http://example.com/keys",
        "file:///etc/passwd",
        7,
    ],
)
async def test_the_issuer_cannot_send_us_anywhere(
    site: Site, issuer: PeopleTokens, session: aiohttp.ClientSession, keys: Any
) -> None:
    site.answers["/tenant/.well-known/openid-configuration"] = {"issuer": issuer.name, "jwks_uri": keys}
    with pytest.raises(KeysUnavailable):
        await from_discovery(session, issuer.name)()
    assert site.asked == ["/tenant/.well-known/openid-configuration"]


async def test_names_of_forbidden_addresses(session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(*_: object, **__: object) -> list[dict[str, Any]]:
        return [{"hostname": "x", "host": "169.254.169.254", "port": 443, "family": 2, "proto": 0, "flags": 0}]

    monkeypatch.setattr("aiohttp.resolver.DefaultResolver.resolve", resolve)
    with pytest.raises(KeysUnavailable, match="no issuer has"):
        await from_discovery(session, "https://issuer.example.com")()


async def test_nobody_there(session: aiohttp.ClientSession) -> None:
    with pytest.raises(KeysUnavailable, match=r"127\.0\.0\.1:9"):
        await from_jwks(session, "x", "http://127.0.0.1:9/keys")()


def test_addresses() -> None:
    for url in (
        "https://login.example.com/realms/x",
        "https://10.1.2.3/realms/x",
        "http://localhost:8180/auth/realms/studio",
        "http://dex.identity.svc:5556/dex",
        "http://dex.identity.svc.cluster.local/dex",
    ):
        assert checked(url) == url
    for url in (
        "http://login.example.com/",
        "http://evil.svc.example.com/",
        "https://user:word@login.example.com/",
        "https://login.example.com/?to=x",
        "https://login.example.com/#x",
        "https://169.254.169.254/",
        "https://[fe80::1]/",
        "https://0.0.0.0/",
        "https://[::",
        "https:///x",
        "ftp://login.example.com/",
        "words",
    ):
        with pytest.raises(KeysUnavailable):
            checked(url)
