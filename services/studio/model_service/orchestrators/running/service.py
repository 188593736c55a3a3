"""What the running orchestrator does for the operator, users, consumers and helpers."""

import asyncpg

from studio.contract.model_service import (
    AwaitedModel,
    DesiredRunning,
    EngineTicket,
    EventBrokerLogin,
    FileDigest,
    HeldSlot,
    ModelTicket,
    ObservedRunning,
    Removal,
    RunReport,
    RunState,
    RunTicket,
    RunView,
    Slots,
    WarmTicket,
)
from studio.events.engines import engine_login
from studio.model_service import queue
from studio.model_service.items import Item
from studio.model_service.orchestrators import ending, lost, registry
from studio.model_service.orchestrators.common import ItemService
from studio.model_service.orchestrators.http import Refused
from studio.model_service.orchestrators.registry import Assistant, Model
from studio.model_service.orchestrators.running import requests
from studio.model_service.orchestrators.running.idleness import durable
from studio.model_service.orchestrators.running.line import turns_of
from studio.model_service.orchestrators.running.plan import outdated, run_of, target, wanted_of
from studio.model_service.orchestrators.running.trackers import Trackers
from studio.model_service.orchestrators.running.warming import model_to_warm_with
from studio.model_service.orchestrators.views import model_view, run_view
from studio.model_service.queue import Place
from studio.settings import EngineEventsSettings, SettingsError
from studio.storage.port import ObjectStore

TICKET_SECONDS = 900
BEGUN = frozenset({RunState.WARMING, RunState.STARTING, RunState.READY})


class RunningService(ItemService):
    """All operations; each may be repeated after any failure. Raises Refused."""

    kind = "run"

    def __init__(
        self,
        pool: asyncpg.Pool,
        store: ObjectStore,
        trackers: Trackers,
        *,
        studio: str,
        namespace: str,
        events: EngineEventsSettings | None = None,
    ) -> None:
        super().__init__(pool, store, studio=studio, namespace=namespace)
        self._trackers = trackers
        self._events = events

    async def put_assistant(self, desired: DesiredRunning) -> ObservedRunning:
        """Remember what is wanted and tell what is there; the reconciler does the rest."""
        self._check_studio(desired)
        if desired.model != "latest" and not desired.model.isdecimal():
            raise Refused(422, f"model: {desired.model!r} is neither `latest` nor the number of a version")
        async with self._pool.acquire() as conn:
            desired = desired.model_copy(update={"stores_digest": await self._stores_digest(conn, desired.uid)})
            async with conn.transaction():
                assistant = await registry.put_desired(conn, "running", desired)
            return await self._observe(conn, assistant, desired)

    async def _stores_digest(self, conn: asyncpg.Connection, uid: str) -> str | None:
        """Of the stores of engines; what it was last while a login cannot be read: that keeps no other wish waiting."""
        try:
            return self._trackers.stores_digest(self._event_broker())
        except (Refused, SettingsError, OSError):
            known = await registry.assistant(conn, uid)
            last = known.desired_running() if known else None
            return last.stores_digest if last else None

    async def _observe(
        self, conn: asyncpg.Connection, assistant: Assistant, desired: DesiredRunning
    ) -> ObservedRunning:
        runs = await registry.items(conn, assistant.uid, "run")
        named = next((run for run in runs if run.id == assistant.serving), None)
        serving = None if named is None or named.final else named
        models = await registry.models(conn, assistant.uid)
        model = target(desired, models, run_of(named, seconds_since_end=None) if named else None)
        newest = next((run for run in runs if model and run.model_version == model.version), None)
        warm = next((run for run in runs if run.warm and not run.final and not run.stop_requested), None)
        turns = await turns_of(conn, [run for run in (serving, newest) if run])
        return ObservedRunning(
            target=model_view(model) if model else None,
            serving=run_view(serving, assistant, turns.get(serving.id)) if serving else None,
            outdated=serving is not None and model is not None and outdated(serving, wanted_of(desired, model)),
            newest=run_view(newest, assistant, turns.get(newest.id)) if newest else None,
            warming=run_view(warm, assistant) if warm else None,
            trackers_durable=durable(serving),
            problem_reason=assistant.service_reason or None,
            problem=assistant.service_message or None,
        )

    async def remove_assistant(self, uid: str, *, delete_data: bool) -> Removal:
        """Begin, or ask about, the removal that the reconciler carries out."""
        async with self._pool.acquire() as conn:
            async with conn.transaction():
                assistant = await registry.begin_removal(conn, uid, delete_data=delete_data)
            if assistant is None or (assistant.running is None and assistant.serving is None):
                return Removal(gone=True)
            active = await registry.items(conn, uid, "run", active=True)
            waiting = await registry.removing_for(conn, uid)
        if active:
            return ending.told(active, waiting=waiting)
        return Removal(gone=False, message="cleaning up the Service and the conversations", waiting_seconds=waiting)

    async def slots(self) -> Slots:
        """What the consumers hold; a run that lost its consumer is taken up by the next free one."""
        async with self._pool.acquire() as conn:
            rows = await conn.fetch(
                """select assistant, id as run, coalesce(model_version::text, '') as model_version, state from items
                   where kind = 'run' and finished_at is null and (state <> 'Queued' or model_version is not null)
                   order by assistant, seq"""
            )
        begun = [row for row in rows if row["state"] != RunState.QUEUED]
        return Slots(held=[HeldSlot(**row) for row in begun], waiting=len(rows) - len(begun))

    async def runs(
        self, *, assistants: list[str] | None, state: str | None, before: Place | None, limit: int
    ) -> list[RunView]:
        """Runs, newest first."""
        async with self._pool.acquire() as conn:
            found = await queue.search(conn, "run", assistants=assistants, state=state, before=before, limit=limit)
            known = {each.uid: each for each in await registry.assistants(conn)}
            turns = await turns_of(conn, found)
        return [run_view(item, known.get(item.uid), turns.get(item.id)) for item in found]

    async def run(self, item_id: str) -> RunView:
        """One run."""
        async with self._pool.acquire() as conn:
            return await _view(conn, await self._item(conn, item_id))

    async def start_by_hand(self, name: str, who: str) -> RunView:
        """Run the wanted model of an assistant because a person asks for it."""
        async with self._pool.acquire() as conn:
            async with conn.transaction():
                item = await requests.start_by_hand(conn, name, who=who)
            return await _view(conn, item)

    async def stop_by_hand(self, name: str, who: str) -> RunView:
        """End what runs of an assistant because a person asks for it."""
        async with self._pool.acquire() as conn:
            async with conn.transaction():
                item = await requests.stop_by_hand(conn, name, who=who)
            return await _view(conn, item)

    async def start(self, item_id: str, attempt: int, *, missing: bool = False) -> RunTicket:
        """All that the helper of the current attempt needs; makes the assistant's role and schema.

        `missing`: the model was not where the last ticket said.
        """
        item = await self._current(item_id, attempt, missing=missing)
        async with self._pool.acquire() as conn:
            model = await self._model(conn, item)
            await self._not_removed(conn, item)
        return RunTicket(**dict(self._model_ticket(model)), **dict(await self._engine_ticket(item)))

    async def warm(self, item_id: str, attempt: int, *, missing: bool = False) -> WarmTicket:
        """What the helper of an engine without a model of its own starts it with; makes role and schema, too.

        `missing`: what it was to be warmed with was not where the last ticket said.
        """
        item = await self._current(item_id, attempt, missing=missing)
        async with self._pool.acquire() as conn:
            meanwhile = model_to_warm_with(
                await registry.items(conn, item.uid, "run", active=True),
                await registry.models(conn, item.uid),
                serving=(await self._not_removed(conn, item)).serving,
                image=item.spec["engine"]["image"],
            )
        ticket = self._model_ticket(meanwhile) if meanwhile else None
        return WarmTicket(warm_with=ticket, **dict(await self._engine_ticket(item)))

    async def awaited_model(self, item_id: str, attempt: int) -> AwaitedModel:
        """The model that goes into a warm engine, if it is there yet."""
        async with self._pool.acquire() as conn:
            item = await self._item(conn, item_id)
            _check_current(item, attempt)
            model = None if item.warm else await self._model(conn, item)
        return AwaitedModel(model=self._model_ticket(model) if model else None)

    async def _current(self, item_id: str, attempt: int, *, missing: bool) -> Item:
        """The run whose current attempt asks; if that misses an object, the store is asked what it has lost."""
        async with self._pool.acquire() as conn:
            item = await self._item(conn, item_id)
        _check_current(item, attempt)
        if missing:
            await lost.forget_lost(self._pool, self._store, item.uid)
        return item

    def _model_ticket(self, model: Model) -> ModelTicket:
        return ModelTicket(
            model_version=str(model.version),
            model=FileDigest(sha256=model.sha256, size=model.size),
            model_url=self._store.presign_get(model.object_key, seconds=TICKET_SECONDS),
            members=model.members,
        )

    async def _engine_ticket(self, item: Item) -> EngineTicket:
        return EngineTicket(
            tracker_store=await self._trackers.ensure(item.uid),
            actions_url=item.spec.get("actions_url"),
            event_broker=self._event_broker(),
        )

    @staticmethod
    async def _not_removed(conn: asyncpg.Connection, item: Item) -> Assistant:
        assistant = await registry.assistant(conn, item.uid)
        if assistant is None or assistant.removing:
            raise Refused(409, f"the assistant {item.assistant} is being removed")
        return assistant

    def _event_broker(self) -> EventBrokerLogin | None:
        """The files are read for each ticket, because Secrets rotate."""
        if self._events is None:
            return None
        try:
            return engine_login(self._events)
        except (SettingsError, OSError) as error:
            raise Refused(503, f"the engines' login to the event broker: {error}") from error

    async def report(self, item_id: str, attempt: int, report: RunReport) -> None:
        """Remember what the helper found out about its engine."""
        async with self._pool.acquire() as conn, conn.transaction():
            item = await queue.lock(conn, item_id)
            if item is None or item.kind != "run":
                raise Refused(404, f"there is no run {item_id}")
            _check_current(item, attempt)
            noted = {"attempt": attempt, **report.model_dump(mode="json")}
            if item.report != noted:
                await queue.set_facts(conn, item, report=noted)
                # A warm engine is ready once its consumer knows what it has loaded.
                await queue.notify(conn, (queue.ITEM_CHANNEL, item.id))

    @staticmethod
    async def _model(conn: asyncpg.Connection, item: Item) -> Model:
        if item.warm:
            raise Refused(409, f"the model of {item.id} is still being trained")
        model = await registry.model_version(conn, item.uid, item.model_version or 0)
        if model is None:
            raise Refused(409, f"version {item.model_version} of the model of {item.assistant} does not exist any more")
        return model


async def _view(conn: asyncpg.Connection, item: Item) -> RunView:
    turns = await turns_of(conn, [item])
    return run_view(item, await registry.assistant(conn, item.uid), turns.get(item.id))


def _check_current(item: Item, attempt: int) -> None:
    """Refuse, with 409, whoever is not the attempt that counts now."""
    if item.state not in BEGUN:
        raise Refused(409, f"the run {item.id} is {item.state}: nothing is started for it")
    if item.attempt != attempt:
        raise Refused(409, f"attempt {attempt} of {item.id} was replaced by attempt {item.attempt}")
    if item.stop_requested:
        raise Refused(409, f"the run {item.id} is being stopped ({item.stop_reason})")
