"""Waiting, and being told to stop at the same moment."""

import asyncio

import pytest

from studio.waiting import wait_at_most


async def test_it_ends_with_the_event_or_the_time() -> None:
    event = asyncio.Event()
    await wait_at_most(event, 0.01)
    await wait_at_most(event, -1)
    event.set()
    await wait_at_most(event, 3600)


async def test_a_cancellation_that_comes_with_the_event_is_not_lost() -> None:
    event = asyncio.Event()
    task = asyncio.create_task(wait_at_most(event, 3600))
    await asyncio.sleep(0)
    event.set()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
