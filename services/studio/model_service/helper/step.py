"""A step of a training: its frame from the settings to the exit code."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from studio.model_service.helper.archive import UnsafeArchive
from studio.model_service.helper.environment import FAILED, REFUSED, HelperSettings, report_failure
from studio.model_service.helper.transfer import TransferError, WrongDigest, storage_session
from studio.model_service.jobs import scripts
from studio.model_service.orchestrator_client import OrchestratorClient, OrchestratorError

_TERMINATED = 128 + signal.SIGTERM
Step = Callable[[HelperSettings, OrchestratorClient, aiohttp.ClientSession, Path], Awaitable[object]]


async def run_step(step: Step, *, refused: str, failed: str) -> int:
    """Run a step to its exit code; on SIGTERM, which the kernel hides from an unprepared process 1, end at once.

    The texts introduce what went wrong: the data are at fault, or another attempt may help. Raises SettingsError.
    """
    task = asyncio.create_task(_serve(step, refused, failed))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return _TERMINATED


async def _serve(step: Step, refused: str, failed: str) -> int:
    settings = HelperSettings.from_env()
    try:
        async with settings.orchestrator() as orchestrator, storage_session() as session:
            await step(settings, orchestrator, session, Path(scripts.WORK))
    except (UnsafeArchive, WrongDigest) as error:
        report_failure(f"{refused}: {error}")
        return REFUSED
    except (OrchestratorError, TransferError, OSError) as error:
        report_failure(f"{failed}: {error}")
        return FAILED
    return 0
