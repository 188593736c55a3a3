"""The line of runs as the database knows it at one moment, and what each run in it waits for, in words.

There is no estimate of its start: a slot becomes free when somebody's run ends, and nobody can tell when that will be.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from studio.contract.model_service import RunState
from studio.model_service import claiming, presence
from studio.model_service.items import Item, Waiting

_BOTH = 2
# One that was asked to end, and an engine without a model, which any run may have the slot of.
_SLOTS = """
select count(*) as held, count(*) filter (where stop_requested or model_version is null) as leaving
from items where kind = 'run' and finished_at is null and state <> 'Queued'"""


@dataclass(frozen=True, slots=True)
class Line:
    """What waits, in its order, and the slots: one for each consumer that is there.

    Runs hold `held` of them, and those that are `leaving` will not for long.
    """

    waiting: Sequence[Waiting]
    slots: int
    held: int
    leaving: int


@dataclass(frozen=True, slots=True)
class Turn:
    """What a queued run may know of its turn: its 1-based place, and what it waits for."""

    position: int
    waits_for: str


async def turns_of(conn: asyncpg.Connection, items: Collection[Item]) -> Mapping[str, Turn]:
    """The turns, by id, those of the queued ones of `items` among them unless they wait no more."""
    if all(item.state != RunState.QUEUED for item in items):
        return {}
    return turns(await _read(conn))


def turns(line: Line) -> dict[str, Turn]:
    """The turn of every queued run, by id."""
    return {item.id: Turn(item.position, _waits_for(item, line)) for item in line.waiting}


async def _read(conn: asyncpg.Connection) -> Line:
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        return Line(
            waiting=await claiming.waiting(conn, "run"),
            slots=await presence.alive(conn, "run"),
            **await conn.fetchrow(_SLOTS),
        )


def _waits_for(item: Waiting, line: Line) -> str:
    """What keeps a queued run from starting, as a sentence that stays the same while it waits for the same."""
    if item.pause:
        return item.pause
    ahead, free = item.position - 1, line.slots - line.held
    if not line.slots:
        return "no running consumer is there"
    if ahead < free:
        return "a free slot is about to take it"
    if ahead < free + line.leaving:
        return "a run that holds a slot is about to give it up"
    place = "it is next" if not ahead else "1 run waits before it" if ahead == 1 else f"{ahead} runs wait before it"
    return f"{_taken(line.slots, free)}; {place}"


def _taken(slots: int, free: int) -> str:
    if free > 0:
        return "all free slots go to runs before it"
    if slots == 1:
        return "the only slot holds a run"
    return "both slots hold runs" if slots == _BOTH else f"all {slots} slots hold runs"
