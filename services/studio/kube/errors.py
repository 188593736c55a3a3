"""What the API server's refusals mean. Nothing outside `studio.kube` sees an exception of the client library."""

from collections.abc import Mapping
from typing import Any

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/


class KubeError(Exception):
    """The API server said no, or could not be asked: HTTP `status` (0: no answer), machine `reason`, and `message`."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        return f"{self.reason} ({self.status}): {self.message}"


class NotFound(KubeError):
    """404: no such object, or no such kind."""


class AlreadyExists(KubeError):
    """409 on create: an object of that name is there."""


class Conflict(KubeError):
    """409: the resourceVersion or uid is not the expected one, or another field manager owns a field."""


class Forbidden(KubeError):
    """401 or 403: not allowed, over quota, or the namespace is being deleted."""


class Invalid(KubeError):
    """400 or 422: the object breaks its schema or a rule."""


class TooManyRequests(KubeError):
    """429: the server sheds load; `retry_after` is in seconds."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float = 1.0) -> None:
        super().__init__(status, reason, message)
        self.retry_after = retry_after


class Gone(KubeError):
    """410: the resourceVersion or the continue token is too old: list again."""


class Unavailable(KubeError):
    """5xx, a time-out, or a broken connection: the request may or may not have been carried out."""


_BY_STATUS: dict[int, type[KubeError]] = {
    400: Invalid,
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    413: Invalid,
    422: Invalid,
    429: TooManyRequests,
}


def from_status(status: int, body: Mapping[str, Any], *, retry_after: float | None = None) -> KubeError:
    """The error for an HTTP `status` and the Status object in its body (which may be empty)."""
    told = str(body.get("reason") or "")
    # Admission webhooks may put whole sentences there; a reason is a word for programs, events and conditions.
    reason = told if told.isidentifier() else _fallback_reason(status)
    message = str(body.get("message") or f"the API server answered {status}")
    if status == 429:  # noqa: PLR2004 the one code with an argument of its own
        return TooManyRequests(status, reason, message, 1.0 if retry_after is None else retry_after)
    if reason == "AlreadyExists":
        return AlreadyExists(status, reason, message)
    if status >= 500:  # noqa: PLR2004
        return Unavailable(status, reason, message)
    return _BY_STATUS.get(status, KubeError)(status, reason, message)


def _fallback_reason(status: int) -> str:
    known = _BY_STATUS.get(status)
    return known.__name__ if known else "InternalError"
