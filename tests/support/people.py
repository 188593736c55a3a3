"""Access tokens of people as Keycloak makes them, signed with a key of the test."""

import time
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from studio.auth.keys import Issuer

ISSUER = "http://localhost:8180/auth/realms/studio"
AUDIENCE = "studio-api"


class PeopleTokens:
    """Signs tokens; call it as the source of `Keys`. `asked` counts how often the keys were fetched."""

    def __init__(self, issuer: str = ISSUER, kid: str = "test") -> None:
        self.name = issuer
        self.key = RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})
        self.asked = 0

    async def __call__(self) -> Issuer:
        self.asked += 1
        return Issuer(self.name, KeySet.import_key_set(self.jwks()))

    def jwks(self) -> Any:
        """The public key set."""
        return {"keys": [self.key.as_dict(private=False)]}

    def token(self, *, key: RSAKey | ECKey | None = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """An access token of Ann for five minutes; `claims` replace the usual ones, None leaves one out."""
        now = int(time.time())
        usual: dict[str, Any] = {
            "iss": self.name, "aud": AUDIENCE, "sub": "0d9f", "typ": "Bearer", "azp": "studio-web", "iat": now,
            "exp": now + 300, "preferred_username": "ann", "name": "Ann Example", "email": "ann@example.com",
            "roles": ["viewer"],
        }  # fmt: skip
        body = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        signer = key or self.key
        algorithm = "RS256" if isinstance(signer, RSAKey) else "ES256"
        return jwt.encode({"alg": algorithm, "kid": signer.kid or "test", **(header or {})}, body, signer)
