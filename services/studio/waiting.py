"""Waiting for an event without losing a cancellation."""

import asyncio
import contextlib


async def wait_at_most(event: asyncio.Event, seconds: float) -> None:
    """Until `event` is set, at most `seconds`.

    Not `asyncio.wait_for`: that of Python 3.11 loses a cancellation that arrives together with the event
    (https://github.com/python/cpython/issues/86296), and then SIGTERM would not end a process.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(seconds, 0.0)):
            await event.wait()
