"""The public keys of whoever signs tokens, fetched once and again when an unknown key turns up."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

# An unknown key id may be a new key or an attack; neither may cost the issuer more than this.
REFETCH_SECONDS = 30.0
# While there are no keys at all every request would wait for an attempt of its own, one after the other.
RETRY_SECONDS = 1.0
# Keys that were withdrawn are forgotten after this long.
MAX_AGE_SECONDS = 3600.0


class KeysUnavailable(Exception):
    """The keys could not be fetched, so nobody can be told from anybody."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who signs (the `iss` of its tokens), and its keys (a JSON Web Key Set)."""

    name: str
    key_set: KeySet


class IssuerSource(Protocol):
    """Where the issuer is looked up; raises KeysUnavailable."""

    async def __call__(self) -> Issuer:
        """Fetch the issuer's name and keys."""


def from_api_server(raw_get: Callable[[str], Awaitable[bytes]]) -> IssuerSource:
    """The API server as a source (https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/)."""

    async def fetch() -> Issuer:
        try:
            discovery = json.loads(await raw_get("/.well-known/openid-configuration"))
            key_set = json.loads(await raw_get("/openid/v1/jwks"))
            return Issuer(discovery["issuer"], KeySet.import_key_set(key_set))
        except Exception as error:  # whatever went wrong, nobody can be verified
            raise KeysUnavailable(f"the API server did not give the keys of its tokens: {error}") from error

    return fetch


class Keys:
    """A cache of one issuer's keys; safe for concurrent use on one event loop."""

    def __init__(self, source: IssuerSource, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._lock = asyncio.Lock()
        self._issuer: Issuer | None = None
        self._fetched_at = float("-inf")
        self._next_try = float("-inf")

    async def find(self, key_id: str) -> tuple[str, RSAKey | ECKey] | None:
        """The issuer's name and its key of that id; None: there is no such key. Raises KeysUnavailable."""
        found = None if self._stale() else self._lookup(key_id)
        if found is not None:
            return found
        async with self._lock:
            found = None if self._stale() else self._lookup(key_id)
            if found is None and self._clock() >= self._next_try:
                await self._fetch()
            found = self._lookup(key_id)
        if found is None and self._issuer is None:
            raise KeysUnavailable("the keys of the issuer of tokens are not known yet")
        return found

    async def _fetch(self) -> None:
        try:
            self._issuer = await self._source()
        except KeysUnavailable:
            # Old keys are better than none while the issuer is away.
            self._next_try = self._clock() + (RETRY_SECONDS if self._issuer is None else REFETCH_SECONDS)
            if self._issuer is None:
                raise
        else:
            self._next_try = self._clock() + REFETCH_SECONDS
            self._fetched_at = self._clock()

    def _stale(self) -> bool:
        return self._clock() - self._fetched_at > MAX_AGE_SECONDS

    def _lookup(self, key_id: str) -> tuple[str, RSAKey | ECKey] | None:
        if self._issuer is None:
            return None
        try:
            key = self._issuer.key_set.get_by_kid(key_id)
        except (JoseError, ValueError):
            return None
        return (self._issuer.name, key) if isinstance(key, RSAKey | ECKey) else None
