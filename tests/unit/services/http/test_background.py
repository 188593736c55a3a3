"""The tasks of a process beside its server."""

import asyncio
import time

import pytest
from structlog.testing import capture_logs
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


@pytest.mark.parametrize(("error", "level"), [(TimeoutError(), "warning"), (RuntimeError("no"), "error")], ids=repr)
async def test_only_what_is_not_expected_is_told_as_a_failure(error: Exception, level: str) -> None:
    failed = asyncio.Event()

    async def work() -> None:
        failed.set()
        raise error

    with capture_logs() as told:
        async with asyncio.timeout(STUCK_SECONDS), Background(pause=3600.0) as background:
            background.run("work", work)
            await failed.wait()
    assert [(line["log_level"], line["task"]) for line in told] == [(level, "work")]


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
