"""The tasks of a process beside its server."""

import asyncio
import time

import pytest
from tests.support.patience import STUCK_SECONDS

from studio.http import background as module
from studio.http.background import Background


async def test_a_task_that_fails_begins_again() -> None:
    times = 0
    again = asyncio.Event()

    async def work() -> None:
        nonlocal times
        times += 1
        if times == 2:
            again.set()
            await asyncio.sleep(3600)
        raise RuntimeError("no")

    async with asyncio.timeout(STUCK_SECONDS), Background(pause=0.0) as background:
        background.run("work", work)
        await again.wait()


async def test_the_end_does_not_wait_for_a_database_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.05)
    begun, gone = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            await gone.wait()

    began = time.monotonic()
    async with Background() as background:
        background.run("work", work)
        await begun.wait()
    assert time.monotonic() - began < 5
    gone.set()
