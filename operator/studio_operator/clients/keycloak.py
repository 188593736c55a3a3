"""Keycloak's admin API for the sync of a realm: the only place that knows python-keycloak."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from studio.contract import identity
from studio_operator.planning import realm
from studio_operator.planning.realm import DesiredRealm, Json
from studio_operator.planning.realm_diff import VERIFY_PROFILE, LiveRealm, RealmWrite, administers_realm
from studio_operator.ports import IdentityAccess, IdentityRefused, IdentityUnreachable
from studio_operator.runtime import metrics

if TYPE_CHECKING:
    from httpx import Response

    from keycloak import KeycloakOpenIDConnection

REQUEST_SECONDS = 10
ATTEMPTS = 3
FIRST_BACKOFF_SECONDS = 0.2
T = TypeVar("T")

# Besides errors of the server, with which a Keycloak answers whose database is away.
_PASSING = frozenset({408, 429})


class KeycloakRealms:
    """The `Realms` port over HTTP.

    Each pass signs in anew: a token of the realm master lives for a minute, which is also how often a pass comes. Calls
    of a pass follow one another, since python-keycloak renews the token once for each call that is under way
    (https://github.com/marcospereirampj/python-keycloak/issues/708).
    """

    @asynccontextmanager
    async def open(self, access: IdentityAccess) -> AsyncIterator["KeycloakRealm"]:
        """Sign in for one pass. Raises IdentityUnreachable, IdentityRefused."""
        # 15 MiB of memory, which an operator without embedded identities need not spend.
        from keycloak import KeycloakOpenIDConnection

        connection = KeycloakOpenIDConnection(
            server_url=access.url.rstrip("/") + "/",
            client_id=access.client_id,
            client_secret_key=access.client_secret,
            user_realm_name="master",
            realm_name=identity.REALM,
            grant_type="client_credentials",
            timeout=REQUEST_SECONDS,
            # Loading the authorities takes longer than a pass, and inside the cluster nothing is signed by them.
            verify=access.url.startswith("https://"),
        )
        try:
            opened = KeycloakRealm(connection)
            await opened.sign_in()
            yield opened
        finally:
            await connection.keycloak_openid.connection.aclose()
            await connection.aclose()


class KeycloakRealm:
    """The `RealmAdmin` port: one signed-in connection."""

    def __init__(self, connection: "KeycloakOpenIDConnection") -> None:
        self._connection = connection

    async def sign_in(self) -> None:
        """Get the token. Raises IdentityUnreachable, IdentityRefused."""
        await _insist("sign_in", self._connection.a_get_token)

    async def read(self, desired: DesiredRealm) -> LiveRealm | None:
        """All that is compared, in about a dozen requests; None when there is no such realm."""
        settings = await self._get("")
        if settings is None:
            return None
        roles = {role["name"]: role for role in await self._list("roles")}
        scopes = {scope["name"]: scope for scope in await self._list("client-scopes")}
        groups = {group["name"]: group for group in await self._list("groups", briefRepresentation="false")}
        administrator = await self._person(desired.administrator.username)
        clients = {
            client["clientId"]: client
            for wanted in realm.clients(desired)
            for client in await self._list("clients", clientId=wanted["clientId"])
        }
        account, external_roles = await self._service_account(clients.get(identity.EXTERNAL_CLIENT))
        return LiveRealm(
            settings=settings,
            roles=roles,
            scopes=scopes,
            scope_roles=await self._scope_roles(scopes.get(identity.SCOPE)),
            clients=clients,
            groups=groups,
            default_groups=_names(await self._list("default-groups")),
            profile=await self._get("users/profile") or {},
            verify_profile=await self._get(f"authentication/required-actions/{VERIFY_PROFILE}") or {},
            realm_admin=await self._realm_admin(groups.get(realm.ADMINISTRATORS)),
            administrator=administrator,
            administrator_groups=_names(
                await self._list(f"users/{administrator['id']}/groups") if administrator else []
            ),
            external_account=account,
            external_roles=external_roles,
        )

    async def write(self, write: RealmWrite) -> None:
        """One write; that it is there already, or gone already, is no error."""
        path = (
            "admin/realms"
            if write.method == "POST" and not write.path
            else f"admin/realms/{identity.REALM}/{write.path}"
        )
        answer = await self._call(write.method, path.rstrip("/"), data=json.dumps(write.body))
        settled = {"POST": 409, "DELETE": 404}.get(write.method)
        if answer.is_success or answer.status_code == settled:
            return
        raise IdentityRefused(f"Keycloak refused the {write.what or 'digest'} ({answer.status_code}): {_words(answer)}")

    async def _person(self, username: str) -> Json | None:
        found = await self._list("users", username=username, exact="true")
        return next((user for user in found if user["username"].lower() == username.lower()), None)

    async def _realm_admin(self, group: Json | None) -> Json | None:
        """The role, if there is a group that lacks it: it never changes, so most passes need not ask."""
        if group is None or administers_realm(group):
            return None
        clients = await self._list("clients", clientId=realm.REALM_MANAGEMENT)
        role: Json | None = (
            await self._get(f"clients/{clients[0]['id']}/roles/{realm.REALM_ADMIN}") if clients else None
        )
        return role

    async def _scope_roles(self, scope: Json | None) -> frozenset[str]:
        return _names(await self._list(f"client-scopes/{scope['id']}/scope-mappings/realm") if scope else [])

    async def _service_account(self, client: Json | None) -> tuple[str | None, frozenset[str]]:
        if client is None or not client.get("serviceAccountsEnabled"):
            return None, frozenset()
        user = await self._get(f"clients/{client['id']}/service-account-user")
        if user is None:
            return None, frozenset()
        return user["id"], _names(await self._list(f"users/{user['id']}/role-mappings/realm/composite"))

    async def _list(self, path: str, **query: str) -> list[Json]:
        found = await self._get(path, **query)
        return found if isinstance(found, list) else []

    async def _get(self, path: str, **query: str) -> Any:
        answer = await self._call("GET", f"admin/realms/{identity.REALM}/{path}".rstrip("/"), **query)
        if answer.status_code == 404:  # noqa: PLR2004
            return None
        if not answer.is_success:
            raise IdentityRefused(
                f"Keycloak does not show {path or 'the realm'} to the operator ({answer.status_code}): {_words(answer)}"
            )
        return answer.json()

    async def _call(self, method: str, path: str, **arguments: Any) -> "Response":
        from keycloak.exceptions import KeycloakConnectionError

        async def send() -> "Response":
            answer: Response = await getattr(self._connection, f"a_raw_{method.lower()}")(path, **arguments)
            if _passes(answer.status_code):
                raise KeycloakConnectionError(f"it answered {answer.status_code}", answer.status_code)
            return answer

        return await _insist(method, send)


async def _insist(call: str, send: Callable[[], Awaitable[T]]) -> T:
    """One request, repeated while Keycloak is away: every one of ours may be sent twice."""
    from keycloak.exceptions import KeycloakConnectionError

    from keycloak import KeycloakError

    for attempt in range(1, ATTEMPTS + 1):
        started, code = time.monotonic(), 0
        try:
            answer = await send()
        except KeycloakError as error:
            code = error.response_code or 0
            if not isinstance(error, KeycloakConnectionError) and not _passes(code):
                raise IdentityRefused(
                    f"Keycloak does not let the operator in ({code}): its client in the realm master is gone or has "
                    "another secret than the Secret says; docs/identity.md tells how to bring them together"
                ) from error
            if attempt == ATTEMPTS:
                raise IdentityUnreachable(f"Keycloak does not answer: {_cause(error)}") from error
        else:
            code = getattr(answer, "status_code", 200)
            return answer
        finally:
            metrics.IDENTITY_REQUESTS.labels(call, str(code)).inc()
            metrics.IDENTITY_SECONDS.labels(call).observe(time.monotonic() - started)
        await asyncio.sleep(FIRST_BACKOFF_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311
    raise AssertionError("the last attempt returns or raises")


def _passes(status: int) -> bool:
    """Whether it is an answer of a Keycloak, or of what is before it, that cannot answer now."""
    return status in _PASSING or status >= 500  # noqa: PLR2004


def _names(items: Iterable[Json]) -> frozenset[str]:
    return frozenset(item["name"] for item in items)


def _cause(error: BaseException) -> str:
    """What lies below python-keycloak's own words, which say only that there was no connection."""
    cause = error.__cause__ or error
    return str(cause) or type(cause).__name__


def _words(answer: "Response") -> str:
    with suppress(ValueError):
        found = answer.json()
        if isinstance(found, dict):
            words = found.get("errorMessage") or found.get("error_description") or found.get("error")
            return str(words or answer.reason_phrase)
    return answer.reason_phrase
