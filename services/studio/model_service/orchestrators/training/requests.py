"""When a training is queued, and what it supersedes."""

from dataclasses import dataclass
from typing import Literal

import asyncpg

from studio.contract import names
from studio.contract.model_service import DesiredTraining, TrainingState
from studio.contract.reasons import Reason
from studio.model_service import queue
from studio.model_service.items import Item
from studio.model_service.orchestrators import registry
from studio.model_service.orchestrators.digest import digest
from studio.model_service.orchestrators.registry import Model

# Failures that say nothing about the content: the same training is repeated by itself, at growing intervals.
RETRYABLE = frozenset({Reason.ATTEMPTS_EXHAUSTED, Reason.TOO_MANY_LOSSES, Reason.CONFLICT})
FIRST_PAUSE = 60.0
LONGEST_PAUSE = 3600.0

# What of the wish is about the assistant, not about one training of it.
_OF_THE_ASSISTANT = {"fingerprint", "trigger", "priority", "paused", "keep_models", "keep_trainings"}

Outcome = Literal["Cached", "Active", "Final", "Queued"]


@dataclass(frozen=True, slots=True)
class Requested:
    """What became of a request: a cache hit with its model, a training under way, one that ended, or a new one."""

    outcome: Outcome
    item: Item | None = None
    model: Model | None = None


def training_digest(desired: DesiredTraining) -> str:
    """What else decides about the outcome of a training of the same content: the engine's pod, limits, deadline."""
    return digest({"engine": desired.engine.model_dump(mode="json"), "deadline": desired.deadline_seconds})


async def follow_settings(conn: asyncpg.Connection, desired: DesiredTraining, *, who: str) -> None:
    """Let the training that waits have the settings that its assistant has now; it keeps its age.

    A priority that somebody has set by hand stays until the settings have another one. What waits for other content is
    moved only. Must run in a transaction; writes nothing at rest.
    """
    for seen in await registry.items(conn, desired.uid, "training", active=True):
        if _moves(seen, desired) or _differs(seen, desired):
            item = await queue.lock(conn, seen.id)
            if item is not None:
                await _followed(conn, item, desired, who=who)


async def _followed(conn: asyncpg.Connection, item: Item, desired: DesiredTraining, *, who: str) -> Item:
    """The locked item with the settings that are wanted now, if it waits."""
    if _moves(item, desired):
        spec = {**item.spec, "priority": desired.priority}
        item = await queue.reprioritise(conn, item, desired.priority, who=who, spec=spec)
    if _differs(item, desired):
        item = await queue.respecify(
            conn,
            item,
            spec=desired.model_dump(mode="json"),
            spec_digest=training_digest(desired),
            who=who,
            message="its settings changed while it waited",
        )
    return item


def _moves(item: Item, desired: DesiredTraining) -> bool:
    """Whether it waits with another priority than the settings had when they were last looked at."""
    return item.state == TrainingState.QUEUED and _settings_priority(item) != desired.priority


def _differs(item: Item, desired: DesiredTraining) -> bool:
    """Whether it waits to be made of the same content under other settings."""
    if item.state != TrainingState.QUEUED or item.fingerprint != desired.fingerprint:
        return False
    made_of = DesiredTraining.model_validate(item.spec)
    return made_of.model_dump(exclude=_OF_THE_ASSISTANT) != desired.model_dump(exclude=_OF_THE_ASSISTANT)


def _settings_priority(item: Item) -> int:
    """What the settings of its assistant said when they were last looked at."""
    return int(item.spec.get("priority", 0))


async def request_training(
    conn: asyncpg.Connection, desired: DesiredTraining, *, manual: bool = False, who: str, message: str = ""
) -> Requested:
    """Ask for the model of the desired fingerprint; the same request twice is one training.

    The newest wish wins: an older one that waits ends as Superseded, one that runs is asked to, and the new one waits
    for its end. What failed is not repeated, unless by hand, after a change of the engine's pod, or if the reason lay
    outside of the content. Must run in a transaction; the content must be stored.
    """
    if desired.fingerprint is None:
        raise ValueError("a training needs a fingerprint")
    assistant = await registry.assistant(conn, desired.uid, lock=True)
    if assistant is None or assistant.removing:
        raise registry.Removing(f"the assistant {desired.name} is not known or being removed")
    model = await registry.model_of(conn, desired.uid, desired.fingerprint)
    if model is not None:
        return Requested("Cached", model=model)

    wanted = training_digest(desired)
    active = await registry.items(conn, desired.uid, "training", active=True, lock=True)
    same = [item for item in active if item.fingerprint == desired.fingerprint]
    if (ongoing := next((item for item in same if not item.stop_requested), None)) is not None:
        # Other settings do not restart what runs.
        return Requested("Active", await _followed(conn, ongoing, desired, who=who))
    cancelled = [item for item in same if item.stop_reason == Reason.CANCELLED and item.spec_digest == wanted]
    if cancelled and not manual:
        # As good as ended: who has cancelled it does not want another one.
        return Requested("Active", cancelled[0])
    last = await registry.newest_item(conn, desired.uid, "training", desired.fingerprint)
    pause = 0.0
    if last is not None and last.final and not manual and last.spec_digest == wanted:
        if not _repeatable(last):
            return Requested("Final", last)
        pause = await _pause(conn, last)

    for item in active:
        await queue.request_stop(
            conn, item, who=who, reason=Reason.SUPERSEDED, message="newer content is trained instead"
        )
    number = await registry.next_number(conn, desired.uid, "next_training")
    item = await queue.insert(
        conn,
        id=names.training_id(desired.name, desired.uid, number),
        kind="training",
        uid=desired.uid,
        assistant=desired.name,
        fingerprint=desired.fingerprint,
        spec=desired.model_dump(mode="json"),
        spec_digest=wanted,
        who=who,
        message=message or _why(last, manual=manual, paused=pause > 0),
        priority=desired.priority,
        retry_in=pause,
    )
    return Requested("Queued", item)


def _why(last: Item | None, *, manual: bool, paused: bool) -> str:
    if manual:
        return "requested by hand"
    if paused and last is not None:
        return f"the last one ended with {last.reason}: {last.message}" if last.message else f"after {last.reason}"
    if last is not None and last.state == TrainingState.SUCCEEDED:
        return f"the model of {last.id} is not stored any more"
    return "the content is new"


def _repeatable(item: Item) -> bool:
    if item.state == TrainingState.FAILED:
        return item.reason in RETRYABLE
    # Somebody ended a cancelled one. The model of a succeeded one was pruned; a superseded one is wanted again.
    return item.state != TrainingState.CANCELLED


async def _pause(conn: asyncpg.Connection, last: Item) -> float:
    if last.state != TrainingState.FAILED:
        return 0.0
    row = await conn.fetchrow(
        """select count(*) as failures, extract(epoch from now() - max(finished_at))::float8 as since from items
           where uid = $1 and kind = 'training' and fingerprint = $2 and state = 'Failed' and spec_digest = $3""",
        last.uid, last.fingerprint, last.spec_digest,
    )  # fmt: skip
    failures, since = int(row["failures"]), float(row["since"])
    return max(min(FIRST_PAUSE * 2.0 ** (failures - 1), LONGEST_PAUSE) - since, 0.0)
