"""A name server for tests: any name has an address on this machine."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

_ADDRESS, _INTERNET, _TTL_SECONDS = 1, 1, 1


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self, address_of: Callable[[str], str]) -> None:
        self._address_of = address_of
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        self._transport.sendto(_answer(data, self._address_of), addr)


def _answer(query: bytes, address_of: Callable[[str], str]) -> bytes:
    """The answer to a question for an address. https://www.rfc-editor.org/rfc/rfc1035#section-4.1."""
    labels, place = [], 12
    while length := query[place]:
        labels.append(query[place + 1 : place + 1 + length].decode())
        place += length + 1
    question, kind = query[12 : place + 5], int.from_bytes(query[place + 1 : place + 3])
    answers = []
    if kind == _ADDRESS:
        fixed = b"\xc0\x0c" + _ADDRESS.to_bytes(2) + _INTERNET.to_bytes(2) + _TTL_SECONDS.to_bytes(4) + (4).to_bytes(2)
        answers = [fixed + socket.inet_aton(address_of(".".join(labels)))]
    counts = (1).to_bytes(2) + len(answers).to_bytes(2) + bytes(4)
    return query[:2] + b"\x81\x80" + counts + question + b"".join(answers)


@asynccontextmanager
async def name_server(address_of: Callable[[str], str]) -> AsyncIterator[int]:
    """Serve on a port of 127.0.0.1, which is given, until the end."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Protocol(address_of), local_addr=("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()
