"""Queueing a run, and what a person asks for: that the wanted model runs, or that nothing runs.

A person's word holds for the model, and its settings, that are wanted when it is given. It needs no memory of its own:
a run that was started although nothing shall run says so in its specification, one that was stopped in its row.
"""

from typing import Any

import asyncpg

from studio.contract import names
from studio.contract.model_service import DesiredRunning
from studio.contract.reasons import Reason
from studio.model_service import queue
from studio.model_service.items import Item
from studio.model_service.orchestrators import registry
from studio.model_service.orchestrators.http import Refused
from studio.model_service.orchestrators.registry import Assistant, Model
from studio.model_service.orchestrators.running.plan import Run, Wanted, run_of, specification, target, wanted_of


async def queue_run(
    conn: asyncpg.Connection, assistant: Assistant, desired: DesiredRunning, model: Model, *, who: str, message: str
) -> Item:
    """Queue a run of a model; the row of the assistant is locked."""
    return await insert_run(
        conn,
        assistant,
        fingerprint=model.fingerprint,
        spec=specification(desired, model),
        spec_digest=wanted_of(desired, model).digest,
        who=who,
        message=message,
        model_version=model.version,
    )


async def insert_run(conn: asyncpg.Connection, assistant: Assistant, **rest: Any) -> Item:
    """Queue a run under the next number of its assistant, whose row is locked; `rest` is as of queue.insert."""
    number = await registry.next_number(conn, assistant.uid, "next_run")
    id_ = names.run_id(assistant.name, assistant.uid, number)
    return await queue.insert(conn, id=id_, kind="run", uid=assistant.uid, assistant=assistant.name, **rest)


async def start_by_hand(conn: asyncpg.Connection, name: str, *, who: str) -> Item:
    """Run the wanted model of an assistant, also if that failed or was stopped before; a run under way is kept.

    Raises Refused.
    """
    assistant, desired = await _locked(conn, name)
    if desired.paused:
        raise Refused(409, f"the assistant {name} is paused: set spec.paused to false first")
    items = await registry.items(conn, assistant.uid, "run")
    runs = {item.id: run_of(item, seconds_since_end=None) for item in items}
    model = target(desired, await registry.models(conn, assistant.uid), runs.get(assistant.serving or ""))
    if model is None:
        raise Refused(409, f"there is no model of {name} to run yet: train one first")
    wanted = wanted_of(desired, model)
    under_way = (item for item in items if _goes_on(runs[item.id], item, wanted, desired))
    if found := next(under_way, None):
        return found
    return await queue_run(conn, assistant, desired, model, who=who, message=f"started by {who}")


async def stop_by_hand(conn: asyncpg.Connection, name: str, *, who: str) -> Item:
    """End all runs of an assistant; gives the newest of them. Raises Refused."""
    assistant, _ = await _locked(conn, name)
    active = await registry.items(conn, assistant.uid, "run", active=True, lock=True)
    if not active:
        raise Refused(409, f"no run of {name} is under way")
    stopped = [
        await queue.request_stop(conn, item, who=who, reason=Reason.STOPPED, message=f"stopped by {who}")
        for item in active
    ]
    return stopped[0]


def _goes_on(run: Run, item: Item, wanted: Wanted, desired: DesiredRunning) -> bool:
    """Whether a run is what a start would make."""
    return not item.final and not run.stopping and run.is_for(wanted) and (run.by_hand or desired.mode != "Never")


async def _locked(conn: asyncpg.Connection, name: str) -> tuple[Assistant, DesiredRunning]:
    """The assistant of that name, its row locked, and what the operator wants of it."""
    named = await registry.assistant_named(conn, name)
    assistant = await registry.assistant(conn, named.uid, lock=True) if named else None
    if assistant is None or assistant.removing:
        raise Refused(404, f"there is no assistant {name}")
    desired = assistant.desired_running()
    if desired is None:
        raise Refused(409, f"the operator has not told yet how {name} is to be run")
    return assistant, desired
