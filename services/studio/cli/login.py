"""The device flow as a state machine: answers of the token endpoint in, what to do next out. No I/O, no clock.

RFC 8628, sections 3.2 to 3.5 (https://www.rfc-editor.org/rfc/rfc8628).
"""

from dataclasses import dataclass, replace
from typing import Any

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
DEFAULT_INTERVAL = 5.0
SLOW_DOWN_STEP = 5.0
LONGEST_INTERVAL = 60.0


@dataclass(frozen=True)
class Tokens:
    """What the token endpoint gave; `expires_at` is a UNIX time in seconds."""

    access_token: str
    expires_at: float
    refresh_token: str | None = None


@dataclass(frozen=True)
class Waiting:
    """A person has still to enter `user_code` at `verification_uri`; ask again at `next_at` (UNIX seconds)."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str | None
    interval: float
    next_at: float
    expires_at: float


@dataclass(frozen=True)
class SignedIn:
    """The person agreed."""

    tokens: Tokens


@dataclass(frozen=True)
class Failed:
    """The flow is over without tokens; `reason` is the OAuth error, `message` says it in words."""

    reason: str
    message: str


State = Waiting | SignedIn | Failed


@dataclass(frozen=True)
class Answer:
    """An answer of the token endpoint; status 0 means that there was none."""

    status: int
    body: dict[str, Any]


def begin(answer: Answer, now: float) -> Waiting | Failed:
    """The first state, from the answer of the device authorization endpoint."""
    body = answer.body
    if answer.status != 200:  # noqa: PLR2004 (RFC 8628 §3.2)
        return _refused(body, "the identity provider does not start the device flow")
    try:
        interval = max(float(body.get("interval") or DEFAULT_INTERVAL), 1.0)
        return Waiting(
            device_code=str(body["device_code"]),
            user_code=str(body["user_code"]),
            verification_uri=str(body["verification_uri"]),
            verification_uri_complete=body.get("verification_uri_complete"),
            interval=interval,
            next_at=now + interval,
            expires_at=now + float(body["expires_in"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        return Failed("invalid_response", f"the identity provider's answer lacks a usable field: {error}")


def advance(state: Waiting, answer: Answer, now: float) -> State:
    """The next state, after the token endpoint was asked at `now`."""
    error = answer.body.get("error")
    if answer.status == 200:  # noqa: PLR2004 (RFC 6749 §5.1)
        return tokens_or_failure(answer, now)
    if error == "authorization_pending":
        waiting = state
    elif error == "slow_down":
        waiting = replace(state, interval=state.interval + SLOW_DOWN_STEP)
    elif error == "access_denied":
        return Failed("access_denied", "the sign-in was refused in the browser")
    elif error == "expired_token":
        return _expired()
    elif answer.status in (0, 429) or answer.status >= 500:  # noqa: PLR2004
        # §3.5: no answer means asking less often, by doubling.
        waiting = replace(state, interval=min(state.interval * 2, max(LONGEST_INTERVAL, state.interval)))
    else:
        return _refused(answer.body, "the identity provider refuses the sign-in")
    waiting = replace(waiting, next_at=now + waiting.interval)
    return _expired() if waiting.next_at >= state.expires_at else waiting


def tokens_or_failure(answer: Answer, now: float) -> SignedIn | Failed:
    """Tokens of a successful answer (RFC 6749 §5.1), or why there are none (§5.2)."""
    body = answer.body
    if answer.status != 200:  # noqa: PLR2004
        return _refused(body, "the identity provider gives no token")
    token = body.get("access_token")
    if not isinstance(token, str) or str(body.get("token_type", "bearer")).lower() != "bearer":
        return Failed("invalid_response", "the identity provider's answer holds no bearer token")
    try:
        lifetime = float(body.get("expires_in") or 60)
    except (TypeError, ValueError):
        lifetime = 60.0
    refresh = body.get("refresh_token")
    return SignedIn(Tokens(token, now + lifetime, refresh if isinstance(refresh, str) else None))


def _expired() -> Failed:
    return Failed("expired_token", "the code ran out before it was entered")


def _refused(body: dict[str, Any], otherwise: str) -> Failed:
    error = str(body.get("error") or "invalid_response")
    return Failed(error, str(body.get("error_description") or body.get("error") or otherwise))
