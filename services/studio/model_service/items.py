"""Items of the queue: trainings and runs, their states, and which state may follow which. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from studio.contract.model_service import RunState, TrainingState

Kind = Literal["training", "run"]
KINDS: tuple[Kind, ...] = get_args(Kind)

FINAL_STATES = frozenset(state.value for states in (TrainingState, RunState) for state in states if state.final)

# The state in which an item with all that it needs is after a consumer has claimed it from the queue.
CLAIMED_STATE: dict[str, str] = {"training": TrainingState.RUNNING, "run": RunState.STARTING}

_NEXT: dict[str, dict[str, frozenset[str]]] = {
    "training": {
        "Queued": frozenset({"Running", "Cancelled", "Superseded"}),
        "Running": frozenset({"Queued", "Succeeded", "Failed", "Cancelled", "Superseded"}),
    },
    "run": {
        "Queued": frozenset({"Warming", "Starting", "Stopped"}),
        "Warming": frozenset({"Starting", "Draining", "Stopped", "Failed"}),
        "Starting": frozenset({"Queued", "Ready", "Draining", "Stopped", "Failed"}),
        "Ready": frozenset({"Queued", "Starting", "Draining", "Stopped", "Failed"}),
        "Draining": frozenset({"Stopped"}),
    },
}


class QueueError(Exception):
    """Base of what the queue refuses."""


class LeaseLost(QueueError):
    """The caller does not hold the item any more: it must stop writing about it, and stop acting for it."""


class IllegalTransition(QueueError):
    """The item cannot go from its state to the wanted one."""


@dataclass(frozen=True, slots=True)
class Item:
    """One training or run, as its row says. Times are in UTC by the clock of the database."""

    id: str
    seq: int
    kind: Kind
    uid: str
    assistant: str
    state: str
    reason: str
    message: str
    fingerprint: str
    model_version: int | None
    priority: int
    attempt: int
    stop_requested: bool
    stop_reason: str
    holder: str | None
    fence: int
    lease_until: datetime | None
    requested_at: datetime
    started_at: datetime | None
    ready_at: datetime | None
    finished_at: datetime | None
    retry_at: datetime | None
    spec: dict[str, Any]
    spec_digest: str
    log_key: str | None
    report: dict[str, Any] | None
    stop_message: str = ""
    progress: dict[str, Any] | None = None

    @property
    def final(self) -> bool:
        """Whether the item has ended."""
        return self.state in FINAL_STATES

    @property
    def reported(self) -> dict[str, Any]:
        """What the helper of the current attempt of a run has said; empty before it has said anything."""
        report = self.report or {}
        return report if report.get("attempt") == self.attempt else {}

    @property
    def warm_for(self) -> str | None:
        """The training for whose model a run was begun before that model was there."""
        return self.spec.get("warm_for")

    @property
    def warm(self) -> bool:
        """Whether it is a run that has no model yet."""
        return self.warm_for is not None and self.model_version is None

    @property
    def claimed_state(self) -> str:
        """Its state once a consumer has claimed it from the queue."""
        return RunState.WARMING if self.warm else CLAIMED_STATE[self.kind]


@dataclass(frozen=True, slots=True)
class Waiting:
    """One queued item as the line sees it: its 1-based place, and what keeps it from being claimed at its turn.

    `retry_at` is only there while it lies ahead; `message` then says what the last attempt met.
    """

    id: str
    uid: str
    position: int
    message: str = ""
    paused: bool = False
    behind_its_own: bool = False
    retry_at: datetime | None = None

    @property
    def pause(self) -> str:
        """What holds the item itself back, whatever else is in the line, as a sentence; empty when nothing does."""
        if self.paused:
            return "its assistant is paused"
        if self.retry_at is None:
            return ""
        again = f"it is tried again at {self.retry_at.astimezone(UTC):%H:%M:%S} UTC"
        return f"{again}: {self.message}" if self.message else again


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of `holder` to act for an item, until it expires or somebody with a higher fence has it."""

    item: Item
    holder: str
    fence: int


def check_transition(item: Item, state: str) -> None:
    """Raise IllegalTransition unless `item` may go to `state`; staying is always allowed while it is not final."""
    if item.final or (state != item.state and state not in _NEXT[item.kind][item.state]):
        raise IllegalTransition(f"{item.kind} {item.id} cannot go from {item.state} to {state}")


def transitions(kind: Kind) -> dict[str, frozenset[str]]:
    """Which states may follow each state that is not final."""
    return _NEXT[kind]


def stopped_state(item: Item) -> str:
    """The final state of an item that ends because its stop was requested."""
    if item.kind == "run":
        return RunState.STOPPED
    return TrainingState.SUPERSEDED if item.stop_reason == "Superseded" else TrainingState.CANCELLED
