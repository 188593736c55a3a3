"""The entry proxy as it is shipped, in front of upstreams that tell what reached them."""

import asyncio
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web
from tests.support.names import name_server
from tests.support.patience import STUCK_SECONDS
from tests.support.ports import free_port

IMAGE = Path(__file__).parents[4] / "images" / "entry-proxy"
ADDRESSES = {"studio-web-client": "127.0.0.11", "studio-backend": "127.0.0.12", "studio-keycloak": "127.0.0.13"}
ASSISTANTS = "127.0.0.14"


@dataclass
class Answer:
    """What came back; `reached` is what the upstream saw, if one was reached."""

    status: int
    headers: dict[str, list[str]]
    body: bytes

    @property
    def reached(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told

    def header(self, name: str) -> str | None:
        values = self.headers.get(name.lower(), [])
        assert len(values) < 2, f"{name} twice: {values}"
        return values[0] if values else None


@dataclass
class Proxy:
    """A running nginx."""

    port: int
    folder: Path
    answers_with: dict[str, str] = field(default_factory=dict)

    async def ask(
        self, target: str, method: str = "GET", headers: dict[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Send a request target as it is: no client would leave dots and doubled slashes alone."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        lines = {"Host": "evil.example.com", "Connection": "close", "Content-Length": str(len(body))} | (headers or {})
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        try:
            writer.write(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + body)
            return _parsed(await asyncio.wait_for(reader.read(), STUCK_SECONDS))
        finally:
            writer.close()
            await writer.wait_closed()

    def log(self) -> list[dict[str, Any]]:
        """The lines of the access log."""
        return [json.loads(line) for line in (self.folder / "access.log").read_text().splitlines()]

    def forget_log(self) -> None:
        """Begin anew; nginx appends."""
        (self.folder / "access.log").write_text("")

    def write(self, studio_conf: str) -> None:
        """Replace the mounted file, as the kubelet does."""
        fresh = self.folder / "studio" / "fresh"
        fresh.write_text(studio_conf)
        fresh.replace(self.folder / "studio" / "studio.conf")


def _parsed(raw: bytes) -> Answer:
    head, _, body = raw.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        headers.setdefault(name.lower(), []).append(value)
    if headers.get("transfer-encoding") == ["chunked"]:
        body = _joined(body)
    return Answer(int(status.split()[1]), headers, body)


def _joined(chunked: bytes) -> bytes:
    whole = b""
    while chunked:
        size, _, rest = chunked.partition(b"\r\n")
        whole, chunked = whole + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return whole


@asynccontextmanager
async def running(studio_conf: str, folder: Path) -> AsyncIterator[Proxy]:
    """The image's configuration and entrypoint on free ports of this machine; upstreams listen on 127.0.0.11 to 14."""
    proxy = Proxy(free_port(), folder)
    upstream = await _upstream(proxy)
    async with name_server(_address_of) as names:
        _prepare(proxy, studio_conf, upstream_port=upstream.addresses[0][1], names_port=names)
        process = await _start(folder)
        try:
            await _until_ready(proxy, process)
            yield proxy
        finally:
            process.send_signal(signal.SIGQUIT)
            await asyncio.wait_for(process.wait(), STUCK_SECONDS)
            await upstream.cleanup()


def _address_of(name: str) -> str:
    return ADDRESSES.get(name.split(".", maxsplit=1)[0], ASSISTANTS)


async def _upstream(proxy: Proxy) -> web.AppRunner:
    async def handle(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await _echo(request)
        assert request.transport is not None
        address, _ = request.transport.get_extra_info("sockname")
        reached = {
            "at": address,
            "method": request.method,
            "target": request.raw_path,
            "headers": {name.title(): value for name, value in request.headers.items()},
            "body": (await request.read()).decode(),
        }
        return web.json_response(reached, headers=proxy.answers_with)

    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    # All of 127.0.0.0/8: which address was used tells which name was looked up.
    await web.TCPSite(runner, "0.0.0.0", 0).start()
    return runner


async def _echo(request: web.Request) -> web.WebSocketResponse:
    response = web.WebSocketResponse()
    await response.prepare(request)
    async for message in response:
        if message.type is WSMsgType.TEXT:
            await response.send_str(f"echo {message.data}")
    return response


def _prepare(proxy: Proxy, studio_conf: str, *, upstream_port: int, names_port: int) -> None:
    """The files of the image below `folder`, with other ports and paths."""
    folder = proxy.folder
    (folder / "studio").mkdir()
    proxy.write(studio_conf)
    (folder / "resolv.conf").write_text(f"search bots.svc.test test\nnameserver 127.0.0.1:{names_port}\n")
    for name in ("nginx.conf", "forwarded.conf", "answer.conf", "talk.conf", "entrypoint"):
        text = (IMAGE / name).read_text()
        for old, new in (
            ("/etc/nginx/", f"{folder}/"),
            ("/etc/resolv.conf", f"{folder}/resolv.conf"),
            ("/tmp/proxy", f"{folder}/proxy"),
            ("/dev/stdout", f"{folder}/access.log"),
            ("$services:8080", f"$services:{upstream_port}"),
            ("$services:5005", f"$services:{upstream_port}"),
            ("listen 8080;", f"listen 127.0.0.1:{proxy.port};"),
            ("listen [::]:8080;", ""),
            # Root's workers would be somebody else, who may not look into this folder.
            ("daemon off;", f"daemon off;{' user root;' if os.getuid() == 0 else ''}"),
            # Of a name server with a port: the image's takes IPv6 for everything with a colon.
            ('index($2, ":") ? "[" $2 "]" : $2', "$2"),
            ("valid=5s", "valid=5s ipv6=off"),
        ):
            text = text.replace(old, new)
        (folder / name).write_text(text)
    (folder / "entrypoint").chmod(0o755)
    wrapper = folder / "nginx"
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("nginx")} -e stderr -c {folder}/nginx.conf "$@"\n')
    wrapper.chmod(0o755)


async def _start(folder: Path) -> asyncio.subprocess.Process:
    environment = os.environ | {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "STUDIO_FOLDER": f"{folder}/studio",
        "FOLLOW_SECONDS": "0.1",
    }
    with (folder / "error.log").open("wb") as errors:
        return await asyncio.create_subprocess_exec(
            f"{folder}/entrypoint", env=environment, stdout=errors, stderr=errors
        )


async def _until_ready(proxy: Proxy, process: asyncio.subprocess.Process) -> None:
    async def healthy() -> bool:
        assert process.returncode is None, (proxy.folder / "error.log").read_text()
        try:
            return (await proxy.ask("/healthz")).status == 200
        except OSError:
            return False

    await until(healthy)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something that happens in another process. Raises TimeoutError."""
    async with asyncio.timeout(STUCK_SECONDS):
        while not await condition():  # noqa: ASYNC110 - nginx has no events for us
            await asyncio.sleep(0.02)
