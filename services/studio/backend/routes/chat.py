"""Trying an assistant, with its events beside the answers."""

from typing import Annotated

from fastapi import APIRouter, Query

from studio.backend.access import Caller, may
from studio.backend.authorisation import Operation
from studio.backend.chat import LONGEST_WAIT
from studio.backend.models.common import LARGEST_ID
from studio.backend.models.conversations import ChatAnswer, ChatEvents, ChatMessage, Sender
from studio.backend.routes import parameters
from studio.backend.services import Services

Use = Annotated[Caller, may(Operation.CHAT_USE)]


def routes(services: Services) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["chat"], prefix="/assistants/{assistant}/chat")

    @router.post("")
    async def chat(caller: Use, assistant: parameters.Assistant, message: ChatMessage) -> ChatAnswer:
        """Say something to the assistant. The trial is the caller's own, whatever its sender is called."""
        found = await services.assistants.one(assistant)
        return await services.chat.send(caller.person, found, message)

    @router.get("/{sender}/events")
    async def chat_events(
        caller: Use,
        assistant: parameters.Assistant,
        sender: Sender,
        after_seq: Annotated[int, Query(ge=0, le=LARGEST_ID)] = 0,
        wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT, allow_inf_nan=False)] = 0,
    ) -> ChatEvents:
        """What happened in the caller's own trial after an event, from the conversation store."""
        await services.assistants.one(assistant)
        return await services.chat.events(caller.person, assistant, sender, after=after_seq, wait=wait)

    return router
