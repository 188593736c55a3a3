"""Accounts of people in a Studio's Keycloak, made as its administration would: by its admin API, from inside a pod."""

import base64
import json
import secrets

from studio.contract import names
from studio.contract.labels import Component
from studio_e2e.space import Space

# On standard input, so that no secret is on a command line.
# https://www.keycloak.org/docs-api/latest/rest-api/index.html
_SCRIPT = """\
import json, urllib.parse as p, urllib.request as u
given = json.loads({given!r})
base = given["keycloak"] + "/auth"
def call(path, body=None, **headers):
    with u.urlopen(u.Request(base + path, body, headers), timeout=30) as answer:
        return answer.read()
form = dict(grant_type="client_credentials", client_id="studio-operator", client_secret=given["secret"])
token = json.loads(call("/realms/master/protocol/openid-connect/token", p.urlencode(form).encode()))["access_token"]
headers = {{"Authorization": "Bearer " + token, "Content-Type": "application/json"}}
call("/admin/realms/studio/users", json.dumps(given["user"]).encode(), **headers)
"""


def make(space: Space, username: str, group: str, *, studio: str = "studio") -> str:
    """A new account in one of the default groups (Viewers, Designers, …); returns its password. Raises ClusterError."""
    password = secrets.token_urlsafe(15)
    user = {
        "username": username,
        "enabled": True,
        "firstName": username.capitalize(),
        "lastName": "Example",
        "email": f"{username}@example.com",
        "emailVerified": True,
        "groups": [group],
        "credentials": [{"type": "password", "value": password, "temporary": False}],
    }
    secret = space.must_get("secret", names.child(studio, Component.KEYCLOAK))["data"]["client-secret"]
    given = {
        "keycloak": f"http://{names.child(studio, Component.KEYCLOAK)}:8080",
        "secret": base64.b64decode(secret).decode(),
        "user": user,
    }
    pod = space.pod_of(Component.BACKEND)["metadata"]["name"]
    script = _SCRIPT.format(given=json.dumps(given))
    space.run("exec", "-i", pod, "--", "python3", "-", stdin=script)
    return password
