"""The state of an assistant, of a training and of a Studio in words. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

Item = Mapping[str, Any]

# The steps of an assistant in their order: the first one that is not done explains the rest.
_STEPS = ("StudioReady", "ContentReady", "Trained", "Running", "ActionsReady")
FINAL_TRAININGS = frozenset({"Succeeded", "Failed", "Cancelled", "Superseded"})


def condition(conditions: Sequence[Item] | None, kind: str) -> Item | None:
    """The condition of a type; None if it is not there."""
    return next((found for found in conditions or () if found.get("type") == kind), None)


def is_true(conditions: Sequence[Item] | None, kind: str) -> bool:
    """Whether a condition is there and True."""
    found = condition(conditions, kind)
    return found is not None and found.get("status") == "True"


def state_of(assistant: Item) -> str:
    """`ready`, `asleep` (trained, and to be started by somebody), `stalled`, `paused`, or `not ready`."""
    if assistant.get("paused"):
        return "paused"
    if is_true(assistant.get("conditions"), "Stalled"):
        return "stalled"
    if not assistant.get("ready"):
        return "not ready"
    running = condition(assistant.get("conditions"), "Running") or {}
    return "asleep" if running.get("reason") == "Asleep" else "ready"


def reason_of(assistant: Item) -> str:
    """Why an assistant is not ready, from the condition that explains it; empty when it is."""
    conditions = assistant.get("conditions")
    if state_of(assistant) == "ready":
        return ""
    stalled = condition(conditions, "Stalled")
    if stalled is not None and stalled.get("status") == "True":
        return sentence(stalled)
    undone = (condition(conditions, step) for step in _STEPS)
    first = next((step for step in undone if step is not None and step.get("status") != "True"), None)
    return sentence(first or condition(conditions, "Ready") or {})


def sentence(found: Item) -> str:
    """A condition as `Reason: message`."""
    reason, message = str(found.get("reason") or ""), str(found.get("message") or "")
    return f"{reason}: {message}" if reason and message else reason or message


def progress_of(training: Item) -> str:
    """Where a training is: its state with the place in the queue and what it waits for, or with what it does."""
    state = str(training.get("state") or "")
    if state == "Queued" and training.get("position"):
        place = f"{state}, number {training['position']} in the queue"
        return f"{place}: {training['waits_for']}" if training.get("waits_for") else place
    reason = str(training.get("reason") or "")
    words = f"{state}, {reason}" if reason and reason != state else state
    message = str(training.get("message") or "") or _how_far(training.get("progress") or {})
    return f"{words}: {message}" if message else words


def _how_far(progress: Item) -> str:
    """The step that the engine is at, and how much of it is done where it tells."""
    percent = progress.get("percent")
    return ", ".join(filter(None, (str(progress.get("step") or ""), "" if percent is None else f"{percent} %")))
