"""One pass over one assistant: look, decide, act, look again, until nothing is left to do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import asyncpg
import structlog

from studio.contract.model_service import DesiredRunning
from studio.contract.reasons import Reason
from studio.kube import Conflict, KubeError, TooManyRequests, Unavailable
from studio.model_service import queue
from studio.model_service.claiming import COLUMNS
from studio.model_service.items import Item
from studio.model_service.orchestrators import ending, history, registry
from studio.model_service.orchestrators.registry import Assistant, Model
from studio.model_service.orchestrators.running import idleness
from studio.model_service.orchestrators.running.front import Front, Sight
from studio.model_service.orchestrators.running.idleness import may_idle
from studio.model_service.orchestrators.running.plan import (
    Action,
    Assign,
    Flip,
    Run,
    Start,
    Stop,
    Wanted,
    awake,
    plan,
    run_of,
    settling_for,
    target,
    wanted_of,
)
from studio.model_service.orchestrators.running.requests import queue_run
from studio.model_service.orchestrators.running.warmer import WHO, assign

log = structlog.get_logger(__name__)

# More than a swap takes (start; flip; stop): whoever needs more is looked at again in the next pass.
ROUNDS = 4
# Whoever has the assistant now may have looked before what we were told of happened.
BUSY_SECONDS = 1.0
KEEP_RUNS = 20
UNUSED = "nobody has used it for spec.running.idleMinutes"


class Conversations(Protocol):
    """What people said to an assistant, and what is dropped with it."""

    async def heard(self, uid: str) -> datetime | None:
        """When something was said last; None: nothing was."""

    async def drop(self, uid: str) -> None:
        """Delete the conversations of an assistant."""


@dataclass(frozen=True)
class View:
    """What a decision is made from; `now` by the clock of the database.

    `halted` says that nothing shall run but what a person started, `rest` for how many seconds what runs on demand may
    still be silent.
    """

    assistant: Assistant
    runs: list[Run]
    model: Model | None
    wanted: Wanted | None
    halted: bool
    now: datetime
    rest: float | None = None


class Reconciler:
    """Brings the runs and the Service of an assistant towards what is desired."""

    def __init__(self, pool: asyncpg.Pool, front: Front, conversations: Conversations) -> None:
        self._pool = pool
        self._front = front
        self._conversations = conversations

    async def reconcile(self, uid: str) -> float | None:
        """One pass, none while another process has one. Gives the seconds after which to look again by the clock.

        Raises KubeError, front.Overtaken, database errors.
        """
        async with self._exclusive(uid) as conn:
            if conn is None:
                return BUSY_SECONDS
            assistant = await registry.assistant(conn, uid)
            if assistant is None or assistant.removed_at is not None:
                return None
            # Taken before anything is read: whoever decides later has a higher one.
            fence: int = await conn.fetchval("select nextval('fence')")
            if assistant.removing:
                await self._remove(conn, assistant)
            elif assistant.running is not None:
                return await self._pass(conn, assistant, fence)
        return None

    async def _pass(self, conn: asyncpg.Connection, assistant: Assistant, fence: int) -> float | None:
        try:
            return await self._towards(conn, assistant, fence)
        except (Unavailable, TooManyRequests, Conflict):
            # It passes by itself: the loop comes again.
            raise
        except KubeError as error:
            # Whom the Service sends to may have been noted since.
            seen = await registry.assistant(conn, assistant.uid) or assistant
            await self._note(conn, seen, seen.serving, reason=error.reason, message=error.message)
            raise

    async def _towards(self, conn: asyncpg.Connection, assistant: Assistant, fence: int) -> float | None:
        """Look and act, round by round; what was refused stays noted until it was done, or nobody wants it."""
        sight = await self._front.ensure(
            assistant, fence=fence, highest=lambda: conn.fetchval("select last_value from fence")
        )
        assistant = await self._note_sight(conn, assistant, sight)
        settling, rest, left = 0.0, None, False
        for _ in range(ROUNDS):
            view = await self._view(conn, assistant, sight)
            settling, rest = settling_for(sight.since, view.now), view.rest
            if sight.settling and settling <= 0:
                sight = await self._front.keep(assistant, sight, fence=fence, settling=False)
            actions = plan(view.wanted, view.runs, sight.serving, halted=view.halted, settling=settling > 0)
            if sight.foreign:
                actions = [action for action in actions if not isinstance(action, Flip)]
            left = bool(actions and (assistant.running or {}).get("paused"))
            if left or not actions:
                break
            sight = await self._act(conn, view, sight, actions, fence)
            assistant = await self._note_sight(conn, assistant, sight)
        if not (left or sight.foreign):
            await self._note(conn, assistant, sight.serving, reason="", message="")
        async with conn.transaction():
            await history.prune(conn, assistant.uid, "run", keep=KEEP_RUNS)
        return min((seconds for seconds in (settling, rest) if seconds and seconds > 0), default=None)

    async def _view(self, conn: asyncpg.Connection, assistant: Assistant, sight: Sight) -> View:
        desired = assistant.desired_running()
        rows = await conn.fetch(
            f"""select {COLUMNS}, extract(epoch from now() - finished_at)::float8 as ended from items
                where uid = $1 and kind = 'run' order by seq desc limit 100""",  # noqa: S608 (constants)
            assistant.uid,
        )
        ended = {row["id"]: row["ended"] for row in rows}
        items = [Item(**{key: value for key, value in row.items() if key != "ended"}) for row in rows]
        runs = [run_of(item, seconds_since_end=ended[item.id]) for item in items]
        serving = next((run for run in runs if run.id == sight.serving), None)
        model = target(desired, await registry.models(conn, assistant.uid), serving) if desired else None
        now = await conn.fetchval("select clock_timestamp()")
        rest = await self._rest(desired, next((item for item in items if item.id == sight.serving), None), now)
        mode = desired.mode if desired else "Always"
        return View(
            assistant=assistant,
            # With any other mode it counts for nothing by whom a run was started.
            runs=[replace(run, by_hand=run.by_hand and mode == "Never") for run in runs],
            model=model,
            wanted=wanted_of(desired, model) if desired and model else None,
            halted=mode == "Never" or (mode == "OnDemand" and (not awake(runs) or (rest is not None and rest <= 0))),
            now=now,
            rest=rest,
        )

    async def _rest(self, desired: DesiredRunning | None, serving: Item | None, now: datetime) -> float | None:
        """For how many seconds the serving run may still be silent; None: nobody ends it for that."""
        if desired is None or serving is None or not may_idle(serving, desired):
            return None
        left = idleness.rest(desired, serving.ready_at, None, now)
        if left > 0:
            return left
        try:
            return idleness.rest(desired, serving.ready_at, await self._conversations.heard(serving.uid), now)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            log.warning("nobody can tell whether an assistant is used", assistant=serving.assistant, error=str(error))
            return None

    async def _act(
        self, conn: asyncpg.Connection, view: View, sight: Sight, actions: list[Action], fence: int
    ) -> Sight:
        """Carry out one round; a flip ends it, because what follows depends on it."""
        for action in actions:
            match action:
                case Start(wanted=wanted) if view.model is not None:
                    await self._start(conn, view.assistant, view.model, wanted)
                case Assign(run=run, wanted=wanted) if view.model is not None:
                    await self._start(conn, view.assistant, view.model, wanted, warm=run)
                case Flip(run=run):
                    now = await conn.fetchval("select clock_timestamp()")
                    return await self._front.flip(view.assistant, sight, run, fence=fence, since=now)
        stops = [action for action in actions if isinstance(action, Stop)]
        if stops and sight.live is not None and not sight.foreign:
            # From here on a slower pass with an older view can not flip back to what is being stopped.
            sight = await self._front.keep(view.assistant, sight, fence=fence, settling=sight.settling)
        for stop in stops:
            idle = stop.reason == Reason.HALTED and view.rest is not None and view.rest <= 0
            await self._stop(conn, stop, message=UNUSED if idle else "")
        return sight

    async def _start(
        self, conn: asyncpg.Connection, assistant: Assistant, model: Model, wanted: Wanted, *, warm: str | None = None
    ) -> None:
        """Queue a run of what is wanted, or make the one that is `warm` such a run."""
        async with conn.transaction():
            current = await registry.assistant(conn, assistant.uid, lock=True)
            desired = assistant.desired_running()
            if current is None or current.removing or current.running != assistant.running or desired is None:
                return
            active = await registry.items(conn, assistant.uid, "run", active=True)
            if any(run_of(item, seconds_since_end=None).is_for(wanted) and not item.stop_requested for item in active):
                return
            # The model may have been pruned since it was looked at.
            if await registry.model_version(conn, assistant.uid, model.version) is None:
                return
            if warm is not None:
                await assign(conn, assistant, desired, model, run=warm, wanted=wanted)
                return
            message = f"to run version {model.version} of the model"
            await queue_run(conn, assistant, desired, model, who=WHO, message=message)

    async def _stop(self, conn: asyncpg.Connection, stop: Stop, *, message: str) -> None:
        async with conn.transaction():
            item = await queue.lock(conn, stop.run)
            if item is not None:
                await queue.request_stop(conn, item, who=WHO, reason=stop.reason, message=message)

    async def _remove(self, conn: asyncpg.Connection, assistant: Assistant) -> None:
        if assistant.running is None and assistant.serving is None:
            async with conn.transaction():
                await registry.finish_removal(conn, "running", assistant.uid)
            return
        async with conn.transaction():
            active = await registry.items(conn, assistant.uid, "run", active=True, lock=True)
            waiting = await registry.removing_for(conn, assistant.uid)
            if await ending.end_all(conn, active, who=WHO, waiting=waiting):
                return
        await self._front.remove(assistant)
        if assistant.delete_data:
            await self._conversations.drop(assistant.uid)
        async with conn.transaction():
            if assistant.delete_data:
                await history.prune(conn, assistant.uid, "run", keep=0)
            await registry.finish_removal(conn, "running", assistant.uid)
            await queue.notify(conn, (queue.CHANGES_CHANNEL, f"run:{assistant.name}"))

    async def _note_sight(self, conn: asyncpg.Connection, assistant: Assistant, sight: Sight) -> Assistant:
        """Note whom the Service sends to, and that it is somebody else's; any other problem stays as it was noted."""
        if sight.foreign:
            return await self._note(conn, assistant, sight.serving, reason=Reason.CONFLICT, message=sight.foreign)
        reason, message = assistant.service_reason, assistant.service_message
        return await self._note(conn, assistant, sight.serving, reason=reason, message=message)

    @staticmethod
    async def _note(
        conn: asyncpg.Connection, assistant: Assistant, serving: str | None, *, reason: str, message: str
    ) -> Assistant:
        """Remember what the Service says, for those who only ask the database; written only when it changed."""
        if (assistant.serving, assistant.service_reason, assistant.service_message) == (serving, reason, message):
            return assistant
        async with conn.transaction():
            await conn.execute(
                "update assistants set serving = $2, service_reason = $3, service_message = $4 where uid = $1",
                assistant.uid, serving, reason, message,
            )  # fmt: skip
            await queue.notify(conn, (queue.CHANGES_CHANNEL, f"run:{assistant.name}"))
        fresh = await registry.assistant(conn, assistant.uid)
        return fresh or assistant

    @asynccontextmanager
    async def _exclusive(self, uid: str) -> AsyncIterator[asyncpg.Connection | None]:
        """A connection that holds the assistant's lock, or None if somebody else does; lost with the connection."""
        async with self._pool.acquire() as conn:
            if not await conn.fetchval("select pg_try_advisory_lock(hashtextextended($1, 2))", uid):
                yield None
                return
            try:
                yield conn
            except asyncio.CancelledError:
                # The process ends, and the server may be gone before it: the lock goes with the connection.
                conn.terminate()
                raise
            finally:
                if not conn.is_closed():
                    await conn.execute("select pg_advisory_unlock(hashtextextended($1, 2))", uid)
