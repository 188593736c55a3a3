"""`python -m studio_operator`: configuration, logging, leadership, then kopf and the work queue until told to stop."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any

import kopf
import structlog

from studio.kube import Kube
from studio.logging import configure
from studio_operator.clients.backend import HttpContents
from studio_operator.clients.clock import SystemClock
from studio_operator.clients.cluster import KubeCluster
from studio_operator.clients.keycloak import KeycloakRealms
from studio_operator.clients.model_service import HttpModelService
from studio_operator.clients.studio_http import StudioHttp
from studio_operator.config import Config
from studio_operator.handlers.registry import build_registry
from studio_operator.handlers.settings import build_settings
from studio_operator.reconcile import Reconciler, Services
from studio_operator.reconcile import Settings as ReconcileSettings
from studio_operator.reconcile.identity import RealmSync
from studio_operator.runtime.core import Core
from studio_operator.runtime.events import EventRecorder
from studio_operator.runtime.gate import WriteGate
from studio_operator.runtime.lease import LeaderElection, LeaseLost
from studio_operator.runtime.server import serve
from studio_operator.runtime.watched import WATCHED

log = structlog.get_logger(__name__)

LEASE_NAME = "studio-operator"
API_SILENCE_SECONDS = 60.0
FAREWELL_SECONDS = 5.0


def main() -> None:
    """Exit code 0 after SIGTERM or SIGINT, 1 when leadership or a vital task is lost, 2 for a bad configuration."""
    try:
        config = Config.from_environment(os.environ)
    except ValueError as error:
        sys.stderr.write(f"studio-operator: {error}\n")
        sys.exit(2)
    configure(config.log_level, "operator")
    sys.exit(asyncio.run(run(config)))


async def run(config: Config) -> int:
    """Be one replica of the operator until it is told to stop or has to; returns the exit code."""
    stop = asyncio.Event()
    _stop_on_signals(stop)
    kube = await Kube.connect(user_agent=config.user_agent)
    gate = WriteGate()
    election = LeaderElection(
        kube, gate, namespace=config.operator_namespace, name=LEASE_NAME, identity=config.pod_name
    )
    http = StudioHttp(
        token_file=config.model_service_token_file,
        url_template=config.model_service_url_template,
        user_agent=config.user_agent,
    )
    model_service = HttpModelService(http)
    core = Core(
        kube,
        WATCHED,
        model_service.changes,
        namespaces=config.watch_namespaces,
        workers=config.workers,
        resync_seconds=config.resync_seconds,
    )
    reconciler = Reconciler(
        KubeCluster(kube, gate, core.stores, core.intake),
        Services(models=model_service, contents=HttpContents(http), identity=RealmSync(KeycloakRealms())),
        EventRecorder(kube, gate, instance=config.pod_name),
        SystemClock(),
        ReconcileSettings(
            version=config.version,
            images=config.images,
            operator_subject=config.subject,
            auto_create_studio=config.auto_create_studio,
        ),
        ask=core.queue.add,
    )
    core.reconcile_with(reconciler.reconcile)

    def unready() -> list[str]:
        # A follower is ready: it can take over, and a rolling update goes on without two leaders ever being needed.
        return core.unready() if gate.remaining > 0 else election.complaints(API_SILENCE_SECONDS)

    server = await serve(config.http_port, complaints=core.liveness.complaints, unready=unready)
    try:
        if not await _unless(stop, election.acquire()):
            return 0
        return await _lead(config, core, election, stop, reconciler)
    finally:
        await election.release()
        await server.cleanup()
        await http.close()
        await kube.close()


async def _lead(
    config: Config, core: Core, election: LeaderElection, stop: asyncio.Event, reconciler: Reconciler
) -> int:
    """Work until stopped (0), or until the lease or a vital task is lost (1): Kubernetes starts us anew."""
    core.liveness.lead()
    kopf_stop = asyncio.Event()
    vital = [
        asyncio.create_task(election.hold(), name="lease"),
        asyncio.create_task(core.run(), name="core"),
        asyncio.create_task(_watch(config, core, stop, kopf_stop), name="kopf"),
    ]
    stopping = asyncio.create_task(stop.wait(), name="stop")
    done, _ = await asyncio.wait([*vital, stopping], return_when=asyncio.FIRST_COMPLETED)
    for task in done - {stopping}:
        _tell_end(task)
    kopf_stop.set()
    for task in (vital[1], stopping):
        task.cancel()
    if done == {stopping}:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                await reconciler.farewell(config.own_namespaces)
    await asyncio.wait(vital[1:], timeout=10)
    for task in vital:
        task.cancel()
    await asyncio.gather(*vital, stopping, return_exceptions=True)
    return 0 if done == {stopping} else 1


async def _watch(config: Config, core: Core, stop: asyncio.Event, kopf_stop: asyncio.Event) -> None:
    """Run kopf once the stores are filled: its first lists are then no news."""
    await core.filled.wait()
    ready = asyncio.Event()
    watching = asyncio.create_task(
        kopf.operator(
            registry=build_registry(WATCHED, core.intake.observe, core.activity, user_agent=config.user_agent),
            settings=build_settings(WATCHED),
            standalone=True,
            clusterwide=not config.watch_namespaces,
            namespaces=config.watch_namespaces,
            ready_flag=ready,
            stop_flag=kopf_stop,
        ),
        name="kopf operator",
    )
    try:
        await asyncio.wait([watching, asyncio.create_task(ready.wait())], return_when=asyncio.FIRST_COMPLETED)
        # kopf has taken the signals; what must stop first is the queue, and the lease must be given back last.
        _stop_on_signals(stop)
        await watching
    finally:
        watching.cancel()


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Whether the work was done before the stop; it is cancelled otherwise."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        working.result()
        return True
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    return False


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


def _tell_end(task: asyncio.Task[Any]) -> None:
    error = None if task.cancelled() else task.exception()
    if isinstance(error, LeaseLost):
        log.error("leadership lost", error=str(error))
    else:
        log.error("a vital task ended", task=task.get_name(), exc_info=error)


if __name__ == "__main__":
    main()
