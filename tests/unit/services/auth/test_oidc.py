"""Which access tokens count, and what they say of a person."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey
from tests.support.people import ISSUER, PeopleTokens

from studio.auth.keys import REFETCH_SECONDS, Issuer, Keys, KeysUnavailable
from studio.auth.oidc import OidcSettings, PeopleVerifier, Person
from studio.auth.verification import InvalidToken
from studio.settings import SettingsError

NOW = int(time.time())


@pytest.fixture(scope="module")
def tokens() -> PeopleTokens:
    return PeopleTokens()


@pytest.fixture
def verifier(tokens: PeopleTokens) -> PeopleVerifier:
    return PeopleVerifier(Keys(tokens), OidcSettings(ISSUER))


async def test_a_person(tokens: PeopleTokens, verifier: PeopleVerifier) -> None:
    person = await verifier.verify(tokens.token())
    assert person == Person("0d9f", "ann", "Ann Example", "ann@example.com", frozenset({"viewer"}), None)


async def test_a_program(tokens: PeopleTokens, verifier: PeopleVerifier) -> None:
    claims: dict[str, Any] = {
        "azp": "studio-external",
        "preferred_username": "service-account-studio-external",
        "roles": ["developer"],
    }
    person = await verifier.verify(tokens.token(**claims, name=None, email=None))
    assert person.username == person.name == "service-account-studio-external"
    assert person.email is None
    assert person.roles == {"developer"}


async def test_a_token_of_little_words(tokens: PeopleTokens, verifier: PeopleVerifier) -> None:
    person = await verifier.verify(tokens.token(name=None, email=None, preferred_username=None, roles=None))
    assert person == Person("0d9f", "0d9f", "0d9f", None, frozenset(), None)


@pytest.mark.parametrize(
    ("claim", "assistants"),
    [
        (None, None),
        (["a", "b"], {"a", "b"}),
        (["a", "*"], None),
        ("a b", {"a", "b"}),
        ("*", None),
        ([], set()),
    ],
)
async def test_assistants(tokens: PeopleTokens, verifier: PeopleVerifier, claim: Any, assistants: Any) -> None:
    assert (await verifier.verify(tokens.token(assistants=claim))).assistants == assistants


@pytest.mark.parametrize("claim", [7, {"a": "b"}, ["a", 7], [["a"]], True])
async def test_a_claim_that_is_no_list_of_names_gives_nothing_away(
    tokens: PeopleTokens, verifier: PeopleVerifier, claim: Any
) -> None:
    for name in ("assistants", "roles"):
        with pytest.raises(InvalidToken, match=name):
            await verifier.verify(tokens.token(**{name: claim}))


async def test_claims_of_other_issuers(tokens: PeopleTokens) -> None:
    for claim, value in (
        ("realm_access.roles", {"realm_access": {"roles": ["admin"]}}),
        ("https://example.com/roles", {"https://example.com/roles": ["admin"]}),
        ("groups", {"groups": "admin"}),
    ):
        verifier = PeopleVerifier(Keys(tokens), OidcSettings(ISSUER, roles_claim=claim))
        assert (await verifier.verify(tokens.token(**value, typ=None, azp=None))).roles == {"admin"}


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"exp": NOW - 60}, id="past"),
        {"exp": None},
        {"exp": "tomorrow"},
        pytest.param({"nbf": NOW + 600}, id="not yet"),
        {"aud": "account"},
        {"aud": ["account", "studio-web"]},
        {"aud": None},
        {"iss": "https://elsewhere/realms/studio"},
        {"iss": None},
        {"sub": None},
        {"typ": "ID"},
        {"typ": "Refresh"},
        {"typ": ["Bearer"]},
    ],
    ids=str,
)
async def test_claims_that_do_not_hold(tokens: PeopleTokens, verifier: PeopleVerifier, claims: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        await verifier.verify(tokens.token(**claims))


async def test_claims_that_hold(tokens: PeopleTokens, verifier: PeopleVerifier) -> None:
    for claims in ({"azp": "their-own-client"}, {"typ": None}, {"aud": ["account", "studio-api"]}):
        assert (await verifier.verify(tokens.token(**claims))).username == "ann"


async def test_clocks_differ_a_little(tokens: PeopleTokens) -> None:
    token = tokens.token(exp=NOW + 300)
    assert await PeopleVerifier(Keys(tokens), OidcSettings(ISSUER), clock=lambda: NOW + 305).verify(token)
    with pytest.raises(InvalidToken, match="expired"):
        await PeopleVerifier(Keys(tokens), OidcSettings(ISSUER), clock=lambda: NOW + 315).verify(token)


async def test_forgeries(tokens: PeopleTokens, verifier: PeopleVerifier) -> None:
    good = tokens.token()
    head, body, signature = good.split(".")
    elsewhere = PeopleTokens()
    forgeries = {
        "empty": "",
        "words": "words",
        "three empty parts": "..",
        "no key id": ".".join((_part({"alg": "RS256"}), body, signature)),
        "none algorithm": f"{_part({'alg': 'none', 'kid': 'test'})}.{body}.",
        "None algorithm": f"{_part({'alg': 'None', 'kid': 'test'})}.{body}.{signature}",
        "other signature": f"{head}.{body}.{signature[:-4]}AAAA",
        "other body": f"{head}.{_part({'sub': 'root', 'roles': ['admin']})}.{signature}",
        "other key of the same name": elsewhere.token(),
        "unknown key": tokens.token(key=RSAKey.generate_key(2048, {"kid": "unknown"})),
        "key id that is no text": ".".join((_part({"alg": "RS256", "kid": ["test"]}), body, signature)),
        "too long": "x" * 20_000,
    }
    # The public key as the secret of a symmetric algorithm.
    for secret in (tokens.key.as_pem(private=False), json.dumps(tokens.jwks()["keys"][0]).encode()):
        signed = f"{_part({'alg': 'HS256', 'kid': 'test', 'typ': 'JWT'})}.{body}"
        mac = base64.urlsafe_b64encode(hmac.new(secret, signed.encode(), hashlib.sha256).digest()).decode().rstrip("=")
        forgeries[f"HS256 {len(secret)}"] = f"{signed}.{mac}"
    for token in forgeries.values():
        with pytest.raises(InvalidToken):
            await verifier.verify(token)


async def test_an_elliptic_key() -> None:
    tokens = PeopleTokens()
    key = ECKey.generate_key("P-256", {"kid": "ec", "use": "sig"})
    both = {"keys": [*tokens.jwks()["keys"], key.as_dict(private=False)]}

    async def source() -> Issuer:
        from joserfc.jwk import KeySet

        return Issuer(ISSUER, KeySet.import_key_set(both))  # type: ignore[arg-type]

    verifier = PeopleVerifier(Keys(source), OidcSettings(ISSUER))
    assert (await verifier.verify(tokens.token(key=key))).username == "ann"
    with pytest.raises(InvalidToken):
        await verifier.verify(tokens.token(key=RSAKey.generate_key(2048, {"kid": "ec"})))


async def test_a_new_key_is_fetched_at_most_once_in_a_while() -> None:
    now = 1000.0
    tokens = PeopleTokens()
    verifier = PeopleVerifier(Keys(tokens, clock=lambda: now), OidcSettings(ISSUER))
    await verifier.verify(tokens.token())
    tokens.key = RSAKey.generate_key(2048, {"kid": "next", "use": "sig"})
    for _ in range(5):
        with pytest.raises(InvalidToken, match="does not have"):
            await verifier.verify(tokens.token())
    assert tokens.asked == 1
    now += REFETCH_SECONDS
    assert (await verifier.verify(tokens.token())).username == "ann"
    assert tokens.asked == 2


async def test_an_issuer_that_is_away(tokens: PeopleTokens) -> None:
    async def source() -> Issuer:
        raise KeysUnavailable("away")

    with pytest.raises(KeysUnavailable):
        await PeopleVerifier(Keys(source), OidcSettings(ISSUER)).verify(tokens.token())


def test_settings() -> None:
    assert OidcSettings.from_env({"OIDC_ISSUER": ISSUER}) == OidcSettings(ISSUER)
    full = {
        "OIDC_ISSUER": "https://issuer",
        "OIDC_AUDIENCE": "api",
        "OIDC_JWKS_URL": "http://keys",
        "OIDC_ROLES_CLAIM": "groups",
        "OIDC_ASSISTANTS_CLAIM": "bots",
    }
    assert OidcSettings.from_env(full) == OidcSettings("https://issuer", "api", "http://keys", "groups", "bots")
    with pytest.raises(SettingsError, match="OIDC_ISSUER"):
        OidcSettings.from_env({})


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
