"""A real Keycloak, started once for the session, and the realm of a Studio in it."""

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
from tests.support import keycloak, postgres
from tests.support.admin import Admin
from tests.support.patience import STUCK_SECONDS
from yarl import URL

from studio_operator.planning.realm import Administrator, DesiredRealm
from studio_operator.ports import IdentityAccess

PUBLIC_URL = "http://localhost:8180"


@pytest.fixture(scope="session")
def server() -> Iterator[keycloak.Keycloak]:
    """The server. The first time it is downloaded and built, which takes a minute or two."""
    if problem := keycloak.missing():
        pytest.skip(problem)
    with postgres.server() as database, keycloak.server(database) as running:
        yield running


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator gives up after ten seconds and comes again; on a machine that is busy a realm takes longer."""
    monkeypatch.setattr("studio_operator.clients.keycloak.REQUEST_SECONDS", STUCK_SECONDS)


@pytest.fixture
def desired() -> DesiredRealm:
    administrator = Administrator("admin", "0123456789abcdef01234567", "admin@example.com")
    return DesiredRealm(PUBLIC_URL, administrator, "external-secret-0123456789")


@pytest.fixture
def access(server: keycloak.Keycloak) -> IdentityAccess:
    return IdentityAccess(server.url, keycloak.CLIENT, keycloak.SECRET)


@pytest.fixture
async def http(server: keycloak.Keycloak) -> AsyncIterator[aiohttp.ClientSession]:
    """A browser: it keeps cookies, and takes localhost for secure."""
    jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=URL(server.url).origin())
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        yield session


@pytest.fixture
async def admin(http: aiohttp.ClientSession, access: IdentityAccess) -> Admin:
    """The admin API, as somebody at the console uses it."""
    return await Admin.sign_in(http, access)
