"""`python -m studio backend`."""

from contextlib import AsyncExitStack

import aiohttp
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from studio.auth.discovery import guarded_session
from studio.auth.keys import Keys, from_api_server
from studio.auth.oidc import OidcSettings, PeopleVerifier
from studio.auth.verification import Verifier
from studio.backend.access import Access
from studio.backend.app import build_app
from studio.backend.assistants import Assistants
from studio.backend.chat import Chat
from studio.backend.content.publications import Publications
from studio.backend.conversations.store import Conversations
from studio.backend.downloads import LateStore, Objects
from studio.backend.keeping import announce, forget_deleted
from studio.backend.live import Live
from studio.backend.model_service import ModelService
from studio.backend.services import Services
from studio.backend.settings import BackendSettings, ClientSettings
from studio.db.engine import EnginePool, open_engine
from studio.http.background import Background
from studio.http.health import Health
from studio.http.server import Server
from studio.kube import Kube
from studio.model_service.orchestrator_client import OrchestratorClient
from studio.settings import ProcessSettings

USER_AGENT = "studio-backend"
# A person waits for the answer: an orchestrator that is rolled out gets a moment, one that is gone is told at once.
PATIENCE = 3.0


def make_services(
    *,
    process: ProcessSettings,
    oidc: OidcSettings,
    clients: ClientSettings,
    engine: AsyncEngine,
    kube: Kube,
    store: Objects,
    model_service: ModelService,
    session: aiohttp.ClientSession,
) -> Services:
    """All services on their connections."""
    live = Live(kube, studio=process.studio, namespace=process.namespace)
    return Services(
        process=process,
        oidc=oidc,
        clients=clients,
        engine=engine,
        store=store,
        live=live,
        assistants=Assistants(kube, live, engine, studio=process.studio, namespace=process.namespace),
        publications=Publications(engine, kube, namespace=process.namespace),
        model_service=model_service,
        chat=Chat(session, engine, namespace=process.namespace),
        conversations=Conversations(engine, namespace=process.namespace),
    )


def health(services: Services) -> Health:
    """Ready is who can ask the database and knows the Assistants; what else is away is told by single answers."""

    async def check() -> None:
        async with services.engine.connect() as conn:
            await conn.execute(text("select 1"))
        if not services.live.synced:
            raise RuntimeError("the Assistants and the Studio are not known yet")

    return Health(EnginePool(services.engine), check)


def keep_going(background: Background, services: Services) -> None:
    """What goes on behind the requests."""
    background.run("assistants", services.live.assistants.follow)
    background.run("studio", services.live.studios.follow)
    background.run("announcements", lambda: announce(services.publications))
    background.run("deletions", lambda: forget_deleted(services.live, services.publications))


async def run(settings: BackendSettings) -> None:
    """Serve until a signal."""
    process = settings.process
    async with AsyncExitStack() as stack:
        kube = await Kube.connect(user_agent=USER_AGENT)
        stack.push_async_callback(kube.close)
        engine = await stack.enter_async_context(open_engine(settings.database, application_name="backend"))
        keys_session = await stack.enter_async_context(guarded_session())
        session = await stack.enter_async_context(aiohttp.ClientSession())
        orchestrators = [
            await stack.enter_async_context(
                OrchestratorClient(url, settings.model_service.token_file, patience=PATIENCE)
            )
            for url in (settings.model_service.training_url, settings.model_service.running_url)
        ]
        services = make_services(
            process=process, oidc=settings.oidc, clients=settings.clients, engine=engine, kube=kube,
            store=LateStore(settings.storage), model_service=ModelService(*orchestrators), session=session,
        )  # fmt: skip
        access = Access(
            people=PeopleVerifier.of(settings.oidc, keys_session),
            services=Verifier(Keys(from_api_server(kube.raw_get))),
            operator=settings.auth.operator,
        )
        background = await stack.enter_async_context(Background())
        keep_going(background, services)
        await Server(build_app(services, access, health(services)), port=process.port).serve()


async def main() -> int:
    """Entry of the process; its exit code."""
    await run(BackendSettings.from_env())
    return 0
