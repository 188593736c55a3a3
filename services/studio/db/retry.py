"""Which database errors pass by themselves, and the retry of transactions that met one."""

from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

import asyncpg
from tenacity import retry, retry_if_exception, stop_after_delay, wait_random_exponential

P = ParamSpec("P")
T = TypeVar("T")

# asyncpg reports a closed connection as InterfaceError, also for misuse, and one that breaks between two messages as
# InternalClientError; misuse ends after the time limit.
_TRANSIENT = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    OSError,
    TimeoutError,
)


def is_transient(error: BaseException) -> bool:
    """Whether the same transaction may succeed a moment later: the server restarts, the network fails, a deadlock."""
    return isinstance(error, _TRANSIENT)


def retry_transient(transaction: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Repeat an idempotent transaction on transient errors for up to 10 s, then raise the last error."""
    return retry(
        retry=retry_if_exception(is_transient),
        wait=wait_random_exponential(multiplier=0.1, max=2),
        stop=stop_after_delay(10),
        reraise=True,
    )(transaction)
