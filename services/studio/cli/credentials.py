"""Where the bearer token of a request comes from: the environment, or the signed-in session, refreshed when due."""

import time
from collections.abc import Callable, Mapping
from typing import Protocol

from studio.cli.config import Context
from studio.cli.errors import NotSignedIn, Unreachable, UsageError
from studio.cli.identity import IdentityProvider
from studio.cli.login import Answer, Failed, Tokens, tokens_or_failure
from studio.cli.tokens import Session, TokenFile

# A token is renewed this long (seconds) before it ends: clocks differ, and a request takes its time.
MARGIN = 20.0
_SERVER_ERROR = 500
_TOO_MANY = 429
Clock = Callable[[], float]


class Credentials(Protocol):
    """Something that has a bearer token."""

    def token(self) -> str | None:
        """The token to send; None: none is at hand. Raises NotSignedIn, Unreachable."""

    def renew(self, refused: str) -> str | None:
        """Another token after `refused` was answered with 401; None: there is no other. Raises as `token`."""


class Fixed:
    """STUDIO_TOKEN: a token that somebody else looks after."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self) -> str:
        """The token, as it was given."""
        return self._token

    def renew(self, refused: str) -> None:
        """There is no other."""


class ClientCredentials:
    """STUDIO_CLIENT_ID and STUDIO_CLIENT_SECRET: a program signs in by itself; nothing is stored."""

    def __init__(self, provider: Callable[[], IdentityProvider], client_id: str, secret: str, clock: Clock) -> None:
        self._provider = provider
        self._client_id = client_id
        self._secret = secret
        self._clock = clock
        self._tokens: Tokens | None = None

    def token(self) -> str:
        """The token of this process; a new one near its end."""
        if self._tokens is None or self._tokens.expires_at - MARGIN <= self._clock():
            self._tokens = self._fetch()
        return self._tokens.access_token

    def renew(self, refused: str) -> str | None:
        """A new token, once per refused one."""
        if self._tokens is not None and self._tokens.access_token == refused:
            self._tokens = None
        return self.token()

    def _fetch(self) -> Tokens:
        answer = self._provider().client_credentials(self._client_id, self._secret)
        result = tokens_or_failure(answer, self._clock())
        if isinstance(result, Failed):
            _raise_if_unreachable(answer, result)
            raise NotSignedIn(
                f"The client {self._client_id!r} is not accepted",
                result.message,
                remedy="Check STUDIO_CLIENT_ID and STUDIO_CLIENT_SECRET.",
            )
        return result.tokens


class SignedInSession:
    """The session of `studio login`. Refresh tokens rotate: each is spent once, under the lock, by one command."""

    def __init__(
        self, context: Context, file: TokenFile, provider: Callable[[str], IdentityProvider], clock: Clock = time.time
    ) -> None:
        """`provider` gives the identity provider of an issuer."""
        self._context = context
        self._file = file
        self._provider = provider
        self._clock = clock

    def token(self) -> str | None:
        """The access token, refreshed if it is about to end; None if nobody is signed in."""
        session = self._file.read(self._context)
        if session is None:
            return None
        return session.access_token if self._fresh(session) else self._refreshed(lambda found: not self._fresh(found))

    def renew(self, refused: str) -> str | None:
        """Another token although the old one seemed good: it was revoked, or the clocks differ."""
        return self._refreshed(lambda found: found.access_token == refused)

    def _fresh(self, session: Session) -> bool:
        return session.expires_at - MARGIN > self._clock()

    def _refreshed(self, stale: Callable[[Session], bool]) -> str | None:
        with self._file.locked():
            # Another command may have been quicker while this one waited for the lock.
            session = self._file.read(self._context)
            if session is None or not stale(session):
                return session.access_token if session else None
            if session.refresh_token is None:
                self._file.forget(self._context)
                raise NotSignedIn("The sign-in has run out")
            answer = self._provider(session.issuer).refresh(session.client_id, session.refresh_token)
            result = tokens_or_failure(answer, self._clock())
            if isinstance(result, Failed):
                _raise_if_unreachable(answer, result)
                self._file.forget(self._context)
                raise NotSignedIn("The sign-in has run out", f"{result.message}.")
            renewed = Session(
                url=session.url,
                issuer=session.issuer,
                client_id=session.client_id,
                access_token=result.tokens.access_token,
                expires_at=result.tokens.expires_at,
                refresh_token=result.tokens.refresh_token or session.refresh_token,
            )
            self._file.write(self._context, renewed)
            return renewed.access_token


def from_environment(
    environ: Mapping[str, str], provider: Callable[[], IdentityProvider], clock: Clock
) -> Credentials | None:
    """What the environment gives, for programs; None: a person has to sign in. Raises UsageError for half a pair."""
    if token := environ.get("STUDIO_TOKEN"):
        return Fixed(token.strip())
    client_id, secret = environ.get("STUDIO_CLIENT_ID"), environ.get("STUDIO_CLIENT_SECRET")
    if client_id and secret:
        return ClientCredentials(provider, client_id, secret, clock)
    if client_id or secret:
        missing = "STUDIO_CLIENT_SECRET" if client_id else "STUDIO_CLIENT_ID"
        raise UsageError(f"{missing} is missing", "Client credentials are an id and a secret.")
    return None


def _raise_if_unreachable(answer: Answer, result: Failed) -> None:
    if answer.status in (0, _TOO_MANY) or answer.status >= _SERVER_ERROR:
        raise Unreachable("The identity provider does not answer", result.message)
