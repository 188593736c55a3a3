"""`python -m studio running-orchestrator`."""

from contextlib import AsyncExitStack

import asyncpg
from fastapi import FastAPI

from studio.events.engines import engine_login
from studio.kube import Kube
from studio.model_service.orchestrators import registry
from studio.model_service.orchestrators.changes import ChangeStream
from studio.model_service.orchestrators.http import Access, Health, Server, create_app
from studio.model_service.orchestrators.live_log import LiveLog
from studio.model_service.orchestrators.orchestrator import Background, Connections, access, connections, listening
from studio.model_service.orchestrators.running.front import Front
from studio.model_service.orchestrators.running.loop import WORKERS, Loop
from studio.model_service.orchestrators.running.reconciler import Reconciler
from studio.model_service.orchestrators.running.routes import routes
from studio.model_service.orchestrators.running.service import RunningService
from studio.model_service.orchestrators.running.service_watch import ServiceWatch
from studio.model_service.orchestrators.running.trackers import Trackers
from studio.model_service.orchestrators.running.warmer import Warmer
from studio.model_service.queue import CHANGES_CHANNEL
from studio.settings import EngineEventsSettings, ProcessSettings, RunningOrchestratorSettings
from studio.storage.port import ObjectStore
from studio.storage.s3 import S3Store

KINDS = frozenset({"run"})


def build(
    made: Connections,
    store: ObjectStore,
    trackers: Trackers,
    access: Access,
    process: ProcessSettings,
    *,
    events: EngineEventsSettings | None = None,
    kube: Kube | None = None,
) -> tuple[FastAPI, ChangeStream]:
    """The app and its change stream; `kube` None: no logs of runs that have not ended."""

    async def check() -> None:
        await made.pool.fetchval("select 1")
        await store.ensure_bucket()

    service = RunningService(
        made.pool, store, trackers, studio=process.studio, namespace=process.namespace, events=events
    )
    changes = ChangeStream(KINDS, everybody=lambda: registry.names(made.pool))
    app = create_app(
        title="Running orchestrator", version=process.version, access=access, health=Health(made.pool, check)
    )
    app.include_router(routes(service, changes, LiveLog(kube, namespace=process.namespace)))
    return app, changes


def reconciling(pool: asyncpg.Pool, kube: Kube, trackers: Trackers, process: ProcessSettings) -> Loop:
    """The loop that does what the app only remembers."""
    reconciler = Reconciler(pool, Front(kube, version=process.version), trackers)

    async def uids_of(name: str | None) -> list[str]:
        rows = await pool.fetch(
            "select uid from assistants where removed_at is null and ($1::text is null or name = $1)", name
        )
        return [row["uid"] for row in rows]

    return Loop(reconciler.reconcile, uids_of=uids_of)


async def run(settings: RunningOrchestratorSettings) -> None:
    """Serve and reconcile until a signal. Raises SettingsError for a login of the engines that lacks a file."""
    if settings.events:
        engine_login(settings.events)
    async with AsyncExitStack() as stack:
        kube = await Kube.connect(user_agent="studio-running-orchestrator")
        stack.push_async_callback(kube.close)
        made = await stack.enter_async_context(connections(settings.database, application_name="running-orchestrator"))
        trackers = Trackers(settings.trackers)
        issuer = kube if settings.auth.jwks_file is None else None
        app, changes = build(
            made,
            S3Store.open(settings.storage),
            trackers,
            access("run", settings.process, settings.auth, issuer),
            settings.process,
            events=settings.events,
            kube=kube,
        )
        loop = reconciling(made.pool, kube, trackers, settings.process)
        to_changes = await listening(stack, made, CHANGES_CHANNEL)
        to_loop = await listening(stack, made, CHANGES_CHANNEL)
        to_warmer = await listening(stack, made, CHANGES_CHANNEL)
        background = await stack.enter_async_context(Background())
        background.run("changes", lambda: changes.follow(to_changes))
        background.run("follow", lambda: loop.follow(to_loop))
        background.run("slow pass", loop.add_all)
        services = ServiceWatch(
            kube, namespace=settings.process.namespace, studio=settings.process.studio, changed=loop.add
        )
        background.run("services", services.follow)
        background.run("warming", lambda: Warmer(made.pool).follow(to_warmer))
        for number in range(WORKERS):
            background.run(f"worker {number}", loop.work)
        await Server(app, port=settings.process.port).serve()


async def main() -> int:
    """Entry of the process; its exit code."""
    await run(RunningOrchestratorSettings.from_env())
    return 0
