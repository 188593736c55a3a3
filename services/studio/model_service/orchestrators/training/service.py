"""What the training orchestrator does for the operator, users, consumers and helpers."""

import hashlib
from datetime import datetime

import asyncpg

from studio.contract.model_service import (
    CacheHit,
    DesiredTraining,
    FetchTicket,
    ModelView,
    ObservedTraining,
    Removal,
    TrainingResult,
    TrainingState,
    TrainingView,
    UploadRequest,
    UploadTicket,
)
from studio.contract.reasons import Reason
from studio.model_service import queue
from studio.model_service.items import Item, QueueError
from studio.model_service.orchestrators import garbage, history, keys, lost, registry
from studio.model_service.orchestrators.common import ItemService
from studio.model_service.orchestrators.http import Refused
from studio.model_service.orchestrators.training import results, tags
from studio.model_service.orchestrators.training.line import Outlooks
from studio.model_service.orchestrators.training.removal import remove
from studio.model_service.orchestrators.training.requests import follow_settings, request_training
from studio.model_service.orchestrators.training.retention import prune_contents
from studio.model_service.orchestrators.views import cache_hit, model_view, training_view
from studio.model_service.queue import Place
from studio.storage.port import ObjectStore

TICKET_SECONDS = 900
CONTENT_UPLOAD_SECONDS = 3600
OPERATOR = "operator"


class TrainingService(ItemService):
    """All operations; each is a few transactions and may be repeated after any failure. Raises Refused."""

    kind = "training"

    def __init__(self, pool: asyncpg.Pool, store: ObjectStore, *, studio: str, namespace: str) -> None:
        super().__init__(pool, store, studio=studio, namespace=namespace)
        self._outlooks = Outlooks()

    async def put_assistant(self, desired: DesiredTraining) -> ObservedTraining:
        """Remember what is wanted, queue the training that it needs, and tell what is there."""
        self._check_studio(desired)
        async with self._pool.acquire() as conn:
            async with conn.transaction():
                assistant = await registry.put_desired(conn, "training", desired)
                await follow_settings(conn, desired, who=OPERATOR)
            await self._request_if_wanted(conn, desired)
            return await self._observe(conn, desired, assistant.wanted_since)

    async def _request_if_wanted(self, conn: asyncpg.Connection, desired: DesiredTraining) -> None:
        if desired.fingerprint is None or desired.paused or desired.trigger != "OnChange":
            return
        if await registry.model_of(conn, desired.uid, desired.fingerprint) is not None:
            return
        if await registry.content(conn, desired.uid, desired.fingerprint) is None:
            return
        async with conn.transaction():
            await request_training(conn, desired, who=OPERATOR)

    async def _observe(
        self, conn: asyncpg.Connection, desired: DesiredTraining, wanted_since: datetime | None
    ) -> ObservedTraining:
        latest = await registry.latest_model(conn, desired.uid)
        if desired.fingerprint is None:
            return ObservedTraining(needs_content=False, latest_model=model_view(latest) if latest else None)
        model = await registry.model_of(conn, desired.uid, desired.fingerprint)
        item = await registry.newest_item(conn, desired.uid, "training", desired.fingerprint)
        stored = await registry.content(conn, desired.uid, desired.fingerprint)
        return ObservedTraining(
            needs_content=stored is None and model is None,
            training=(await self._views(conn, [item]))[0] if item else None,
            model=model_view(model) if model else None,
            latest_model=model_view(latest) if latest else None,
            cache_hit=model is not None and wanted_since is not None and model.trained_at < wanted_since,
        )

    async def put_content(self, name: str, fingerprint: str, data: bytes, sha256: str) -> None:
        """Store the content of a fingerprint and queue its training if that is what is wanted now."""
        if hashlib.sha256(data).hexdigest() != sha256:
            raise Refused(422, "X-Content-SHA256: it is not the sha256 of the body; send the content again")
        async with self._pool.acquire() as conn:
            assistant = await registry.assistant_named(conn, name)
            desired = assistant.desired_training() if assistant else None
            if assistant is None or desired is None:
                raise Refused(404, f"there is no assistant {name}: PUT its desired state first")
            if await registry.content(conn, assistant.uid, fingerprint) is None:
                await self._store_content(conn, assistant.uid, fingerprint, data, sha256)
            if desired.fingerprint == fingerprint:
                await self._request_if_wanted(conn, desired)
                async with conn.transaction():
                    await prune_contents(conn, assistant.uid, wanted=fingerprint)

    async def _store_content(
        self, conn: asyncpg.Connection, uid: str, fingerprint: str, data: bytes, sha256: str
    ) -> None:
        key = keys.content(uid, fingerprint, sha256)
        await garbage.doom(conn, key, seconds=CONTENT_UPLOAD_SECONDS)
        await self._store.put(key, data, sha256=sha256, content_type="application/gzip")
        async with conn.transaction():
            adopted = await garbage.adopt(conn, key)
            inserted = await conn.fetchval(
                """insert into contents (uid, fingerprint, object_key, sha256, size) values ($1, $2, $3, $4, $5)
                   on conflict do nothing returning true""",
                uid, fingerprint, key, sha256, len(data),
            )  # fmt: skip
            if inserted and not adopted:
                raise Refused(409, "the content took too long to store: send it again")

    async def remove_assistant(self, uid: str, *, delete_data: bool) -> Removal:
        """Stop everything of an assistant and clean up; asked again until it is gone."""
        async with self._pool.acquire() as conn, conn.transaction():
            return await remove(conn, uid, delete_data=delete_data)

    async def request_by_hand(self, name: str, who: str) -> TrainingView | CacheHit:
        """Train the wanted content again, whatever became of it before."""
        async with self._pool.acquire() as conn:
            desired = await self._desired(conn, name)
        return await self._request(desired, who=who)

    async def retry(self, item_id: str, who: str) -> TrainingView | CacheHit:
        """Train the content of a training that has ended once more, as a new training with the present settings."""
        async with self._pool.acquire() as conn:
            item = await self._item(conn, item_id)
            desired = await self._desired(conn, item.assistant)
            if not item.final:
                raise Refused(409, f"the training {item_id} is {item.state}: only one that has ended can be repeated")
            if (desired.uid, desired.fingerprint) != (item.uid, item.fingerprint):
                raise Refused(
                    409,
                    f"the assistant {item.assistant} wants other content by now: request a training of that instead",
                )
        return await self._request(desired, who=who, message=f"repeats {item_id}, which ended {item.state}")

    async def _desired(self, conn: asyncpg.Connection, name: str) -> DesiredTraining:
        assistant = await registry.assistant_named(conn, name)
        desired = assistant.desired_training() if assistant else None
        if desired is None:
            raise Refused(404, f"there is no assistant {name}")
        return desired

    async def _request(self, desired: DesiredTraining, *, who: str, message: str = "") -> TrainingView | CacheHit:
        if desired.fingerprint is None:
            raise Refused(409, f"the assistant {desired.name} has no usable content yet")
        forgotten = await lost.forget_lost(self._pool, self._store, desired.uid)
        async with self._pool.acquire() as conn:
            if model := await registry.model_of(conn, desired.uid, desired.fingerprint):
                return cache_hit(model)
            if await registry.content(conn, desired.uid, desired.fingerprint) is None:
                if forgotten:
                    raise Refused(503, f"the content of {desired.name} was lost, and is brought again: ask in a moment")
                raise Refused(409, f"the assistant {desired.name} has no usable content yet")
            async with conn.transaction():
                requested = await request_training(conn, desired, manual=True, who=who, message=message)
            if requested.model is not None:
                return cache_hit(requested.model)
            if requested.item is None:
                raise Refused(409, f"the assistant {desired.name} cannot be trained now")
            return (await self._views(conn, [requested.item]))[0]

    async def prioritise(self, item_id: str, priority: int, who: str) -> TrainingView:
        """Move a training that waits; its assistant's settings take over again when they change."""
        async with self._pool.acquire() as conn:
            async with conn.transaction():
                item = await self._locked(conn, item_id)
                try:
                    item = await queue.reprioritise(conn, item, priority, who=who)
                except QueueError as error:
                    raise Refused(409, str(error)) from error
            return (await self._views(conn, [item]))[0]

    async def cancel(self, item_id: str, who: str) -> TrainingView:
        """End a training: at once while it waits, as soon as its consumer has stopped it while it runs."""
        async with self._pool.acquire() as conn:
            async with conn.transaction():
                item = await queue.request_stop(
                    conn,
                    await self._locked(conn, item_id),
                    who=who,
                    reason=Reason.CANCELLED,
                    message=f"cancelled by {who}",
                )
            return (await self._views(conn, [item]))[0]

    async def trainings(
        self, *, assistants: list[str] | None, state: str | None, before: Place | None, limit: int
    ) -> list[TrainingView]:
        """Trainings, newest first."""
        async with self._pool.acquire() as conn:
            return await self._views(
                conn,
                await queue.search(conn, "training", assistants=assistants, state=state, before=before, limit=limit),
            )

    async def training(self, item_id: str) -> TrainingView:
        """One training."""
        async with self._pool.acquire() as conn:
            return (await self._views(conn, [await self._item(conn, item_id)]))[0]

    async def tag(self, name: str, version: int, tag: str) -> ModelView:
        """Tag a model, which keeps it."""
        async with self._pool.acquire() as conn, conn.transaction():
            return model_view(await tags.add(conn, name, version, tag))

    async def untag(self, name: str, version: int, tag: str) -> ModelView:
        """Take a tag away."""
        async with self._pool.acquire() as conn, conn.transaction():
            return model_view(await tags.remove(conn, name, version, tag))

    async def fetch_ticket(self, item_id: str, attempt: int, *, missing: bool = False) -> FetchTicket:
        """Where the helper of the current attempt finds the content; `missing`: it was not where the last one said."""
        async with self._pool.acquire() as conn:
            item = await self._item(conn, item_id)
        results.check_current(item, attempt)
        if missing:
            await lost.forget_lost(self._pool, self._store, item.uid)
        async with self._pool.acquire() as conn:
            content = await registry.content(conn, item.uid, item.fingerprint)
        if content is None:
            # The operator brings it again as soon as it hears of that: a matter of seconds.
            raise Refused(503, f"the content of {item_id} is not in the object store any more: it is brought again")
        url = self._store.presign_get(content.object_key, seconds=TICKET_SECONDS)
        return FetchTicket(sha256=content.sha256, size=content.size, url=url)

    async def upload_ticket(self, item_id: str, attempt: int, request: UploadRequest) -> UploadTicket:
        """Where it stores the model and the log."""
        async with self._pool.acquire() as conn:
            item = await self._item(conn, item_id)
            results.check_current(item, attempt)
            model_key, log_key = keys.model(item, attempt), keys.engine_log(item, attempt)
            await garbage.doom(conn, model_key, log_key, seconds=garbage.UPLOAD_SECONDS)
        model = self._store.presign_put(model_key, sha256=request.model.sha256, seconds=TICKET_SECONDS)
        log = self._store.presign_put(log_key, sha256=request.log.sha256, seconds=TICKET_SECONDS)
        return UploadTicket(
            model_url=model.url, model_headers=dict(model.headers), log_url=log.url, log_headers=dict(log.headers)
        )

    async def accept_result(self, item_id: str, attempt: int, result: TrainingResult) -> None:
        """Make the model."""
        await results.accept_result(self._pool, self._store, item_id, attempt, result)

    async def tidy(self) -> None:
        """Go on with removals that nobody asks about any more, and forget old trainings."""
        async with self._pool.acquire() as conn:
            for assistant in await registry.assistants(conn):
                async with conn.transaction():
                    if assistant.removing:
                        await remove(conn, assistant.uid, delete_data=assistant.delete_data)
                    elif assistant.training:
                        keep = DesiredTraining.model_validate(assistant.training).keep_trainings
                        await history.prune(conn, assistant.uid, "training", keep=keep)

    async def _views(self, conn: asyncpg.Connection, items: list[Item]) -> list[TrainingView]:
        ahead = await self._outlooks.of(conn, [item.id for item in items if item.state == TrainingState.QUEUED])
        return [training_view(item, ahead.get(item.id)) for item in items]

    async def _locked(self, conn: asyncpg.Connection, item_id: str) -> Item:
        item = await queue.lock(conn, item_id)
        if item is None or item.kind != self.kind:
            raise Refused(404, f"there is no training {item_id}")
        return item
