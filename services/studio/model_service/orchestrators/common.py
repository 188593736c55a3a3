"""What both orchestrators answer alike: the removal of an assistant, changes, models, history and logs."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import Annotated, ClassVar

import asyncpg
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import Field

from studio.auth.verification import Identity
from studio.contract.model_service import AssistantIdentity, Message, ModelView, Removal, TransitionView
from studio.http import streams
from studio.model_service import queue
from studio.model_service.items import Item, Kind
from studio.model_service.orchestrators import history, logs, registry
from studio.model_service.orchestrators.changes import ChangeStream
from studio.model_service.orchestrators.http import Consumer, Operator, Reader, Refused, change_events
from studio.model_service.orchestrators.live_log import LiveLog
from studio.model_service.orchestrators.views import model_view, transition_view
from studio.storage.port import ObjectStore


class OnBehalf(Message):
    """The body of what the back end asks for a person."""

    who: str = Field(default="", description="the person for whom it is asked; empty: the caller")


def asker(request: OnBehalf | None, caller: Identity) -> str:
    """Who counts as the one who asked."""
    return (request and request.who) or caller.subject


class ItemService(ABC):
    """The operations on items of one kind that do not depend on the kind. Raises Refused."""

    kind: ClassVar[Kind]

    def __init__(self, pool: asyncpg.Pool, store: ObjectStore, *, studio: str, namespace: str) -> None:
        self._pool = pool
        self._store = store
        self._studio = studio
        self._namespace = namespace

    @abstractmethod
    async def remove_assistant(self, uid: str, *, delete_data: bool) -> Removal:
        """Stop everything of an assistant and clean up; asked again until it is gone."""

    async def models(self, name: str) -> list[ModelView]:
        """The models of an assistant, newest first."""
        async with self._pool.acquire() as conn:
            assistant = await registry.assistant_named(conn, name)
            if assistant is None:
                raise Refused(404, f"there is no assistant {name}")
            return [model_view(model) for model in await registry.models(conn, assistant.uid)]

    async def item(self, item_id: str) -> Item:
        """One item as it is now."""
        async with self._pool.acquire() as conn:
            return await self._item(conn, item_id)

    async def transitions(self, item_id: str) -> list[TransitionView]:
        """All that became of an item, the oldest first."""
        async with self._pool.acquire() as conn:
            await self._item(conn, item_id)
            return [transition_view(each) for each in await history.transitions(conn, item_id)]

    async def log(self, item_id: str) -> bytes:
        """The log of the newest attempt that has one."""
        return await self.archived(await self.item(item_id))

    async def archived(self, item: Item) -> bytes:
        """The same of an item that is known."""
        return await logs.read(self._store, item)

    async def archive_log(self, item_id: str, attempt: int, text: bytes) -> None:
        """Keep the log of an attempt."""
        async with self._pool.acquire() as conn:
            item = await self._item(conn, item_id)
        await logs.archive(self._pool, self._store, item, attempt, text)

    def _check_studio(self, desired: AssistantIdentity) -> None:
        if (desired.studio, desired.namespace) != (self._studio, self._namespace):
            raise Refused(422, f"studio, namespace: this is Studio {self._studio} in namespace {self._namespace}")

    async def _item(self, conn: asyncpg.Connection, item_id: str) -> Item:
        item = await queue.find(conn, item_id, self.kind)
        if item is None:
            raise Refused(404, f"there is no {self.kind} {item_id}")
        return item


def add_common_routes(router: APIRouter, service: ItemService, changes: ChangeStream, live_log: LiveLog) -> None:
    """The routes of these operations, for items under /trainings or /runs."""
    items = f"/{service.kind}s"

    @router.delete("/assistants/{name}")
    async def delete_assistant(
        _: Operator, name: str, uid: str, *, delete_data: Annotated[bool, Query()] = False
    ) -> Removal:
        """Stop and clean up; repeated until `gone`. The uid decides, whoever has the name now."""
        del name  # part of the address only
        return await service.remove_assistant(uid, delete_data=delete_data)

    @router.get("/changes", response_class=Response)
    async def get_changes(_: Operator, request: Request) -> Response:
        """Server-sent events: which assistant to look at again."""
        return change_events(changes, request.app.state.closing)

    @router.get("/models")
    async def get_models(_: Reader, assistant: str) -> list[ModelView]:
        """The models of an assistant, newest first."""
        return await service.models(assistant)

    @router.get(items + "/{id}/transitions")
    async def get_transitions(_: Reader, id: str) -> list[TransitionView]:  # noqa: A002
        """Who changed it, when, and why; the oldest first."""
        return await service.transitions(id)

    @router.get(items + "/{id}/log", response_class=PlainTextResponse)
    async def get_log(_: Reader, id: str) -> Response:  # noqa: A002
        """The log of its newest attempt that has one."""
        return PlainTextResponse(await service.log(id))

    @router.get(items + "/{id}/log/events", response_class=Response, responses=streams.STREAM)
    async def follow_log(
        _: Reader,
        request: Request,
        id: str,  # noqa: A002
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> Response:
        """The log as server-sent events, live while its engine runs: `line`, then `end` with the final state."""
        item = await service.item(id)
        closing = request.app.state.closing

        async def events() -> AsyncIterator[str]:
            with changes.subscribe() as subscription:
                async for event in live_log.events(
                    lambda: service.item(item.id), service.archived, last_event_id, subscription, closing
                ):
                    yield event

        return streams.event_stream(events())

    @router.put(items + "/{id}/attempts/{attempt}/log", status_code=204)
    async def put_log(_: Consumer, request: Request, id: str, attempt: int) -> None:  # noqa: A002
        """Archive the log (text) of an attempt."""
        await service.archive_log(id, attempt, await request.body())
