"""Server-sent events and the subscriptions behind them."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from studio.http import streams
from studio.http.subscriptions import Subscriptions


async def numbers(*items: int, failing: bool = False, endless: bool = False) -> AsyncIterator[int]:
    for item in items:
        yield item
    if failing:
        raise ConnectionError("broken")
    if endless:
        await asyncio.Event().wait()


async def test_pieces_come_as_they_are_until_they_end() -> None:
    closing = asyncio.Event()
    assert [piece async for piece in streams.with_heartbeats(numbers(1, 2, 3), closing)] == [1, 2, 3]


async def test_a_silent_stream_beats() -> None:
    pieces = streams.with_heartbeats(numbers(1, endless=True), asyncio.Event(), seconds=0.01)
    assert [await anext(pieces) for _ in range(3)] == [1, None, None]


async def test_an_error_comes_through() -> None:
    pieces = streams.with_heartbeats(numbers(1, failing=True), asyncio.Event())
    assert await anext(pieces) == 1
    with pytest.raises(ConnectionError):
        await anext(pieces)


async def test_the_end_of_the_process_ends_a_stream() -> None:
    closing = asyncio.Event()
    pieces = streams.with_heartbeats(numbers(1, endless=True), closing)
    assert await anext(pieces) == 1
    closing.set()
    assert [piece async for piece in pieces] == []


async def test_no_stream_lives_for_ever() -> None:
    pieces = streams.limited(numbers(1, 2, endless=True), asyncio.Event(), seconds=0.0)
    assert [piece async for piece in pieces] == [1]


def test_the_form_of_events() -> None:
    assert streams.event("{}", name="line", id="1.2") == "id: 1.2\nevent: line\ndata: {}\n\n"
    assert streams.event(streams.json_of({"line": "a\nb\r\u2028ü"})).count("\n") == 2


async def test_changes_are_coalesced_for_each_subscriber() -> None:
    everybody, closing = Subscriptions(), asyncio.Event()
    with everybody.subscribe() as one, everybody.subscribe() as two:
        everybody.spread(["a", "b", "a"])
        assert await one.wait(1, closing) == ["a", "b"]
        everybody.spread(["c"])
        assert await one.wait(1, closing) == ["c"]
        assert await two.wait(1, closing) == ["a", "b", "c"]
        assert await two.wait(0, closing) == []
