"""The admin API of a Studio's Keycloak, used as its administration would use it: from inside a pod."""

import base64
import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from studio.contract import names
from studio.contract.labels import API_PORT, Component
from studio_e2e.space import Space

Json = dict[str, Any]
REALM = "studio"

# On standard input, so that no secret is on a command line.
# https://www.keycloak.org/docs-api/latest/rest-api/index.html
_SCRIPT = """\
import json, urllib.parse as p, urllib.request as u
given = json.loads({given!r})
def call(method, path, body, kind, **headers):
    request = u.Request(given["address"] + path, body, {{"Content-Type": kind, **headers}}, method=method)
    with u.urlopen(request, timeout=30) as answer:
        return answer.read().decode()
form = p.urlencode(dict(grant_type="client_credentials", **given["login"])).encode()
path = "/realms/" + given["realm"] + "/protocol/openid-connect/token"
granted = call("POST", path, form, "application/x-www-form-urlencoded")
if given["path"]:
    body = None if given["body"] is None else json.dumps(given["body"]).encode()
    token = json.loads(granted)["access_token"]
    print(call(given["method"], "/admin" + given["path"], body, "application/json", Authorization="Bearer " + token))
else:
    print(granted)
"""


@dataclass(frozen=True)
class Login:
    """A client of a realm that signs in as itself (client credentials)."""

    realm: str
    client_id: str
    secret: str


@dataclass(frozen=True)
class Keycloak:
    """The Keycloak of a Studio, with the rights of the operator in it."""

    space: Space
    studio: str = "studio"

    @property
    def address(self) -> str:
        """Where other namespaces of the cluster find it."""
        return f"http://{names.child(self.studio, Component.KEYCLOAK)}.{self.space.name}.svc:{API_PORT}/auth"

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request to `/admin<path>`; what it answers, None for nothing. Raises ClusterError."""
        data = self.space.must_get("secret", names.child(self.studio, Component.KEYCLOAK))["data"]
        secret = base64.b64decode(data["client-secret"]).decode()
        return self._run(Login("master", "studio-operator", secret), method, path, body)

    def token(self, login: Login) -> str:
        """An access token for a program, from inside of the cluster."""
        return str(self._run(login)["access_token"])

    def client(self, client_id: str, realm: str = REALM) -> Json:
        """A client that is known to exist."""
        (found,) = self.call("GET", f"/realms/{realm}/clients?clientId={quote(client_id)}")
        client: Json = found
        return client

    def user(self, username: str) -> Json:
        """A person that is known to exist."""
        (found,) = self.call("GET", f"/realms/{REALM}/users?exact=true&username={quote(username)}")
        user: Json = found
        return user

    @contextmanager
    def program(self, client_id: str, *roles: str) -> Iterator[Login]:
        """A client of somebody's own with roles of the Studio, for a program; gone at the end."""
        login = Login(REALM, client_id, secrets.token_urlsafe(24))
        self.make_client(login)
        try:
            self.give_roles(login, roles)
            yield login
        finally:
            self.call("DELETE", f"/realms/{REALM}/clients/{self.client(client_id)['id']}")

    def make_client(self, login: Login, **settings: Any) -> None:
        """A confidential client that signs in as itself, with the scope that the back end asks for if there is one."""
        scopes = {scope["name"] for scope in self.call("GET", f"/realms/{login.realm}/client-scopes")}
        body = {
            "clientId": login.client_id,
            "secret": login.secret,
            "publicClient": False,
            "serviceAccountsEnabled": True,
            "standardFlowEnabled": False,
            "defaultClientScopes": sorted(scopes & {"studio-api", "basic", "roles", "profile"}),
        }
        self.call("POST", f"/realms/{login.realm}/clients", body | settings)

    @contextmanager
    def realm(self, name: str) -> Iterator[str]:
        """A realm beside the Studio's, as a company has one; its issuer. Gone at the end."""
        attributes = {"frontendUrl": self.address}
        self.call("POST", "/realms", {"realm": name, "enabled": True, "sslRequired": "none", "attributes": attributes})
        try:
            yield f"{self.address}/realms/{name}"
        finally:
            self.call("DELETE", f"/realms/{name}")

    def make_role(self, name: str, realm: str) -> None:
        """A role of a realm."""
        self.call("POST", f"/realms/{realm}/roles", {"name": name})

    def give_roles(self, login: Login, roles: Sequence[str]) -> None:
        """Roles of its realm for a program."""
        realm = f"/realms/{login.realm}"
        account = self.call(
            "GET", f"{realm}/clients/{self.client(login.client_id, login.realm)['id']}/service-account-user"
        )
        given = [self.call("GET", f"{realm}/roles/{role}") for role in roles]
        self.call("POST", f"{realm}/users/{account['id']}/role-mappings/realm", given)

    def _run(self, login: Login, method: str = "", path: str = "", body: Any = None) -> Any:
        given = {
            "address": self.address,
            "realm": login.realm,
            "login": {"client_id": login.client_id, "client_secret": login.secret},
            "method": method,
            "path": path,
            "body": body,
        }
        pod = self.space.pod_of(Component.BACKEND)["metadata"]["name"]
        script = _SCRIPT.format(given=json.dumps(given))
        answer = self.space.run("exec", "-i", pod, "--", "python3", "-", stdin=script).strip()
        return json.loads(answer) if answer else None
