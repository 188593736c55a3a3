"""`run-helper`: beside the engine of a run. It prepares what the engine starts with, and says when it is ready."""

import asyncio
import contextlib
import secrets
import signal
import time
from pathlib import Path

import aiohttp
import structlog
from aiohttp import web
from prometheus_client import Gauge, generate_latest

from studio.contract import labels, names
from studio.contract.model_service import EngineTicket, ModelTicket, RunReport, RunTicket, TicketRequest
from studio.model_service.helper import trackers
from studio.model_service.helper.archive import UnsafeArchive, digest, model_members
from studio.model_service.helper.engine_client import EngineClient
from studio.model_service.helper.engine_files import BadCredentials, certificates, credentials, endpoints
from studio.model_service.helper.environment import FAILED, REFUSED, HelperSettings, report_failure
from studio.model_service.helper.retrying import with_fresh_tickets
from studio.model_service.helper.transfer import TransferError, WrongDigest, download, storage_session
from studio.model_service.jobs import scripts
from studio.model_service.jobs.run import HELPER_PORT
from studio.model_service.orchestrator_client import OrchestratorClient, OrchestratorError

log = structlog.get_logger(__name__)

READY = Gauge("studio_run_engine_ready", "1 while the engine has the intended model loaded.")
_ENGINE_URL = f"http://127.0.0.1:{labels.ENGINE_PORT}"
_CACHE_SECONDS = 1.0
_POLL_SECONDS = 1.0
_RECHECK_SECONDS = 60.0
# An engine that starts while its database is away keeps conversations in memory for good; later it recovers.
_TRACKER_PATIENCE = 30.0
# The kubelet starts this helper again, with growing pauses; but only at its end can it tell the consumer what is wrong.
PATIENCE = 120.0


class RunHelper:
    """The state of the helper: nothing, then prepared, then ready as long as the engine has the intended model."""

    def __init__(
        self,
        settings: HelperSettings,
        orchestrator: OrchestratorClient,
        session: aiohttp.ClientSession,
        *,
        folder: Path = Path(scripts.RUN_FOLDER),
        channels: Path = Path(scripts.CHANNELS_FILE),
        engine_url: str = _ENGINE_URL,
        tracker_patience: float = _TRACKER_PATIENCE,
    ) -> None:
        self._settings = settings
        self._orchestrator = orchestrator
        self._session = session
        self._folder = folder
        self._channels = channels
        self._engine_url = engine_url
        self._tracker_patience = tracker_patience
        self._engine: EngineClient | None = None
        self._model = ""
        # The sha256 of the model that a warm engine has taken; others are started with theirs.
        self._loaded: str | None = None
        self._ready_asked = 0.0
        self._ready = False
        self._name = names.job(settings.item, settings.attempt)

    @property
    def prepared(self) -> bool:
        """Whether token, endpoints, credentials and the verified model are in place."""
        return self._engine is not None

    async def prepare(self, *, patience: float = PATIENCE) -> EngineTicket:
        """Put everything in place. A helper that was restarted finds, and keeps, what its engine was started with.

        Raises UnsafeArchive, WrongDigest and BadCredentials for what will not get better, else TransferError,
        OrchestratorError.
        """
        (self._folder / "models").mkdir(parents=True, exist_ok=True)
        ticket = await with_fresh_tickets(self._fetch, patience=patience)
        self._model = await self._verified(ticket, self._folder / "models")
        self._write("model-name", self._model)
        await self._furnish(ticket)
        return ticket

    async def _furnish(self, ticket: EngineTicket) -> None:
        """All that an engine is started with, besides a model."""
        channels = self._channels.read_text(encoding="utf-8") if self._channels.is_file() else None
        token = self._token()
        for path, text in certificates(ticket).items():
            self._write(Path(path).name, text)
        self._write("endpoints.yml", endpoints(ticket, application_name=self._name))
        self._write("credentials.yml", credentials(channels))
        await self._await_trackers(ticket)
        self._engine = EngineClient(self._session, self._engine_url, token)
        log.info("prepared", model=self._model)

    async def ready(self) -> bool:
        """Whether the engine has the intended model loaded; asked at most once a second."""
        if self._engine is None:
            return False
        if time.monotonic() - self._ready_asked >= _CACHE_SECONDS:
            self._ready_asked = time.monotonic()
            self._ready = await self._engine.loaded_model() == self._model
            READY.set(self._ready)
        return self._ready

    async def take_model(self) -> None:
        """Nothing: the engine is started with its model."""

    async def report_trackers(self, ticket: EngineTicket) -> None:
        """Once the engine is ready, report whether conversations are durable, and again whenever that changes.

        Not durable is reported, not punished: an assistant that forgets at the next swap beats one that is silent.
        """
        while not await self.ready():  # noqa: ASYNC110 - the engine is another process: there is nothing to wait on
            await asyncio.sleep(_POLL_SECONDS)
        told: RunReport | None = None
        while True:
            found = await trackers.durability(ticket.tracker_store, application_name=self._name)
            report = found.model_copy(update={"loaded": self._loaded})
            if report != told:
                log.info("trackers checked", durable=report.trackers_durable, message=report.message)
                with contextlib.suppress(OrchestratorError):
                    await self._orchestrator.send(self._settings.path("runs", "report"), report)
                    told = report
            if told is not None and told.trackers_durable:
                return
            await asyncio.sleep(_RECHECK_SECONDS)

    def application(self) -> web.Application:
        """GET /started, /ready and /metrics."""

        async def started(_: web.Request) -> web.Response:
            return _answer(self.prepared)

        async def ready(_: web.Request) -> web.Response:
            return _answer(await self.ready())

        async def metrics(_: web.Request) -> web.Response:
            return web.Response(body=generate_latest(), content_type="text/plain")

        application = web.Application()
        application.add_routes([web.get("/started", started), web.get("/ready", ready), web.get("/metrics", metrics)])
        return application

    async def _fetch(self, request: TicketRequest) -> RunTicket:
        ticket = await self._orchestrator.post(self._settings.path("runs", "start"), RunTicket, request)
        await self._bring(ticket, self._folder / "models")
        return ticket

    async def _bring(self, ticket: ModelTicket, folder: Path) -> None:
        """Download a model, unless it is there."""
        path = _model_path(ticket, folder)
        if path.exists():
            found = await asyncio.to_thread(digest, path)
            if (found.sha256, found.size) == (ticket.model.sha256, ticket.model.size):
                return
        await download(self._session, ticket.model_url, path, ticket.model)

    async def _verified(self, ticket: ModelTicket, folder: Path) -> str:
        """The name of a downloaded model that has the members it was stored with. Raises UnsafeArchive."""
        path = _model_path(ticket, folder)
        members = await asyncio.to_thread(model_members, path)
        if members != sorted(ticket.members):
            raise UnsafeArchive("the model has other members than those it was stored with")
        return path.name

    def _token(self) -> str:
        """The token of the engine's API: made once for a pod, for the engine reads it only at its start."""
        path = self._folder / "token"
        if path.is_file() and (token := path.read_text(encoding="utf-8").strip()):
            return token
        token = secrets.token_urlsafe(32)
        self._write("token", token)
        return token

    async def _await_trackers(self, ticket: EngineTicket) -> None:
        give_up = time.monotonic() + self._tracker_patience
        while not await trackers.reachable(ticket.tracker_store):
            if time.monotonic() > give_up:
                log.warning("the tracker database does not answer; the engine starts without it")
                return
            await asyncio.sleep(_POLL_SECONDS)

    def _write(self, name: str, text: str) -> None:
        """Whole or not at all, readable by this pod's user and group only."""
        partial = self._folder / f".{name}.part"
        partial.touch(mode=0o640)
        partial.write_text(text, encoding="utf-8")
        partial.replace(self._folder / name)


async def main() -> int:
    """Serve until SIGTERM; gives the exit code. Raises SettingsError."""
    return await serve(RunHelper)


async def serve(kind: type[RunHelper]) -> int:
    """The same with a helper of a kind."""
    settings = HelperSettings.from_env()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with settings.orchestrator(patience=PATIENCE) as orchestrator, storage_session() as session:
        helper = kind(settings, orchestrator, session)
        runner = web.AppRunner(helper.application(), access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, port=HELPER_PORT).start()
            work = asyncio.create_task(_work(helper))
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if work.done() and (code := work.result()):
                return code
            await stopped
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
        finally:
            await runner.cleanup()
    return 0


async def _work(helper: RunHelper) -> int:
    try:
        ticket = await helper.prepare()
        await helper.take_model()
    except (UnsafeArchive, WrongDigest) as error:
        report_failure(f"the model is refused: {error}")
        return REFUSED
    except BadCredentials as error:
        report_failure(str(error))
        return REFUSED
    except (OrchestratorError, TransferError, OSError) as error:
        report_failure(f"the run could not be prepared: {error}")
        return FAILED
    await helper.report_trackers(ticket)
    return 0


def _model_path(ticket: ModelTicket, folder: Path) -> Path:
    if not (len(ticket.model.sha256) == 64 and ticket.model.sha256.isalnum()):  # noqa: PLR2004 - sha256 in hex
        raise UnsafeArchive("the orchestrator gave a model without a proper sha256")
    return folder / f"{ticket.model.sha256}.tar.gz"


def _answer(good: bool) -> web.Response:
    return web.Response(status=200 if good else 503, text="ok\n" if good else "not yet\n")
