"""Who a person (or a program of theirs) is: an access token of Keycloak or of another OpenID Connect issuer."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import aiohttp

from studio.auth.discovery import from_discovery, from_jwks
from studio.auth.keys import Keys
from studio.auth.verification import InvalidToken, key_id, verified_claims
from studio.contract.identity import ASSISTANTS_CLAIM, AUDIENCE, ROLES_CLAIM
from studio.settings import Environment, required

# Asymmetric ones only: with HS256 in the list anybody could sign with the public key as the secret.
ALGORITHMS = ("RS256", "PS256", "ES256")
EVERY_ASSISTANT = "*"


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """Which tokens count, and where they say what. `jwks_url` None: by discovery at the issuer."""

    issuer: str
    audience: str = AUDIENCE
    jwks_url: str | None = None
    roles_claim: str = ROLES_CLAIM
    assistants_claim: str = ASSISTANTS_CLAIM

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        """OIDC_ISSUER, OIDC_AUDIENCE, OIDC_JWKS_URL, OIDC_ROLES_CLAIM, OIDC_ASSISTANTS_CLAIM."""
        return cls(
            issuer=required(env, "OIDC_ISSUER"),
            audience=env.get("OIDC_AUDIENCE") or AUDIENCE,
            jwks_url=env.get("OIDC_JWKS_URL") or None,
            roles_claim=env.get("OIDC_ROLES_CLAIM") or ROLES_CLAIM,
            assistants_claim=env.get("OIDC_ASSISTANTS_CLAIM") or ASSISTANTS_CLAIM,
        )


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a token stands for. `assistants` are names; None means all of them."""

    subject: str
    username: str
    name: str
    email: str | None
    roles: frozenset[str]
    assistants: frozenset[str] | None


class PeopleVerifier:
    """Verifies access tokens of one issuer, offline but for the fetching of its keys."""

    def __init__(self, keys: Keys, settings: OidcSettings, *, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._settings = settings
        self._clock = clock

    @classmethod
    def of(cls, settings: OidcSettings, session: aiohttp.ClientSession) -> Self:
        """With the keys of the issuer, fetched by `session` (see `discovery.guarded_session`) at the first token."""
        if settings.jwks_url is None:
            return cls(Keys(from_discovery(session, settings.issuer)), settings)
        return cls(Keys(from_jwks(session, settings.issuer, settings.jwks_url)), settings)

    async def verify(self, token: str) -> Person:
        """The person that an access token proves. Raises InvalidToken, KeysUnavailable."""
        found = await self._keys.find(key_id(token))
        if found is None:
            raise InvalidToken("it is signed with a key that the issuer does not have")
        claims = verified_claims(
            token, found, algorithms=ALGORITHMS, audience=self._settings.audience, now=self._clock()
        )
        _refuse_other_kinds(claims)
        return self._person(claims)

    def _person(self, claims: Mapping[str, Any]) -> Person:
        subject = str(claims["sub"])
        username = _text(claims, "preferred_username") or _text(claims, "email") or subject
        assistants = _names(claims, self._settings.assistants_claim)
        return Person(
            subject=subject,
            username=username,
            name=_text(claims, "name") or username,
            email=_text(claims, "email"),
            roles=_names(claims, self._settings.roles_claim) or frozenset(),
            assistants=None if assistants is None or EVERY_ASSISTANT in assistants else assistants,
        )


def _refuse_other_kinds(claims: Mapping[str, Any]) -> None:
    """Keycloak says in `typ` what a token is for; an ID token or a log-out token is no access token."""
    kind = claims.get("typ", "Bearer")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise InvalidToken(f"it is a token of the type {kind!r}: send the access token")


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) and value else None


def _names(claims: Mapping[str, Any], claim: str) -> frozenset[str] | None:
    """The names in a claim, a list or a text with spaces; None without the claim.

    A claim that holds anything else is refused: to take it for absent would give away all assistants.
    """
    match _find(claims, claim):
        case None:
            return None
        case str(text):
            return frozenset(text.split())
        case list(items) if all(isinstance(item, str) for item in items):
            return frozenset(items)
    raise InvalidToken(f"its claim {claim!r} is not a list of names")


def _find(claims: Mapping[str, Any], claim: str) -> Any:
    """A claim by its name, or by a path with dots such as `realm_access.roles` (names may hold dots themselves)."""
    if claim in claims:
        return claims[claim]
    value: Any = claims
    for part in claim.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
