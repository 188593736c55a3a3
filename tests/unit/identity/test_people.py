"""People and programs sign in at a real Keycloak, and their tokens are verified as the back end does it."""

import base64
import hashlib
import html
import re
import secrets
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from tests.support.admin import Admin
from tests.support.keycloak import Keycloak

from studio.auth.discovery import guarded_session
from studio.auth.oidc import OidcSettings, PeopleVerifier
from studio.auth.verification import InvalidToken
from studio_operator.clients.keycloak import KeycloakRealms
from studio_operator.planning.realm import DesiredRealm
from studio_operator.ports import IdentityAccess
from studio_operator.reconcile.identity import RealmSync

# The first run on a machine downloads and builds Keycloak.
pytestmark = pytest.mark.timeout(600)

REDIRECT = "http://localhost:8180/signed-in"


@pytest.fixture
async def realm_url(server: Keycloak, desired: DesiredRealm, access: IdentityAccess) -> str:
    """The issuer of the Studio's realm."""
    await RealmSync(KeycloakRealms()).sync(desired, access)
    return f"{server.url}/realms/studio"


@pytest.fixture
async def keys() -> AsyncIterator[aiohttp.ClientSession]:
    async with guarded_session() as session:
        yield session


@pytest.fixture
def verifier(realm_url: str, keys: aiohttp.ClientSession) -> PeopleVerifier:
    """As the operator sets it up: the keys at an address of their own."""
    address = f"{realm_url.replace('localhost', '127.0.0.1')}/protocol/openid-connect/certs"
    return PeopleVerifier.of(OidcSettings(realm_url, jwks_url=address), keys)


async def sign_in(
    http: aiohttp.ClientSession, issuer: str, username: str, password: str, **query: str
) -> dict[str, Any]:
    """What a browser and the web client do together; gives the token endpoint's answer."""
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    known = {"client_id": "studio-web", "redirect_uri": REDIRECT, "response_type": "code", "scope": "openid"}
    code_challenge = {"code_challenge": challenge, "code_challenge_method": "S256"}
    async with http.get(f"{issuer}/protocol/openid-connect/auth", params={**known, **code_challenge, **query}) as page:
        found = re.search(r'action="([^"]+)"', await page.text())
        assert found, await page.text()
    form = {"username": username, "password": password}
    async with http.post(html.unescape(found[1]), data=form, allow_redirects=False) as answer:
        assert answer.status == 302, await answer.text()
        location = answer.headers["Location"]
    assert location.startswith(query.get("redirect_uri", REDIRECT)), location
    code = parse_qs(urlsplit(location).query)["code"][0]
    return await token(
        http, issuer, grant_type="authorization_code", code=code, code_verifier=verifier, **{**known, **query}
    )


async def token(http: aiohttp.ClientSession, issuer: str, **form: str) -> dict[str, Any]:
    async with http.post(f"{issuer}/protocol/openid-connect/token", data=form) as answer:
        found: dict[str, Any] = await answer.json()
        return found


async def test_the_administrator_signs_in(
    http: aiohttp.ClientSession, desired: DesiredRealm, realm_url: str, verifier: PeopleVerifier
) -> None:
    answer = await sign_in(http, realm_url, desired.administrator.username, desired.administrator.password)
    person = await verifier.verify(answer["access_token"])
    assert (person.username, person.name, person.email) == ("admin", "Studio Administrator", "admin@example.com")
    assert person.roles == {"admin"}
    assert person.assistants is None
    # Nothing else that was handed out is an access token.
    for other in ("id_token", "refresh_token"):
        with pytest.raises(InvalidToken):
            await verifier.verify(answer[other])
    # A refresh token is good for once.
    refresh = {"grant_type": "refresh_token", "client_id": "studio-web", "refresh_token": answer["refresh_token"]}
    assert (await verifier.verify((await token(http, realm_url, **refresh))["access_token"])).username == "admin"
    assert (await token(http, realm_url, **refresh))["error"] == "invalid_grant"


async def test_assistants_of_a_person_and_of_groups(
    http: aiohttp.ClientSession, admin: Admin, realm_url: str, verifier: PeopleVerifier
) -> None:
    await admin.send("POST", "studio/groups", {"name": "Concierge Team", "attributes": {"assistants": ["concierge"]}})
    person = {
        "username": "ben",
        "enabled": True,
        "attributes": {"assistants": ["helpdesk"]},
        "groups": ["/Designers", "/Concierge Team"],
        "credentials": [{"type": "password", "value": "ben-has-a-password"}],
    }
    await admin.send("POST", "studio/users", person)
    ben = await verifier.verify((await sign_in(http, realm_url, "ben", "ben-has-a-password"))["access_token"])
    assert ben.roles == {"designer"}
    assert ben.assistants == frozenset({"helpdesk", "concierge"})
    await admin.send("DELETE", f"studio/users/{(await admin.get('studio/users', username='ben'))[0]['id']}")
    await admin.send("DELETE", f"studio/groups/{(await admin.find('studio/groups', 'name', 'Concierge Team'))['id']}")


async def test_a_program(
    http: aiohttp.ClientSession, desired: DesiredRealm, realm_url: str, verifier: PeopleVerifier
) -> None:
    login = {"client_id": "studio-external", "client_secret": desired.external_client_secret}
    answer = await token(http, realm_url, grant_type="client_credentials", **login)
    program = await verifier.verify(answer["access_token"])
    assert program.username == "service-account-studio-external"
    assert program.roles == {"developer"}
    wrong = {**login, "client_secret": "wrong"}
    assert (await token(http, realm_url, grant_type="client_credentials", **wrong))["error"] == "unauthorized_client"


async def test_flows_that_are_off(http: aiohttp.ClientSession, desired: DesiredRealm, realm_url: str) -> None:
    person = {"username": desired.administrator.username, "password": desired.administrator.password}
    for client in ("studio-web", "studio-cli", "admin-cli"):
        answer = await token(http, realm_url, grant_type="password", client_id=client, **person)
        assert answer["error"] == "unauthorized_client", client
    known = {"client_id": "studio-web", "redirect_uri": REDIRECT, "response_type": "code", "scope": "openid"}
    for problem, query in {
        "no PKCE": known,
        "plain PKCE": {**known, "code_challenge": "x" * 43, "code_challenge_method": "plain"},
        "implicit": {**known, "response_type": "token"},
    }.items():
        async with http.get(
            f"{realm_url}/protocol/openid-connect/auth", params=query, allow_redirects=False
        ) as answer_page:
            assert answer_page.status == 302, problem
            assert "error=" in answer_page.headers["Location"], problem
    for elsewhere in (f"{REDIRECT}/more", "http://localhost:8180/", "http://evil.example.com/signed-in"):
        query = {**known, "redirect_uri": elsewhere}
        async with http.get(
            f"{realm_url}/protocol/openid-connect/auth", params=query, allow_redirects=False
        ) as refusal:
            assert refusal.status == 400, elsewhere


async def test_the_device_flow(
    http: aiohttp.ClientSession, desired: DesiredRealm, realm_url: str, verifier: PeopleVerifier
) -> None:
    form = {"client_id": "studio-cli", "scope": "openid"}
    async with http.post(f"{realm_url}/protocol/openid-connect/auth/device", data=form) as answer:
        device = await answer.json()
    poll = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "client_id": "studio-cli",
        "device_code": device["device_code"],
    }
    # The person opens the address, signs in and agrees.
    url, form = device["verification_uri_complete"], {}
    for _ in range(4):
        async with http.request("POST" if form else "GET", url, data=form or None) as page:
            text = await page.text()
        found = re.search(r'<form[^>]+action="([^"]+)"', text)
        if found is None:
            break
        url = html.unescape(found[1])
        url = url if url.startswith("http") else f"{realm_url.removesuffix('/auth/realms/studio')}{url}"
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', text))
        person = {"username": desired.administrator.username, "password": desired.administrator.password}
        form = {**hidden, **(person if 'name="password"' in text else {"accept": "Yes"})}
    # Asked for the first time: Keycloak tells those to slow down who ask more often than every 5 s.
    granted = await token(http, realm_url, **poll)
    assert "access_token" in granted, granted
    assert (await verifier.verify(granted["access_token"])).roles == {"admin"}


async def test_an_issuer_that_somebody_else_runs(
    http: aiohttp.ClientSession,
    admin: Admin,
    desired: DesiredRealm,
    realm_url: str,
    keys: aiohttp.ClientSession,
) -> None:
    """Another realm, which the operator does not know: own client, claims of other names, keys by discovery."""
    roles = {"protocol": "openid-connect", "protocolMapper": "oidc-group-membership-mapper", "name": "groups"}
    audience = {"protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper", "name": "audience"}
    client = {
        "clientId": "chat-bots",
        "publicClient": True,
        "redirectUris": [REDIRECT],
        "attributes": {"pkce.code.challenge.method": "S256"},
        "protocolMappers": [
            {**roles, "config": {"claim.name": "team.groups", "full.path": "false", "access.token.claim": "true"}},
            {**audience, "config": {"included.custom.audience": "bots", "access.token.claim": "true"}},
        ],
    }
    person = {
        "username": "eve",
        "enabled": True,
        "email": "eve@example.com",
        "firstName": "Eve",
        "lastName": "Example",
        "groups": ["/analyst"],
        "credentials": [{"type": "password", "value": "eve-has-a-password"}],
    }
    company = {
        "realm": "company",
        "enabled": True,
        "sslRequired": "none",
        "groups": [{"name": "analyst"}],
        "clients": [client],
        "users": [person],
    }
    await admin.send("POST", "", company)
    issuer = realm_url.replace("/studio", "/company")
    external = PeopleVerifier.of(OidcSettings(issuer, audience="bots", roles_claim="team.groups"), keys)
    answer = await sign_in(http, issuer, "eve", "eve-has-a-password", client_id="chat-bots")
    eve = await external.verify(answer["access_token"])
    assert (eve.username, eve.name, eve.assistants) == ("eve", "Eve Example", None)
    assert eve.roles == {"analyst"}
    # Neither takes the tokens of the other.
    with pytest.raises(InvalidToken):
        await PeopleVerifier.of(OidcSettings(realm_url), keys).verify(answer["access_token"])
    login = {"client_id": "studio-external", "client_secret": desired.external_client_secret}
    program = await token(http, realm_url, grant_type="client_credentials", **login)
    with pytest.raises(InvalidToken):
        await external.verify(program["access_token"])
    await admin.send("DELETE", "company")
