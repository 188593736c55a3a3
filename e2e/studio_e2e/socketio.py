"""A Socket.IO client as a web page has one, as far as one conversation needs it: over a WebSocket and nothing else.

Engine.IO 4 and Socket.IO 5: https://socket.io/docs/v4/engine-io-protocol/, https://socket.io/docs/v4/socket-io-protocol/
"""

import asyncio
import json
from typing import Any

import aiohttp

Json = dict[str, Any]

SECONDS = 30.0
_OPEN, _PING, _PONG, _CONNECT, _EVENT = "0", "2", "3", "40", "42"


class Refused(Exception):
    """The handshake was answered with a status instead of a WebSocket."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the WebSocket was refused with {status}")
        self.status = status


def converse(url: str, messages: list[str], *, site: str = "") -> list[str]:
    """Say something in a new session; the text of the first answer to each. Raises Refused.

    `url` ends with `/socket.io/`; `site` is the web site whose page it is.
    """
    return asyncio.run(_converse(url, messages, {"Origin": site} if site else {}))


async def _converse(url: str, messages: list[str], headers: dict[str, str]) -> list[str]:
    address = f"{url}?EIO=4&transport=websocket"
    try:
        async with (
            asyncio.timeout(SECONDS),
            aiohttp.ClientSession() as session,
            session.ws_connect(address, headers=headers) as socket,
        ):
            return await _talk(socket, messages)
    except aiohttp.WSServerHandshakeError as refusal:
        raise Refused(refusal.status) from None


async def _talk(socket: "aiohttp.ClientWebSocketResponse[Any]", messages: list[str]) -> list[str]:
    await _next(socket, _OPEN)
    await socket.send_str(_CONNECT)
    await _next(socket, _CONNECT)
    await _emit(socket, "session_request", {})
    session = await _event(socket, "session_confirm")
    name = session if isinstance(session, str) else session["session_id"]
    answers = []
    for message in messages:
        await _emit(socket, "user_uttered", {"message": message, "session_id": name})
        answers.append(str((await _event(socket, "bot_uttered"))["text"]))
    return answers


async def _emit(socket: "aiohttp.ClientWebSocketResponse[Any]", event: str, data: Json) -> None:
    await socket.send_str(_EVENT + json.dumps([event, data]))


async def _event(socket: "aiohttp.ClientWebSocketResponse[Any]", wanted: str) -> Any:
    while True:
        event, *data = json.loads(await _next(socket, _EVENT))
        if event == wanted:
            return data[0]


async def _next(socket: "aiohttp.ClientWebSocketResponse[Any]", kind: str) -> str:
    """What follows the kind in the next packet of that kind; pings are answered."""
    while True:
        packet = await socket.receive_str()
        if packet == _PING:
            await socket.send_str(_PONG)
        elif packet.startswith(kind):
            return packet.removeprefix(kind)
