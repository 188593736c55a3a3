"""The back end on a real database, with real orchestrators, a cluster and a store in memory, and a fake engine."""

import functools
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import aiohttp
import asyncpg
import pytest
from aiohttp import web
from tests.fakes.kube import FakeKube
from tests.fakes.storage import FakeStore
from tests.support.serving import Client, serving
from tests.support.tokens import TokenMaker
from tests.unit.services.backend.stage import OIDC, OPERATOR, PROCESS, People, Stage, access

from studio.auth.keys import Issuer, Keys
from studio.auth.verification import Verifier
from studio.backend.app import build_app
from studio.backend.model_service import ModelService
from studio.backend.process import health, keep_going, make_services
from studio.backend.settings import ClientSettings
from studio.db import pool
from studio.db.engine import open_engine
from studio.http.background import Background
from studio.model_service.items import Kind
from studio.model_service.orchestrator_client import OrchestratorClient
from studio.model_service.orchestrators.http import Access as OrchestratorAccess
from studio.model_service.orchestrators.orchestrator import Connections
from studio.model_service.orchestrators.roles import Roles
from studio.model_service.orchestrators.running.process import build as build_running
from studio.model_service.orchestrators.training.process import build as build_training
from studio.model_service.queue import CHANGES_CHANNEL
from studio.settings import DatabaseSettings

CLIENTS = ClientSettings("https://studio.example.com", "studio-web", "studio-cli")


@pytest.fixture(scope="session")
def service_tokens() -> TokenMaker:
    return TokenMaker()


@pytest.fixture(scope="session")
def people_tokens() -> TokenMaker:
    return TokenMaker()


class Engine:
    """An engine behind every host name: what it was told, and what it answers."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.answer: Any = [{"recipient_id": "x", "text": "Hello!", "buttons": [{"title": "Hi", "payload": "/greet"}]}]
        self.status = 200

    async def listen(self, request: web.Request) -> web.Response:
        self.heard.append((request.headers["Host"], await request.json()))
        return web.Response(text=json.dumps(self.answer), status=self.status, content_type="application/json")


@pytest.fixture
async def engine_session(tmp_path: Path) -> AsyncIterator[tuple[Engine, aiohttp.ClientSession]]:
    """A session whose every connection ends at the fake engine."""
    engine = Engine()
    app = web.Application()
    app.router.add_post("/webhooks/rest/webhook", engine.listen)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "engine")).start()
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(tmp_path / "engine"))) as session:
        yield engine, session
    await runner.cleanup()


@asynccontextmanager
async def orchestrators(
    made: Connections, store: FakeStore, kube: FakeKube, tokens: TokenMaker, token_file: Path
) -> AsyncIterator[tuple[ModelService, str]]:
    async def source() -> Issuer:
        return tokens.issuer

    def allowed(kind: Kind) -> OrchestratorAccess:
        return OrchestratorAccess(
            Verifier(Keys(source)), Roles.of(kind, studio="studio", namespace="ns", operator=OPERATOR)
        )

    training, _, of_trainings = build_training(made, store, allowed("training"), PROCESS, kube)
    # Nobody asks it for conversations.
    running, of_runs = build_running(made, store, cast("Any", None), allowed("run"), PROCESS, kube=kube)
    async with AsyncExitStack() as stack:
        background = await stack.enter_async_context(Background())
        for changes in (of_trainings, of_runs):
            listener = await stack.enter_async_context(made.listener(CHANGES_CHANNEL))
            background.run("changes", functools.partial(changes.follow, listener))
        urls = [await stack.enter_async_context(serving(app)) for app in (training, running)]
        clients = [await stack.enter_async_context(OrchestratorClient(url, token_file, patience=0.1)) for url in urls]
        yield ModelService(*clients), urls[0]


@pytest.fixture
async def stage(  # noqa: PLR0917 (fixtures)
    studio_database: DatabaseSettings,
    studio_pool: asyncpg.Pool,
    service_tokens: TokenMaker,
    people_tokens: TokenMaker,
    engine_session: tuple[Engine, aiohttp.ClientSession],
    tmp_path: Path,
) -> AsyncIterator[Stage]:
    kube, store = FakeKube(), FakeStore()
    made = Connections(studio_pool, functools.partial(pool.connect, studio_database, application_name="test"))
    (tmp_path / "token").write_text(service_tokens.token("system:serviceaccount:ns:studio-backend"))
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(open_engine(studio_database, application_name="backend"))
        model_service, training_url = await stack.enter_async_context(
            orchestrators(made, store, kube, service_tokens, tmp_path / "token")
        )
        services = make_services(
            process=PROCESS, oidc=OIDC, clients=CLIENTS,
            engine=engine, kube=kube, store=store, model_service=model_service, session=engine_session[1],
        )  # fmt: skip
        background = await stack.enter_async_context(Background())
        keep_going(background, services)
        app = build_app(services, access(people_tokens, service_tokens), health(services))
        base = await stack.enter_async_context(serving(app))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        await services.live.assistants.listed.wait()
        await services.live.studios.listed.wait()
        yield Stage(
            app=app, base=base, services=services, kube=kube, store=store, people=People(people_tokens),
            tokens=service_tokens, session=session, pool=studio_pool,
            training=Client(session, training_url, service_tokens.token(OPERATOR)),
        )  # fmt: skip
