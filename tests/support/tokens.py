"""Service-account tokens as the API server makes them, signed with a key of the test."""

import time
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from studio.auth.keys import Issuer
from studio.contract.labels import AUDIENCE

ISSUER = "https://kubernetes.default.svc"


class TokenMaker:
    """Signs tokens; `issuer` is what a verifier has to know."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "test", "use": "sig", "alg": "RS256"})

    @property
    def issuer(self) -> Issuer:
        return Issuer(ISSUER, KeySet.import_key_set(self.jwks()))

    def jwks(self) -> Any:
        """The public key set."""
        return {"keys": [self.key.as_dict(private=False)]}

    def token(self, subject: str, *, pod: str | None = None, key: RSAKey | None = None, **claims: Any) -> str:
        """A token for ten minutes; `claims` replace the usual ones, None leaves one out."""
        now = int(time.time())
        usual: dict[str, Any] = {
            "iss": ISSUER, "aud": [AUDIENCE], "sub": subject, "iat": now, "nbf": now, "exp": now + 600,
            "kubernetes.io": {"namespace": "ns", **({"pod": {"name": pod, "uid": "p"}} if pod else {})},
        }  # fmt: skip
        body = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        signer = key or self.key
        return jwt.encode({"alg": "RS256", "kid": signer.kid or "test"}, body, signer)
