"""Conversations, tags and flags."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import StringConstraints

from studio.backend.access import Caller, may
from studio.backend.authorisation import Operation
from studio.backend.models.common import Id, Page
from studio.backend.models.conversations import TAG, Conversation, ConversationDetail, Filters, Flag, NewFlag, TagCount
from studio.backend.routes import parameters
from studio.backend.services import Services

Read = Annotated[Caller, may(Operation.CONVERSATIONS_READ)]
Annotate = Annotated[Caller, may(Operation.CONVERSATIONS_ANNOTATE)]
Delete = Annotated[Caller, may(Operation.CONVERSATIONS_DELETE)]

Tag = Annotated[str, StringConstraints(pattern=TAG, max_length=50), Path(description="A tag")]


def routes(services: Services) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["conversations"])
    _conversations(router, services)
    _annotations(router, services)
    return router


def _conversations(router: APIRouter, services: Services) -> None:
    conversations = services.conversations

    @router.get("/conversations")
    async def list_conversations(caller: Read, wanted: Annotated[Filters, Query()]) -> Page[Conversation]:
        """Conversations that meet all filters, the one with the newest event first."""
        return await conversations.page(caller, wanted)

    @router.get("/conversations/{id}")
    async def get_conversation(caller: Read, id: parameters.ConversationId) -> ConversationDetail:  # noqa: A002
        """One conversation with its events."""
        return await conversations.read(caller, id)

    @router.delete("/conversations/{id}", status_code=204, response_class=Response)
    async def delete_conversation(caller: Delete, id: parameters.ConversationId) -> None:  # noqa: A002
        """Delete a conversation for good."""
        await conversations.remove(caller, id)


def _annotations(router: APIRouter, services: Services) -> None:
    conversations = services.conversations

    @router.get("/conversation-tags")
    async def list_tags(caller: Read) -> Page[TagCount]:
        """All tags, the most frequent first."""
        return Page(items=await conversations.tags(caller))

    @router.put("/conversations/{id}/tags/{tag:path}", status_code=204, response_class=Response)
    async def put_tag(caller: Annotate, id: parameters.ConversationId, tag: Tag) -> None:  # noqa: A002
        """Tag a conversation."""
        await conversations.tag(caller, id, tag)

    @router.delete("/conversations/{id}/tags/{tag:path}", status_code=204, response_class=Response)
    async def delete_tag(caller: Annotate, id: parameters.ConversationId, tag: Tag) -> None:  # noqa: A002
        """Take a tag away."""
        await conversations.untag(caller, id, tag)

    @router.post("/conversations/{id}/flags", status_code=201)
    async def post_flag(caller: Annotate, id: parameters.ConversationId, wanted: NewFlag) -> Flag:  # noqa: A002
        """Flag a conversation, or one of its events."""
        return await conversations.flag(caller, id, wanted)

    @router.delete("/conversations/{id}/flags/{flag_id}", status_code=204, response_class=Response)
    async def resolve_flag(
        caller: Annotate, id: parameters.ConversationId, flag_id: Annotated[Id, Path(description="Number of a flag")]  # noqa: A002
    ) -> None:  # fmt: skip
        """Resolve a flag; it stays on record."""
        await conversations.resolve_flag(caller, id, flag_id)
