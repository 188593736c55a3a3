"""What Keycloak's answers mean, by a server that gives any of them."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from studio_operator.clients import keycloak
from studio_operator.clients.keycloak import ATTEMPTS, KeycloakRealms
from studio_operator.planning.realm import Administrator, DesiredRealm
from studio_operator.ports import IdentityAccess, IdentityRefused, IdentityUnreachable

DESIRED = DesiredRealm("http://localhost:8180", Administrator("admin", "password"), "external")


class Keycloak:
    """Answers with these codes to whoever wants a token, and to all other requests."""

    def __init__(self) -> None:
        self.token, self.realm = 200, 200
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if request.path.endswith("/token"):
            body = {"access_token": "a", "expires_in": 60, "refresh_expires_in": 0, "token_type": "Bearer"}
            return web.json_response(body if self.token == 200 else {"error": "said"}, status=self.token)
        return web.json_response({"error": "said"}, status=self.realm)


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Keycloak, IdentityAccess]]:
    monkeypatch.setattr(keycloak, "FIRST_BACKOFF_SECONDS", 0.001)
    played, application = Keycloak(), web.Application()
    application.router.add_route("*", "/{path:.*}", played.answer)
    async with TestServer(application) as running:
        yield played, IdentityAccess(str(running.make_url("/auth")), "studio-operator", "secret")


@pytest.mark.parametrize("code", [429, 500, 503])
async def test_a_keycloak_that_cannot_sign_anybody_in_now_is_unreachable(
    server: tuple[Keycloak, IdentityAccess], code: int
) -> None:
    played, access = server
    played.token = code
    with pytest.raises(IdentityUnreachable):
        async with KeycloakRealms().open(access):
            pass
    assert len(played.asked) == ATTEMPTS


@pytest.mark.parametrize("code", [400, 401])
async def test_a_wrong_secret_is_refused_at_once(server: tuple[Keycloak, IdentityAccess], code: int) -> None:
    played, access = server
    played.token = code
    with pytest.raises(IdentityRefused, match="another secret"):
        async with KeycloakRealms().open(access):
            pass
    assert len(played.asked) == 1


@pytest.mark.parametrize("code", [500, 502])
async def test_a_keycloak_without_its_database_is_unreachable(
    server: tuple[Keycloak, IdentityAccess], code: int
) -> None:
    played, access = server
    played.realm = code
    async with KeycloakRealms().open(access) as realm:
        with pytest.raises(IdentityUnreachable, match=str(code)):
            await realm.read(DESIRED)


async def test_what_the_operator_may_not_see_is_refused(server: tuple[Keycloak, IdentityAccess]) -> None:
    played, access = server
    played.realm = 403
    async with KeycloakRealms().open(access) as realm:
        with pytest.raises(IdentityRefused, match="403"):
            await realm.read(DESIRED)
