"""The identity provider as the command line uses it: discovery, the device flow, refreshing, client credentials."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2

from studio.cli.errors import Unreachable
from studio.cli.login import GRANT_TYPE, Answer

SCOPE = "openid"
DISCOVERY = "/.well-known/openid-configuration"


@dataclass(frozen=True)
class Endpoints:
    """What the discovery document says (OpenID Connect Discovery 1.0, RFC 8414)."""

    issuer: str
    token: str
    device_authorization: str | None
    revocation: str | None


class IdentityProvider:
    """One issuer. Answers are given back as they are; only discovery raises."""

    def __init__(self, http: httpx2.Client, issuer: str) -> None:
        self._http = http
        self._issuer = issuer
        self._endpoints: Endpoints | None = None

    def endpoints(self) -> Endpoints:
        """The discovered endpoints. Raises Unreachable for an absent, foreign or insecure document."""
        if self._endpoints is None:
            self._endpoints = _endpoints(self._issuer, self._document())
        return self._endpoints

    def start_device_flow(self, client_id: str) -> Answer:
        """Ask for a user code (RFC 8628 §3.1). Raises Unreachable if the issuer has no device flow."""
        url = self.endpoints().device_authorization
        if url is None:
            raise Unreachable(
                "This identity provider has no device flow",
                f"{self._issuer} names no device_authorization_endpoint.",
                remedy="Use a token (STUDIO_TOKEN) or client credentials (STUDIO_CLIENT_ID, STUDIO_CLIENT_SECRET).",
            )
        return self._post(url, {"client_id": client_id, "scope": SCOPE})

    def poll(self, client_id: str, device_code: str) -> Answer:
        """Ask whether the person has agreed (§3.4)."""
        return self._token({"grant_type": GRANT_TYPE, "client_id": client_id, "device_code": device_code})

    def refresh(self, client_id: str, refresh_token: str) -> Answer:
        """Spend a refresh token (RFC 6749 §6)."""
        return self._token({"grant_type": "refresh_token", "client_id": client_id, "refresh_token": refresh_token})

    def client_credentials(self, client_id: str, client_secret: str) -> Answer:
        """A token for a program (RFC 6749 §4.4); the secret goes in the header, as §2.3.1 wants."""
        return self._token({"grant_type": "client_credentials"}, httpx2.BasicAuth(client_id, client_secret))

    def revoke(self, client_id: str, refresh_token: str) -> bool:
        """End the session at the issuer (RFC 7009); whether it said yes."""
        url = self.endpoints().revocation
        if url is None:
            return False
        fields = {"client_id": client_id, "token": refresh_token, "token_type_hint": "refresh_token"}
        return self._post(url, fields).status == httpx2.codes.OK

    def _token(self, fields: Mapping[str, str], auth: httpx2.Auth | None = None) -> Answer:
        return self._post(self.endpoints().token, fields, auth)

    def _post(self, url: str, fields: Mapping[str, str], auth: httpx2.Auth | None = None) -> Answer:
        try:
            response = self._http.post(
                url, data=dict(fields), auth=auth or httpx2.Auth(), headers={"Accept": "application/json"}
            )
        except httpx2.TransportError as error:
            return Answer(0, {"error_description": f"{urlsplit(url).netloc}: {error}"})
        return Answer(response.status_code, _object(response))

    def _document(self) -> dict[str, Any]:
        try:
            response = self._http.get(self._issuer.rstrip("/") + DISCOVERY)
        except httpx2.TransportError as error:
            raise Unreachable("The identity provider does not answer", f"{self._issuer}: {error}") from error
        if response.status_code != httpx2.codes.OK:
            raise Unreachable(
                "The identity provider does not answer", f"{self._issuer}{DISCOVERY}: HTTP {response.status_code}"
            )
        return _object(response)


def _endpoints(issuer: str, document: Mapping[str, Any]) -> Endpoints:
    """Raises Unreachable for a document of another issuer, or one that sends secrets over plain http."""
    if str(document.get("issuer", "")).rstrip("/") != issuer.rstrip("/"):
        raise Unreachable(
            "The identity provider is not the expected one",
            f"The Studio names {issuer}, the discovery document {document.get('issuer')!r}.",
            remedy="Check publicUrl of the Studio and the address that you use.",
        )
    secure = urlsplit(issuer).scheme == "https"

    def url(name: str) -> str | None:
        return _endpoint(document.get(name), name, secure=secure)

    token = url("token_endpoint")
    if token is None:
        raise Unreachable("The identity provider cannot be used", "Its discovery document has no token_endpoint.")
    return Endpoints(issuer, token, url("device_authorization_endpoint"), url("revocation_endpoint"))


def _endpoint(value: Any, name: str, *, secure: bool) -> str | None:
    if not value:
        return None
    if urlsplit(str(value)).scheme not in (("https",) if secure else ("https", "http")):
        raise Unreachable("The identity provider cannot be used", f"{name} is not a safe URL: {value!r}.")
    return str(value)


def _object(response: httpx2.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
