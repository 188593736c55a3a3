"""What a removal waits for, and how long: its consumers end it, or, when there are none that do, the orchestrator."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from studio.contract.model_service import Removal
from studio.contract.reasons import Reason
from studio.model_service import queue
from studio.model_service.items import Item, stopped_state

REMOVED = Reason.REMOVED
# Nobody holds the item: no consumer is alive, or none could attend to it. Longer than any roll-out of a consumer takes.
UNHELD_SECONDS = 60.0
# Somebody holds it and does not get it done, for instance because Kubernetes refuses all that it asks.
HELD_SECONDS = 300.0


async def end_all(conn: asyncpg.Connection, items: Sequence[Item], *, who: str, waiting: float) -> list[Item]:
    """Ask for the end of the locked items and end those that nobody will; gives what is left.

    Ending an item here leaves its Job to the operator and to the garbage collection of the cluster: it starts nothing
    more, for its owner is going, and what it still sends is refused. Must run in a transaction.
    """
    now: datetime = await conn.fetchval("select now()")
    left: list[Item] = []
    for item in items:
        asked = await queue.request_stop(conn, item, who=who, reason=REMOVED, message="the assistant is removed")
        if not asked.final and overdue(asked, waiting=waiting, now=now):
            message = f"ended without its consumer, which had {waiting:.0f} s to do it"
            state = stopped_state(asked)
            asked = await queue.change(conn, asked, who=who, state=state, reason=REMOVED, message=message)
        if not asked.final:
            left.append(asked)
    return left


def overdue(item: Item, *, waiting: float, now: datetime) -> bool:
    """Whether no consumer will end the item, after the removal has been asked for `waiting` seconds ago."""
    held = item.holder is not None and item.lease_until is not None and item.lease_until > now
    return waiting >= (HELD_SECONDS if held else UNHELD_SECONDS)


def told(items: Sequence[Item], *, waiting: float) -> Removal:
    """The answer while `items` are left."""
    names = ", ".join(f"{item.id} ({_who(item)})" for item in items)
    return Removal(gone=False, message=f"waiting for the end of {names}", waiting_seconds=waiting)


def _who(item: Item) -> str:
    return f"held by {item.holder}" if item.holder else "no consumer holds it"
