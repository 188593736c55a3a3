"""Who sends a request: a projected service-account token, verified offline."""

import base64
import binascii
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from studio.auth.keys import Keys
from studio.contract.labels import AUDIENCE

ALGORITHMS = ("RS256", "ES256")
LEEWAY_SECONDS = 10
MAX_TOKEN = 16 * 1024


class InvalidToken(Exception):
    """The token proves nothing: malformed, expired, for somebody else, or not signed by its issuer."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A service account (`system:serviceaccount:<namespace>:<name>`) and the pod that its token is bound to."""

    subject: str
    pod: str | None


class Verifier:
    """Verifies tokens of one issuer for one audience."""

    def __init__(self, keys: Keys, *, audience: str = AUDIENCE, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._audience = audience
        self._clock = clock

    async def verify(self, token: str) -> Identity:
        """The identity that a token proves. Raises InvalidToken, KeysUnavailable."""
        found = await self._keys.find(key_id(token))
        if found is None:
            raise InvalidToken("it is signed with a key that the cluster does not know")
        claims = verified_claims(token, found, algorithms=ALGORITHMS, audience=self._audience, now=self._clock())
        return Identity(subject=str(claims["sub"]), pod=_pod(claims))


def verified_claims(
    token: str, found: tuple[str, RSAKey | ECKey], *, algorithms: Sequence[str], audience: str, now: float
) -> dict[str, Any]:
    """The claims of a token that the issuer (its name and key) signed for the audience and for now.

    Raises InvalidToken.
    """
    issuer, key = found
    try:
        claims = jwt.decode(token, key, algorithms=list(algorithms)).claims
        jwt.JWTClaimsRegistry(
            now=int(now),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            exp={"essential": True},
        ).validate(claims)
    except (JoseError, ValueError, TypeError) as error:
        raise InvalidToken(str(error)) from error
    return claims


def key_id(token: str) -> str:
    """Which key a token says it is signed with; nothing is verified yet. Raises InvalidToken."""
    if len(token) > MAX_TOKEN:
        raise InvalidToken("it is too long")
    try:
        head = token.split(".", 1)[0]
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
        named = header["kid"]
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise InvalidToken("it is not a JSON Web Token with a key id") from error
    if not isinstance(named, str):
        raise InvalidToken("its key id is not a string")
    return named


def _pod(claims: dict[str, Any]) -> str | None:
    match claims.get("kubernetes.io"):
        case {"pod": {"name": str(name)}}:
            return name
    return None
