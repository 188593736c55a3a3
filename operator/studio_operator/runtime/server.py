"""The operator's own small HTTP server: /healthz, /readyz, /metrics."""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


async def serve(
    port: int, *, complaints: Callable[[], list[str]], unready: Callable[[], list[str]], host: str = ""
) -> web.AppRunner:
    """Start the server on all addresses (port 0: any free one); stop it by the runner's `cleanup`.

    /healthz and /readyz answer 503 with the complaints, one per line, or 200.
    """

    async def healthz(_: web.Request) -> web.Response:
        return _verdict(complaints())

    async def readyz(_: web.Request) -> web.Response:
        return _verdict(unready())

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=2)
    await runner.setup()
    await web.TCPSite(runner, host or None, port).start()
    return runner


def _verdict(complaints: list[str]) -> web.Response:
    return web.Response(text="".join(f"{line}\n" for line in complaints or ["ok"]), status=503 if complaints else 200)
