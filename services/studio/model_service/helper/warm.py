"""`warm-helper`: beside an engine that is started before its model is there. It puts the model in once it is."""

import asyncio
import contextlib

import structlog

from studio.contract.model_service import AwaitedModel, EngineTicket, ModelTicket, RunReport, TicketRequest, WarmTicket
from studio.model_service.helper.archive import UnsafeArchive
from studio.model_service.helper.engine_client import ModelRefused
from studio.model_service.helper.retrying import with_fresh_tickets
from studio.model_service.helper.run import PATIENCE, RunHelper, serve
from studio.model_service.jobs import scripts

log = structlog.get_logger(__name__)

_POLL_SECONDS = 0.2


class WarmHelper(RunHelper):
    """Ready as soon as the engine could take a model, and again truthfully once it has taken it.

    The pod of a warm engine is ready before, so that no period of a probe lies between the model and the first answer.
    Nobody is sent there: that the model is in is told by the report alone.
    """

    _taking = False

    async def prepare(self, *, patience: float = PATIENCE) -> EngineTicket:
        """Put everything in place, and what the engine loads until its own model is there."""
        for folder in ("models", "warm-models"):
            (self._folder / folder).mkdir(parents=True, exist_ok=True)
        ticket = await with_fresh_tickets(self._fetch_meanwhile, patience=patience)
        await self._furnish(ticket)
        return ticket

    async def ready(self) -> bool:
        """Whether the engine has the intended model, or while that is not in, could take one."""
        if self._loaded is not None:
            return await super().ready()
        return self._taking or (self._engine is not None and await self._engine.listens())

    async def take_model(self) -> None:
        """Wait for the model, verify it, put it in, and tell the orchestrator."""
        ticket = await self._awaited()
        self._model = await self._verified(ticket, self._folder / "models")
        try:
            await self._put_in(f"{scripts.RUN_MODELS}/{self._model}")
        except ModelRefused as error:
            # The consumer makes another attempt, and takes this pod away.
            log.warning("the engine did not take its model", error=str(error))
            await self._orchestrator.send(self._settings.path("runs", "report"), RunReport(refused=str(error)))
            await asyncio.Event().wait()
        self._loaded, self._ready, self._taking = ticket.model.sha256, True, False
        await self._orchestrator.send(self._settings.path("runs", "report"), RunReport(loaded=self._loaded))
        log.info("the model is in", model=self._model)

    async def _put_in(self, path: str) -> None:
        """Raises ModelRefused."""
        if self._engine is None:
            raise RuntimeError("nothing is prepared")
        while not await self._engine.listens():  # noqa: ASYNC110 - the engine is another process
            await asyncio.sleep(_POLL_SECONDS)
        self._taking = True
        if await self._engine.loaded_model() != self._model:
            await self._engine.load(path)
            if (found := await self._engine.loaded_model()) != self._model:
                raise ModelRefused(f"after PUT /model it has {found or 'no model'}")

    async def _awaited(self) -> ModelTicket:
        """The model once it is there, downloaded. Each answer comes when there is news, or after some seconds."""
        ticket = None
        while ticket is None:
            ticket = await with_fresh_tickets(self._fetch_awaited, patience=PATIENCE)
        return ticket

    async def _fetch_awaited(self, _: TicketRequest) -> ModelTicket | None:
        answer = await self._orchestrator.post(self._settings.path("runs", "model"), AwaitedModel)
        if answer.model is not None:
            await self._bring(answer.model, self._folder / "models")
        return answer.model

    async def _fetch_meanwhile(self, request: TicketRequest) -> WarmTicket:
        ticket = await self._orchestrator.post(self._settings.path("runs", "warm"), WarmTicket, request)
        if (meanwhile := ticket.warm_with) is None:
            return ticket
        folder = self._folder / "warm-models"
        await self._bring(meanwhile, folder)
        with contextlib.suppress(UnsafeArchive):
            self._write("warm-model-name", await self._verified(meanwhile, folder))
        return ticket


async def main() -> int:
    """Serve until SIGTERM; gives the exit code. Raises SettingsError."""
    return await serve(WarmHelper)
