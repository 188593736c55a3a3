"""Warming as it is acted out: look at the whole Studio, decide, queue and give up, and hand engines over."""

# ruff: noqa: S608 (the parts of the statements are constants of this module; values are parameters)

import math
from collections.abc import Iterable, Mapping

import asyncpg
from prometheus_client import Counter

from studio.contract.model_service import DesiredRunning, RunState, TrainingState
from studio.contract.reasons import Reason
from studio.db.listening import Listener
from studio.db.retry import is_transient
from studio.model_service import claiming, presence, queue
from studio.model_service.claiming import COLUMNS
from studio.model_service.items import Item
from studio.model_service.orchestrators import registry
from studio.model_service.orchestrators.registry import Assistant, Model
from studio.model_service.orchestrators.running.loop import SLOW_PASS_SECONDS, pause_after
from studio.model_service.orchestrators.running.plan import (
    Wanted,
    engine_digest,
    engine_specification,
    specification,
)
from studio.model_service.orchestrators.running.requests import insert_run
from studio.model_service.orchestrators.running.warming import (
    HAND_OVER_SECONDS,
    Engine,
    GiveUp,
    Situation,
    Training,
    decide,
)
from studio.model_service.orchestrators.training import line
from studio.model_service.orchestrators.training.estimates import Durations, Running, rest

WHO = "running-orchestrator"
ENGINES = Counter("studio_run_warmings_total", "Engines that were started before their model, by outcome.", ["outcome"])
# Behind every run that has a model.
PRIORITY = -1
# Its engine works, or will in a moment; whatever else goes on may take long.
_AT_WORK = frozenset({Reason.FETCHING, Reason.TRAINING, Reason.UPLOADING})

# One decision at a time, whichever replica makes it.
_LOCK = "select pg_try_advisory_xact_lock(hashtextextended('warming', 3))"
_WARM = "kind = 'run' and finished_at is null and model_version is null and spec ? 'warm_for'"
_CONCERNED = f"""
select exists (select 1 from assistants where not removing and running @> '{{"warming": true}}')
    or exists (select 1 from items where {_WARM})"""
_BEGUN = "select count(*) from items where kind = 'run' and finished_at is null and state <> 'Queued'"
# In one statement, thus at one moment: an engine that is claimed in between would have no room for itself.
_ENGINES = f"select {COLUMNS}, ({_BEGUN}) as begun from items where {_WARM}"
# A node selector that fits no node is nothing that an engine could make room for.
_CRAMPED = f"""
select count(*) from items
where finished_at is null and state <> 'Queued' and not stop_requested and not ({_WARM})
  and (reason = '{Reason.QUOTA_EXCEEDED}' or reason = '{Reason.UNSCHEDULABLE}' and message like '%Insufficient%')"""
# Those at work, and whatever an engine may be kept for: the line may be long, and most of it is of no concern.
_TRAININGS = f"""
select t.id, t.uid, t.fingerprint, t.state, t.reason, t.stop_requested, t.spec #>> '{{engine,image}}' as image,
       extract(epoch from now() - coalesce(t.started_at, now()))::float8 as elapsed,
       extract(epoch from now() - t.finished_at)::float8 as ended,
       exists (select 1 from models m where m.uid = t.uid and m.fingerprint = t.fingerprint) as made,
       exists (select 1 from items r where r.uid = t.uid and r.kind = 'run' and r.spec ->> 'warm_for' = t.id) as warmed
from items t
where t.kind = 'training'
  and (t.finished_at is null and (t.state = '{TrainingState.RUNNING}' or t.uid = any($2))
       or t.uid = any($2) and t.state = 'Succeeded' and t.finished_at > now() - make_interval(secs => $1))"""


class Warmer:
    """Looks whenever something has changed, and when it is time."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def follow(self, listener: Listener) -> None:
        """Until cancelled; failures are paced."""
        failures = 0
        while True:
            try:
                again = await self.look()
                failures = 0
            except Exception as error:  # noqa: BLE001 - pause_after tells of it
                failures += 1
                what = "warming was not looked at, it is repeated"
                again = pause_after(error, failures, expected=is_transient(error), what=what)
            await listener.wait(SLOW_PASS_SECONDS if again is None else min(again, SLOW_PASS_SECONDS))

    async def look(self) -> float | None:
        """One decision, acted out; the seconds after which to look again by the clock. Raises database errors."""
        async with self._pool.acquire() as conn, conn.transaction():
            if not (await conn.fetchval(_CONCERNED) and await conn.fetchval(_LOCK)):
                return None
            engines, begun = await _engines(conn)
            found = await conn.fetch(_TRAININGS, HAND_OVER_SECONDS, [item.uid for item in engines])
            rows = {row["id"]: row for row in found}
            if not (engines or rows):
                return None
            wishes = {uid: await registry.assistant(conn, uid) for uid in {row["uid"] for row in rows.values()}}
            decision = decide(await _situation(conn, rows.values(), engines, wishes, begun))
            # The rows of assistants are locked before those of their items, as everywhere.
            for wish in decision.warm:
                row = rows[wish.training]
                await _queue(conn, row["uid"], row["id"], row["fingerprint"], row["image"])
            for end in decision.give_up:
                await _give_up(conn, end)
            return decision.again


async def assign(
    conn: asyncpg.Connection, assistant: Assistant, desired: DesiredRunning, model: Model, *, run: str, wanted: Wanted
) -> bool:
    """Make a warm run the run of a model; False if it has gone, or was given up, meanwhile. Must run in a transaction.

    The row of the assistant is locked.
    """
    item = await queue.lock(conn, run)
    if item is None or item.final or item.stop_requested or not item.warm:
        return False
    if (item.uid, item.spec_digest) != (assistant.uid, wanted.digest):
        return False
    await queue.set_facts(conn, item, model_version=model.version)
    begun = item.state == RunState.WARMING
    await queue.change(
        conn, item, who=WHO, state=RunState.STARTING if begun else None, reason=Reason.ASSIGNED, priority=0,
        message=f"version {model.version} of the model {'goes into the warm engine' if begun else 'is there'}",
        spec={**specification(desired, model), "warm_for": item.warm_for},
    )  # fmt: skip
    # Its consumer looks at the row again; its helper hears of the change.
    await queue.notify(conn, (queue.ITEM_CHANNEL, item.id))
    ENGINES.labels("used").inc()
    return True


async def _engines(conn: asyncpg.Connection) -> tuple[list[Item], int]:
    """All engines without a model, and how many runs have begun."""
    rows = [dict(row) for row in await conn.fetch(_ENGINES)]
    begun = [row.pop("begun") for row in rows]
    return [Item(**row) for row in rows], begun[0] if begun else await conn.fetchval(_BEGUN)


async def _situation(
    conn: asyncpg.Connection,
    rows: Iterable[asyncpg.Record],
    engines: list[Item],
    wishes: Mapping[str, Assistant | None],
    begun: int,
) -> Situation:
    durations = await line.measured(conn)
    warm = {item.id for item in engines}
    waiting = [each for each in await claiming.waiting(conn, "run") if not each.paused and each.id not in warm]
    return Situation(
        trainings=[_training(row, wishes.get(row["uid"]), durations) for row in rows],
        engines=[
            Engine(item.id, item.uid, item.spec_digest, item.seq, item.state != RunState.QUEUED, item.stop_requested)
            for item in engines
        ],
        idle=await presence.alive(conn, "run") - begun,
        waiting=len(waiting),
        cramped=await conn.fetchval(_CRAMPED),
    )


def _training(row: asyncpg.Record, assistant: Assistant | None, durations: Durations) -> Training:
    seconds = rest(Running(row["uid"], row["elapsed"]), durations)
    digest = None if row["stop_requested"] else _digest(assistant, row["image"])
    at_work = row["state"] == TrainingState.RUNNING and row["reason"] in _AT_WORK and not row["made"]
    return Training(
        id=row["id"],
        uid=row["uid"],
        digest=digest,
        rest=None if math.isinf(seconds) else seconds,
        # An engine is kept for what may still become wanted: newer content is heard of by the training side first.
        at_work=at_work and _wanted(assistant, row["fingerprint"]),
        warmed=row["warmed"],
        leaves_in=None if row["ended"] is None else max(HAND_OVER_SECONDS - row["ended"], 0.0),
    )


def _digest(assistant: Assistant | None, image: str) -> str | None:
    """How an engine for the next model is run; None if there shall be none, or not before its model."""
    desired = assistant.desired_running() if assistant and not assistant.removing else None
    if desired is None or not desired.warming or desired.paused:
        return None
    return engine_digest(desired, image) if (desired.mode, desired.model) == ("Always", "latest") else None


def _wanted(assistant: Assistant | None, fingerprint: str) -> bool:
    """Whether the model of this content is the one to be run."""
    return assistant is not None and (assistant.running or {}).get("fingerprint") == fingerprint


async def _give_up(conn: asyncpg.Connection, end: GiveUp) -> None:
    item = await queue.lock(conn, end.run)
    if item is not None and item.warm and not item.final and not item.stop_requested:
        await queue.request_stop(conn, item, who=WHO, reason=Reason.GIVEN_UP, message=end.message)
        ENGINES.labels("given_up").inc()


async def _queue(conn: asyncpg.Connection, uid: str, training: str, fingerprint: str, image: str) -> None:
    """The row of the assistant is locked before anything about it is believed."""
    assistant = await registry.assistant(conn, uid, lock=True)
    desired = assistant.desired_running() if assistant else None
    digest = _digest(assistant, image)
    if assistant is None or desired is None or digest is None or not _wanted(assistant, fingerprint):
        return
    await insert_run(
        conn,
        assistant,
        fingerprint=fingerprint,
        spec={**engine_specification(desired, image), "warm_for": training},
        spec_digest=digest,
        who=WHO,
        message=f"an engine for the model of {training}, which will be there soon",
        priority=PRIORITY,
    )
    ENGINES.labels("begun").inc()
