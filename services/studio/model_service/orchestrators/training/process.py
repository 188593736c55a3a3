"""`python -m studio training-orchestrator`."""

from contextlib import AsyncExitStack

from fastapi import FastAPI

from studio.kube import Kube
from studio.model_service.orchestrators import garbage, registry
from studio.model_service.orchestrators.changes import ChangeStream
from studio.model_service.orchestrators.http import Access, Health, Server, create_app
from studio.model_service.orchestrators.live_log import LiveLog
from studio.model_service.orchestrators.orchestrator import (
    Background,
    Connections,
    access,
    connections,
    every,
    listening,
)
from studio.model_service.orchestrators.training.routes import routes
from studio.model_service.orchestrators.training.service import TrainingService
from studio.model_service.queue import CHANGES_CHANNEL
from studio.settings import ProcessSettings, TrainingOrchestratorSettings
from studio.storage.port import ObjectStore
from studio.storage.s3 import S3Store

TIDY_SECONDS = 60.0
KINDS = frozenset({"training", "model"})


def build(
    made: Connections, store: ObjectStore, access: Access, process: ProcessSettings, kube: Kube | None = None
) -> tuple[FastAPI, TrainingService, ChangeStream]:
    """The app and what works behind it."""

    async def check() -> None:
        await made.pool.fetchval("select 1")
        await store.ensure_bucket()

    service = TrainingService(made.pool, store, studio=process.studio, namespace=process.namespace)
    changes = ChangeStream(KINDS, everybody=lambda: registry.names(made.pool))
    app = create_app(
        title="Training orchestrator", version=process.version, access=access, health=Health(made.pool, check)
    )
    app.include_router(routes(service, changes, LiveLog(kube, namespace=process.namespace)))
    return app, service, changes


async def run(settings: TrainingOrchestratorSettings) -> None:
    """Serve until a signal."""
    async with AsyncExitStack() as stack:
        kube = None
        if settings.auth.jwks_file is None:
            kube = await Kube.connect(user_agent="studio-training-orchestrator")
            stack.push_async_callback(kube.close)
        made = await stack.enter_async_context(connections(settings.database, application_name="training-orchestrator"))
        store = S3Store.open(settings.storage)
        app, service, changes = build(
            made, store, access("training", settings.process, settings.auth, kube), settings.process, kube
        )
        listener = await listening(stack, made, CHANGES_CHANNEL)
        background = await stack.enter_async_context(Background())
        background.run("changes", lambda: changes.follow(listener))
        background.run("garbage", lambda: garbage.keep_sweeping(made.pool, store))
        background.run("tidy", every(TIDY_SECONDS, service.tidy))
        await Server(app, port=settings.process.port).serve()


async def main() -> int:
    """Entry of the process; its exit code."""
    await run(TrainingOrchestratorSettings.from_env())
    return 0
