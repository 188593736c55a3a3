"""The back end's API as a program uses it: with a token of a client of its own, by the Studio's public address."""

import base64
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from studio_e2e.keycloak import REALM, Login
from studio_e2e.space import Space
from studio_e2e.waiting import NotYet, eventually

Json = dict[str, Any]

STORED_WITHIN = 45.0
# Access tokens live for five minutes.
_RENEWED_AFTER = 120.0
_LARGEST_PAGE = 200


@dataclass(frozen=True)
class Answer:
    """What the API said."""

    status: int
    body: Any


@dataclass
class Api:
    """One program at the API of one Studio; `obtain` gets it a token."""

    origin: str
    obtain: Callable[[], str]
    _token: str = field(default="", repr=False)
    _since: float = 0.0

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> Answer:
        """One request to `/api/v1<path>`, whatever it comes to."""
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.origin}/api/v1{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Authorization": f"Bearer {self.token()}", "Content-Type": "application/json"}
        return send(urllib.request.Request(url, data, headers, method=method))

    def get(self, path: str, **query: Any) -> Any:
        """What is at a path; it has to be there."""
        answer = self.ask("GET", path, **query)
        if answer.status != http.client.OK:
            raise NotYet(f"GET {path}: {answer.status} {answer.body}")
        return answer.body

    def token(self) -> str:
        """An access token that is good for some minutes."""
        if not self._token or time.monotonic() - self._since > _RENEWED_AFTER:
            self._since = time.monotonic()
            self._token = self.obtain()
        return self._token

    def conversation(self, sender: str, assistant: str) -> Json | None:
        """The stored conversation of somebody with an assistant, by its id or its name in the namespace."""
        page = self.get("/conversations", assistant=assistant, limit=_LARGEST_PAGE)
        found = [item for item in page["items"] if item["sender_id"] == sender]
        assert len(found) <= 1, f"{len(found)} conversations of {sender}"
        return self.get(f"/conversations/{found[0]['id']}") if found else None

    def wait_lag(self, *, within: float = STORED_WITHIN) -> None:
        """Until everything that is in the topics is stored."""

        def none() -> bool:
            state = self.get("/status")["ingestion"]
            if state["lag"]:
                raise NotYet(f"a lag of {state['lag']}")
            return True

        eventually("everything in the topics is stored", none, within=within, every=0.5)


def signed_in(origin: str, login: Login) -> Api:
    """The API for a program that the Studio's own Keycloak knows."""
    return Api(origin, lambda: token(f"{origin}/auth/realms/{login.realm}", login))


def external_client(space: Space, studio: str = "studio") -> Login:
    """The login that the operator made for programs: role developer."""
    data = space.must_get("secret", f"{studio}-external-client")["data"]
    name, secret = (base64.b64decode(data[key]).decode() for key in ("client-id", "client-secret"))
    return Login(REALM, name, secret)


def token(issuer: str, login: Login) -> str:
    """An access token for a program. Raises NotYet while the issuer refuses or is away."""
    form = {"grant_type": "client_credentials", "client_id": login.client_id, "client_secret": login.secret}
    url = f"{issuer}/protocol/openid-connect/token"
    answer = send(urllib.request.Request(url, urlencode(form).encode()))
    if answer.status != http.client.OK:
        raise NotYet(f"no token: {answer.status} {answer.body}")
    return str(answer.body["access_token"])


def send(request: urllib.request.Request) -> Answer:
    """Status and body, JSON if it is some. Raises NotYet when nobody answers."""
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return Answer(answer.status, _read(answer.read()))
    except urllib.error.HTTPError as refusal:
        return Answer(refusal.code, _read(refusal.read()))
    except (OSError, http.client.HTTPException) as error:
        raise NotYet(f"{request.full_url}: {error}") from error


def _read(data: bytes) -> Any:
    try:
        return json.loads(data or b"null")
    except ValueError:
        return data.decode(errors="replace")
