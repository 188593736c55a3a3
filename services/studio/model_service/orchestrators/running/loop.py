"""Which assistants to look at next: those that changed, at once; all of them, now and then."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog
from prometheus_client import Counter, Histogram

from studio.db.listening import Listener
from studio.db.retry import is_transient
from studio.kube import KubeError
from studio.model_service.orchestrators.running.front import Overtaken

log = structlog.get_logger(__name__)

WORKERS = 2
SLOW_PASS_SECONDS = 30.0
LONGEST_PAUSE = 30.0

PASSES = Counter("studio_run_passes_total", "Passes over an assistant by outcome.", ["outcome"])
SECONDS = Histogram("studio_run_pass_seconds", "Duration of a pass over an assistant.")


class Loop:
    """A queue of uids: each at most once, never two passes of one at the same time, failures paced."""

    def __init__(
        self,
        reconcile: Callable[[str], Awaitable[float | None]],
        *,
        uids_of: Callable[[str | None], Awaitable[list[str]]],
        slow_pass: float = SLOW_PASS_SECONDS,
    ) -> None:
        """`reconcile` may say after how many seconds to look again.

        `uids_of(name)` gives the uids that have, or had, a name and are not gone; None: all of them.
        """
        self._reconcile = reconcile
        self._uids_of = uids_of
        self._slow_pass = slow_pass
        self._waiting: dict[str, None] = {}
        self._busy: set[str] = set()
        self._failures: dict[str, int] = {}
        self._wake = asyncio.Event()

    def add(self, uid: str) -> None:
        """Look at an assistant soon."""
        self._waiting[uid] = None
        self._wake.set()

    async def follow(self, listener: Listener) -> None:
        """Add what the notifications of `studio_changes` name, and all after a gap in them."""
        while True:
            for note in await listener.wait(60):
                name = note.payload.partition(":")[2] if note.channel else None
                for uid in await self._uids_of(name):
                    self.add(uid)

    async def add_all(self) -> None:
        """Add every assistant each `slow_pass` seconds: notifications are hints only."""
        while True:
            for uid in await self._uids_of(None):
                self.add(uid)
            await asyncio.sleep(self._slow_pass)

    async def work(self) -> None:
        """One worker."""
        while True:
            uid = next((uid for uid in self._waiting if uid not in self._busy), None)
            if uid is None:
                self._wake.clear()
                await self._wake.wait()
                continue
            del self._waiting[uid]
            self._busy.add(uid)
            try:
                await self._once(uid)
            finally:
                self._busy.discard(uid)
                self._wake.set()

    async def _once(self, uid: str) -> None:
        try:
            with SECONDS.time():
                again = await self._reconcile(uid)
        except Exception as error:  # noqa: BLE001 - pause_after tells of it
            failures = self._failures[uid] = self._failures.get(uid, 0) + 1
            expected = isinstance(error, KubeError | Overtaken) or is_transient(error)
            PASSES.labels("retry" if expected else "error").inc()
            pause = pause_after(error, failures, expected=expected, what="a pass failed, it is repeated", uid=uid)
            asyncio.get_running_loop().call_later(pause, self.add, uid)
        else:
            PASSES.labels("ok").inc()
            self._failures.pop(uid, None)
            if again is not None:
                asyncio.get_running_loop().call_later(again, self.add, uid)


def pause_after(error: Exception, failures: int, *, expected: bool, what: str, **told: str) -> float:
    """Tell of an attempt that failed, `failures` times in a row by now; gives the seconds until the next one."""
    pause = random.uniform(0.5, 1.0) * min(0.2 * 2.0**failures, LONGEST_PAUSE)  # noqa: S311
    log.log(
        30 if expected else 40, what, pause=round(pause, 1), error=f"{type(error).__name__}: {error}",
        exc_info=None if expected else error, **told,
    )  # fmt: skip
    return pause
