import itertools
import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.kube import Forbidden, Gone
from studio.kube.stream import decode_events


async def cut(data: bytes, places: list[int]) -> AsyncIterator[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    for start, end in itertools.pairwise(edges):
        yield data[start:end]


EVENTS = [{"type": "ADDED", "object": {"n": n, "text": "é" * n}} for n in range(5)]


@given(st.lists(st.integers(0, 1000), max_size=12))
async def test_events_survive_any_chunking(places: list[int]) -> None:
    data = b"".join(json.dumps(event, ensure_ascii=False).encode() + b"\n" for event in EVENTS)
    assert [manifest async for _, manifest in decode_events(cut(data, places))] == [e["object"] for e in EVENTS]


async def test_an_object_larger_than_any_buffer() -> None:
    data = json.dumps({"type": "ADDED", "object": {"text": "x" * 6_000_000}}).encode() + b"\n"
    chunks = (data[start : start + 65536] for start in range(0, len(data), 65536))

    async def source() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    assert [len(manifest["text"]) async for _, manifest in decode_events(source())] == [6_000_000]


async def test_a_torn_last_line_is_dropped() -> None:
    data = json.dumps(EVENTS[0]).encode() + b'\n{"type": "ADD'
    assert len([event async for event in decode_events(cut(data, []))]) == 1


@pytest.mark.parametrize(("code", "error"), [(410, Gone), (403, Forbidden)])
async def test_error_events_are_raised(code: int, error: type[Exception]) -> None:
    data = json.dumps({"type": "ERROR", "object": {"code": code, "reason": "Expired", "message": "too old"}}).encode()
    with pytest.raises(error):
        [event async for event in decode_events(cut(data + b"\n", []))]
