"""The keys of an OpenID Connect issuer over HTTP.

Who configures an issuer makes our process send requests, so: no plain HTTP outside the machine and the cluster, no
redirects, nothing large, nothing slow, and no address at which clouds keep credentials.
"""

import errno
import json
import socket
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey
from prometheus_client import Counter

from studio.auth.keys import Issuer, IssuerSource, KeysUnavailable

REQUEST_SECONDS = 5.0
LARGEST_ANSWER = 256 * 1024
DISCOVERY = "/.well-known/openid-configuration"

FETCHES = Counter("studio_oidc_fetches_total", "Requests for the keys of the issuer of people's tokens.", ["outcome"])


def guarded_session() -> aiohttp.ClientSession:
    """A session that connects to no link-local, multicast or unspecified address, whatever the name resolves to.

    Private addresses stay allowed: issuers of companies have them. To be made inside an event loop, and closed.
    """
    connector = aiohttp.TCPConnector(resolver=_GuardedResolver(), use_dns_cache=False)
    return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS))


def from_jwks(session: aiohttp.ClientSession, issuer: str, url: str) -> IssuerSource:
    """The keys at `url`, of the issuer whose tokens name `issuer`; the operator chose the address."""

    async def fetch() -> Issuer:
        return Issuer(issuer, _key_set(await _get(session, url), url))

    return fetch


def from_discovery(session: aiohttp.ClientSession, issuer: str) -> IssuerSource:
    """The keys that the issuer itself names (https://openid.net/specs/openid-connect-discovery-1_0.html)."""

    async def fetch() -> Issuer:
        url = issuer.rstrip("/") + DISCOVERY
        document = await _get(session, checked(url))
        if document.get("issuer") != issuer:
            raise KeysUnavailable(f"{url} speaks for another issuer, {document.get('issuer')!r}: correct the issuer")
        keys = document.get("jwks_uri")
        if not isinstance(keys, str):
            raise KeysUnavailable(f"{url} does not name the keys (jwks_uri)")
        return Issuer(issuer, _key_set(await _get(session, checked(keys)), keys))

    return fetch


def checked(url: str) -> str:
    """The same address, if it may be asked. Raises KeysUnavailable.

    https, or http to this machine or to a Service of the cluster; without user, query and fragment.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        plain = parts.username is None and not parts.query and not parts.fragment and bool(host)
    except ValueError:
        raise KeysUnavailable(f"{url!r} is no address of an issuer") from None
    if not plain or parts.scheme not in ("https", "http") or (parts.scheme == "http" and not _near(host)):
        raise KeysUnavailable(f"{url!r} cannot be the address of an issuer: use https, without user and query")
    if _forbidden(host):
        raise KeysUnavailable(f"{url!r} has an address that no issuer has")
    return url


def _near(host: str) -> bool:
    return host in ("localhost", "127.0.0.1", "::1") or host.endswith((".svc", ".svc.cluster.local"))


def _forbidden(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_link_local or address.is_multicast or address.is_unspecified


class _GuardedResolver(AbstractResolver):
    """Names resolve as usual, but never to an address that `_forbidden` knows."""

    def __init__(self) -> None:
        self._inner = DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        allowed = [address for address in found if not _forbidden(address["host"])]
        if not allowed:
            raise OSError(errno.EACCES, f"{host} resolves to an address that no issuer has")
        return allowed

    async def close(self) -> None:
        await self._inner.close()


async def _get(session: aiohttp.ClientSession, url: str) -> Mapping[str, Any]:
    try:
        document = json.loads(await _body(session, url))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        FETCHES.labels("error").inc()
        raise KeysUnavailable(f"{url} did not give its keys: {str(error) or type(error).__name__}") from error
    FETCHES.labels("ok").inc()
    return document if isinstance(document, dict) else {}


async def _body(session: aiohttp.ClientSession, url: str) -> bytes:
    timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
    async with session.get(url, allow_redirects=False, timeout=timeout) as answer:
        if answer.status != 200:  # noqa: PLR2004
            raise ValueError(f"it answered {answer.status}")
        body = b""
        async for chunk in answer.content.iter_any():
            body += chunk
            if len(body) > LARGEST_ANSWER:
                raise ValueError(f"it answered with more than {LARGEST_ANSWER} bytes")
        return body


def _key_set(document: Mapping[str, Any], url: str) -> KeySet:
    """Keys for signatures that we know how to use; an issuer may have others beside them."""
    entries = document.get("keys")
    keys = [key for entry in (entries if isinstance(entries, list) else []) if (key := _key(entry)) is not None]
    if not keys:
        raise KeysUnavailable(f"{url} holds no key that signs tokens")
    return KeySet(list(keys))


def _key(entry: Any) -> RSAKey | ECKey | None:
    try:
        match entry:
            case {"use": str(use)} if use != "sig":
                return None
            case {"kty": "RSA"}:
                return RSAKey.import_key(entry)
            case {"kty": "EC"}:
                return ECKey.import_key(entry)
    except (JoseError, ValueError, TypeError, KeyError):
        pass
    return None
