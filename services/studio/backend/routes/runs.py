"""Runs by hand: trying an assistant that does not run, and taking one away."""

from typing import Annotated

from fastapi import APIRouter

from studio.backend import audit
from studio.backend.access import Caller, may
from studio.backend.authorisation import Operation
from studio.backend.models.trainings import Run
from studio.backend.routes import parameters
from studio.backend.services import Services

Start = Annotated[Caller, may(Operation.RUNS_START)]
Stop = Annotated[Caller, may(Operation.RUNS_STOP)]


def routes(services: Services) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["runs"])

    @router.post("/assistants/{assistant}/run/start")
    async def start_run(caller: Start, assistant: parameters.Assistant) -> Run:
        """Run the wanted model by hand, also with `mode: Never`, and after a failure or a stop.

        Where nothing shall run, it runs until it is stopped or another model is wanted.
        """
        await services.assistants.one(assistant)
        async with audit.recorded(services.engine, caller, assistant):
            return await services.model_service.start_run(assistant, caller.person.username)

    @router.post("/assistants/{assistant}/run/stop")
    async def stop_run(caller: Stop, assistant: parameters.Assistant) -> Run:
        """End what runs, until it is started by hand or another model is wanted; the answer is the newest run."""
        await services.assistants.one(assistant)
        async with audit.recorded(services.engine, caller, assistant):
            return await services.model_service.stop_run(assistant, caller.person.username)

    return router
