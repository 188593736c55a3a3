"""`fetch`: the first step of a training. It brings the content that the training is about, verified and unpacked."""

import asyncio
from pathlib import Path

import aiohttp

from studio.contract.model_service import FetchTicket, TicketRequest
from studio.model_service.helper.archive import unpack_content
from studio.model_service.helper.environment import PATIENCE, HelperSettings
from studio.model_service.helper.retrying import with_fresh_tickets
from studio.model_service.helper.step import run_step
from studio.model_service.helper.transfer import download
from studio.model_service.orchestrator_client import OrchestratorClient


async def main() -> int:
    """Run the step; gives the exit code. Raises SettingsError."""
    return await run_step(fetch, refused="the content cannot be used", failed="the content could not be fetched")


async def fetch(
    settings: HelperSettings,
    orchestrator: OrchestratorClient,
    session: aiohttp.ClientSession,
    work: Path,
    *,
    patience: float = PATIENCE,
) -> list[str]:
    """Fetch into `work`/content; gives the names of the files. Doing it again is harmless."""
    archive = work / "content.tar.gz"

    async def exchange(request: TicketRequest) -> None:
        ticket = await orchestrator.post(settings.path("trainings", "fetch"), FetchTicket, request)
        await download(session, ticket.url, archive, ticket)

    await with_fresh_tickets(exchange, patience=patience)
    names = await asyncio.to_thread(unpack_content, archive, work / "content")
    archive.unlink()
    return names
