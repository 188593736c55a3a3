"""`fetch`: the first step of a training. It brings the content that the training is about, verified and unpacked."""

import asyncio
from pathlib import Path

import aiohttp

from studio.contract.model_service import FetchTicket
from studio.model_service.helper.archive import UnsafeArchive, unpack_content
from studio.model_service.helper.environment import FAILED, PATIENCE, REFUSED, HelperSettings, report_failure, run_step
from studio.model_service.helper.retrying import with_fresh_tickets
from studio.model_service.helper.transfer import TransferError, WrongDigest, download, storage_session
from studio.model_service.jobs import scripts
from studio.model_service.orchestrator_client import OrchestratorClient, OrchestratorError


async def main() -> int:
    """Run the step; gives the exit code. Raises SettingsError."""
    return await run_step(_serve)


async def _serve() -> int:
    settings = HelperSettings.from_env()
    try:
        async with settings.orchestrator() as orchestrator, storage_session() as session:
            await fetch(settings, orchestrator, session, Path(scripts.WORK))
    except (UnsafeArchive, WrongDigest) as error:
        report_failure(f"the content cannot be used: {error}")
        return REFUSED
    except (OrchestratorError, TransferError, OSError) as error:
        report_failure(f"the content could not be fetched: {error}")
        return FAILED
    return 0


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

    async def exchange() -> None:
        ticket = await orchestrator.post(settings.path("trainings", "fetch"), FetchTicket)
        await download(session, ticket.url, archive, ticket)

    await with_fresh_tickets(exchange, patience=patience)
    names = await asyncio.to_thread(unpack_content, archive, work / "content")
    archive.unlink()
    return names
