"""Repeating a whole exchange, tickets included: a presigned URL may have expired or its store may be away."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential
from tenacity.stop import stop_base

from studio.contract.model_service import TicketRequest
from studio.model_service.helper.transfer import ObjectGone, TransferError, WrongDigest

log = structlog.get_logger(__name__)

_LONGEST_PAUSE = 15.0
# Damage on the way happens once; the same wrong bytes three times are the stored ones.
_WRONG_DIGESTS = 3
T = TypeVar("T")


class _Patience(stop_base):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._wrong = 0

    def __call__(self, retry_state: RetryCallState) -> bool:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        self._wrong += isinstance(error, WrongDigest)
        return self._wrong >= _WRONG_DIGESTS or (retry_state.seconds_since_start or 0) >= self._seconds


async def with_fresh_tickets(
    exchange: Callable[[TicketRequest], Awaitable[T]], *, patience: float, first_pause: float = 0.5
) -> T:
    """The result of `exchange`, repeated on TransferError with back-off and jitter for `patience` seconds.

    It is given what to say when it asks for its ticket: whether the object was missing where an earlier one said.
    """
    request = TicketRequest()

    async def once() -> T:
        nonlocal request
        try:
            return await exchange(request)
        except ObjectGone:
            request = TicketRequest(missing=True)
            raise

    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning("the transfer failed, trying again", error=str(error))

    retrying = AsyncRetrying(
        retry=retry_if_exception(lambda error: isinstance(error, TransferError)),
        wait=wait_random_exponential(multiplier=first_pause, max=_LONGEST_PAUSE),
        stop=_Patience(patience),
        before_sleep=tell,
        reraise=True,
    )
    return await retrying(once)
