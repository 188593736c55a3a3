"""Who is who, and who is nobody."""

import base64
import json
import time
from typing import Any

import pytest
from joserfc.jwk import RSAKey
from tests.support.tokens import ISSUER, TokenMaker

from studio.auth.keys import REFETCH_SECONDS, RETRY_SECONDS, Issuer, Keys, KeysUnavailable, from_api_server
from studio.auth.verification import Identity, InvalidToken, Verifier
from studio.model_service.orchestrators.roles import Role, Roles


class Source:
    """An issuer that counts how often it is asked."""

    def __init__(self, maker: TokenMaker) -> None:
        self.maker = maker
        self.asked = 0
        self.broken = False

    async def __call__(self) -> Issuer:
        self.asked += 1
        if self.broken:
            raise KeysUnavailable("away")
        return self.maker.issuer


@pytest.fixture(scope="module")
def maker() -> TokenMaker:
    return TokenMaker()


@pytest.fixture
def source(maker: TokenMaker) -> Source:
    return Source(maker)


@pytest.fixture
def verifier(source: Source) -> Verifier:
    return Verifier(Keys(source))


async def test_a_good_token(maker: TokenMaker, source: Source, verifier: Verifier) -> None:
    for _ in range(3):
        assert await verifier.verify(maker.token("someone", pod="p-1")) == Identity("someone", "p-1")
    assert await verifier.verify(maker.token("someone")) == Identity("someone", None)
    assert source.asked == 1


NOW = int(time.time())


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": NOW - 60},
        {"exp": None},
        {"nbf": NOW + 600},
        {"aud": ["https://kubernetes.default.svc"]},
        {"aud": None},
        {"iss": "https://elsewhere"},
        {"iss": None},
        {"sub": None},
    ],
)
async def test_claims_that_do_not_hold(maker: TokenMaker, verifier: Verifier, claims: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        await verifier.verify(maker.token("someone", **claims))


async def test_forgeries(maker: TokenMaker, verifier: Verifier) -> None:
    good = maker.token("someone")
    head, body, signature = good.split(".")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": "test"}).encode()).decode().rstrip("=")
    other = RSAKey.generate_key(2048, {"kid": "test"})
    forged = maker.token("system:serviceaccount:ns:operator", key=other)
    for token in ("", "x", "a.b.c", f"{none}.{body}.", f"{head}.{body}.{signature[:-4]}AAAA", forged, "x" * 20_000):
        with pytest.raises(InvalidToken):
            await verifier.verify(token)


async def test_an_unknown_key_is_looked_up_at_most_once_in_a_while(maker: TokenMaker, source: Source) -> None:
    now = 1000.0
    verifier = Verifier(Keys(source, clock=lambda: now))
    await verifier.verify(maker.token("someone"))
    successor = TokenMaker()
    successor.key = RSAKey.generate_key(2048, {"kid": "next"})
    for _ in range(5):
        with pytest.raises(InvalidToken):
            await verifier.verify(successor.token("someone"))
    assert source.asked == 1
    source.maker = successor
    now += REFETCH_SECONDS
    assert (await verifier.verify(successor.token("someone"))).subject == "someone"
    assert source.asked == 2


async def test_old_keys_serve_while_the_api_server_is_away(maker: TokenMaker, source: Source) -> None:
    now = 1000.0
    verifier = Verifier(Keys(source, clock=lambda: now))
    source.broken = True
    for _ in range(3):
        with pytest.raises(KeysUnavailable):
            await verifier.verify(maker.token("someone"))
    assert source.asked == 1
    source.broken = False
    now += RETRY_SECONDS
    await verifier.verify(maker.token("someone"))
    source.broken = True
    now += 100_000
    assert (await verifier.verify(maker.token("someone"))).subject == "someone"


async def test_the_api_server_as_source(maker: TokenMaker) -> None:
    answers = {
        "/.well-known/openid-configuration": json.dumps({"issuer": ISSUER}).encode(),
        "/openid/v1/jwks": json.dumps(maker.jwks()).encode(),
    }

    async def raw_get(path: str) -> bytes:
        return answers[path]

    verifier = Verifier(Keys(from_api_server(raw_get)))
    assert (await verifier.verify(maker.token("someone"))).subject == "someone"
    answers.clear()
    with pytest.raises(KeysUnavailable):
        await from_api_server(raw_get)()


def test_roles() -> None:
    roles = Roles.of("run", studio="studio", namespace="ns", operator="system:serviceaccount:ops:studio-operator")
    assert roles.role(Identity("system:serviceaccount:ops:studio-operator", None)) is Role.OPERATOR
    assert roles.role(Identity("system:serviceaccount:ns:studio-running-consumer", None)) is Role.CONSUMER
    assert roles.role(Identity("system:serviceaccount:ns:studio-training-consumer", None)) is None
    helper = Identity("system:serviceaccount:ns:studio-run", "a-r1-abcde-1-xyz")
    assert roles.role(helper) is Role.HELPER
    assert roles.may_help(helper, "a-r1-abcde", 1)
    assert not roles.may_help(helper, "a-r1-abcde", 2)
    assert not roles.may_help(Identity(helper.subject, "a-r1-abcde-12-xyz"), "a-r1-abcde", 1)
    assert not roles.may_help(Identity(helper.subject, None), "a-r1-abcde", 1)
    assert not roles.may_help(Identity("system:serviceaccount:ns:studio-training", helper.pod), "a-r1-abcde", 1)
