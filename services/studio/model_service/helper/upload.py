"""`upload`: the last step of a training. It stores model and log, and says so to the orchestrator."""

import asyncio
import os
from pathlib import Path

import aiohttp

from studio.contract.model_service import TicketRequest, TrainingResult, UploadRequest, UploadTicket
from studio.model_service.engine_log import clean
from studio.model_service.helper.archive import UnsafeArchive, digest, model_members, open_plain
from studio.model_service.helper.environment import PATIENCE, HelperSettings
from studio.model_service.helper.retrying import with_fresh_tickets
from studio.model_service.helper.step import run_step
from studio.model_service.helper.transfer import TransferError, upload
from studio.model_service.jobs import scripts
from studio.model_service.orchestrator_client import OrchestratorClient, Refused

LOG_BYTES = 8 * 1024 * 1024


async def main() -> int:
    """Run the step; gives the exit code. Raises SettingsError."""
    return await run_step(
        store, refused="the engine made a model that cannot be used", failed="the model could not be stored"
    )


async def store(
    settings: HelperSettings,
    orchestrator: OrchestratorClient,
    session: aiohttp.ClientSession,
    work: Path,
    *,
    patience: float = PATIENCE,
) -> TrainingResult:
    """Store `work`/model/model.tar.gz and the log. Doing it again is harmless: the same bytes, the same result."""
    model = work / Path(scripts.MODEL_FILE).relative_to(scripts.WORK)
    log = await asyncio.to_thread(_clean_log, work)
    members = await asyncio.to_thread(model_members, model)
    request = UploadRequest(model=await asyncio.to_thread(digest, model), log=await asyncio.to_thread(digest, log))
    result = TrainingResult(model=request.model, members=members, seconds=_seconds(work))

    async def exchange(_: TicketRequest) -> None:
        ticket = await orchestrator.post(settings.path("trainings", "upload"), UploadTicket, request)
        await upload(session, ticket.log_url, ticket.log_headers, log)
        await upload(session, ticket.model_url, ticket.model_headers, model)
        try:
            await orchestrator.send(settings.path("trainings", "result"), result)
        except Refused as error:
            # The orchestrator verifies what is stored; a store that shows an upload late deserves another round.
            raise TransferError(str(error)) from error

    await with_fresh_tickets(exchange, patience=patience)
    return result


def _clean_log(work: Path) -> Path:
    """The training's log without progress bars, in a file of ours: the engine may still hold its own."""
    try:
        with open_plain(work / Path(scripts.TRAIN_LOG).name) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - LOG_BYTES))
            raw = file.read(LOG_BYTES)
    except UnsafeArchive:
        raw = b""
    path = work / "upload.log"
    path.unlink(missing_ok=True)
    path.write_text(clean(raw.decode(errors="replace")), encoding="utf-8")
    return path


def _seconds(work: Path) -> float:
    """How long the engine trained, by the clock of its node; 0 if it did not say."""
    try:
        times = [float((work / Path(name).name).read_text()) for name in (scripts.STARTED_FILE, scripts.FINISHED_FILE)]
    except (OSError, ValueError):
        return 0.0
    return max(0.0, times[1] - times[0])
