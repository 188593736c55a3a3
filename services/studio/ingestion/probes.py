"""GET /healthz (the loops turn), /readyz (database and group), /metrics."""

from collections.abc import Callable

import asyncpg
from aiohttp import web
from prometheus_client import generate_latest


def application(alive: Callable[[], str | None], joined: Callable[[], bool], pool: asyncpg.Pool) -> web.Application:
    """`alive` says what is stuck, None: nothing; `joined` whether Kafka has let this process into the group."""

    async def healthz(_: web.Request) -> web.Response:
        problem = alive()
        return web.Response(status=503, text=f"{problem}\n") if problem else web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        if not joined():
            return web.Response(status=503, text="not in the consumer group yet: is Kafka reachable?\n")
        try:
            await pool.fetchval("select 1", timeout=2)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            return web.Response(status=503, text=f"the database does not answer: {error}\n")
        return web.Response(text="ok\n")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), content_type="text/plain")

    served = web.Application()
    served.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    return served
