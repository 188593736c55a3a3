"""Following what goes on: an assistant's live state, and a training with its log."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from studio.cli import words
from studio.cli.client import url_path
from studio.cli.errors import CliError, Refused
from studio.cli.program import Program
from studio.cli.sse import OPENED, Event

_QUEUE_PAUSE = 2.0


class TimedOut(CliError):
    """What was waited for did not come in time; it may still come."""


def assistants(program: Program, name: str | None = None) -> Iterator[dict[str, Any]]:
    """The states of one assistant, or of all, as they change; for ever.

    After every break of the connection the state is read again, because changes may have been missed. A deleted
    assistant is told as `{"name": …, "deleted": true}`.
    """
    path = url_path("assistants", name) if name else "/assistants"
    for event in program.api.events(f"{path}/events"):
        if event.name == OPENED:
            yield from [program.api.get(path)] if name else program.api.pages(path)
        elif event.name == "assistant":
            yield json.loads(event.data)
        elif event.name == "deleted":
            yield {**json.loads(event.data), "deleted": True}


def until_served(program: Program, before: dict[str, Any], *, seconds: float) -> dict[str, Any]:
    """Wait until newer content than that of `before` is trained and served; the state then.

    Raises Refused when it cannot become so without new content, TimedOut after `seconds`.
    """
    told = ""
    for state in _newer(program, before, seconds):
        if (progress := _progress(state)) != told:
            program.say(progress)
            told = progress
        if words.is_true(state.get("conditions"), "Stalled"):
            raise Refused(f"Assistant {before['name']} cannot use the new content", words.reason_of(state))
        if state.get("ready"):
            return state
    raise AssertionError("the stream of states never ends by itself")


def until_seen(program: Program, before: dict[str, Any], *, seconds: float) -> dict[str, Any]:
    """Wait until the operator has looked at newer content than that of `before`. Raises as `until_served`."""
    return next(_newer(program, before, seconds))


def training(program: Program, training_id: str, line: Callable[[str], None]) -> dict[str, Any]:
    """Follow a training to its end: its place in the queue, then its log, a `line` at a time; its final state."""
    path = url_path("trainings", training_id)
    found = program.api.get(path)
    told = ""
    while found.get("state") == "Queued":
        if (progress := words.progress_of(found)) != told:
            program.say(f"{training_id}: {progress}")
            told = progress
        program.world.sleep(_QUEUE_PAUSE)
        found = program.api.get(path)
    log(program, path, line)
    return dict(program.api.get(path))


def log(program: Program, item: str, line: Callable[[str], None]) -> None:
    """Every line of the log of a training or a run (its path below the API), until it ends.

    A broken connection loses and doubles no line.
    """
    _tell(program.api.events(f"{item}/log"), line)


def log_so_far(program: Program, item: str, line: Callable[[str], None], *, silence: float) -> None:
    """The lines that are there by now: up to the end, or to `silence` seconds in which none came."""
    _tell(program.api.tail(f"{item}/log", silence), line)


def _tell(events: Iterable[Event], line: Callable[[str], None]) -> None:
    for event in events:
        if event.name == "end":
            return
        if event.name == "line":
            line(str(json.loads(event.data).get("line", "")))


def demand_success(found: dict[str, Any]) -> None:
    """Raises Refused, with the engine's words, for a training that ended otherwise than well."""
    if found.get("state") != "Succeeded":
        raise Refused(
            f"Training {found.get('id')} ended as {found.get('state')}",
            str(found.get("message") or found.get("reason") or ""),
            remedy=f"Its log: `studio logs {found.get('id')}`.",
        )


def _newer(program: Program, before: dict[str, Any], seconds: float) -> Iterator[dict[str, Any]]:
    """The states of an assistant since the operator looked at newer content than that of `before`."""
    name = str(before["name"])
    deadline = program.world.clock() + seconds
    for state in assistants(program, name):
        if state.get("deleted"):
            raise Refused(f"Assistant {name} was deleted meanwhile")
        if program.world.clock() > deadline:
            raise TimedOut(
                f"Assistant {name} does not serve the new content yet",
                words.reason_of(state),
                remedy=f"It goes on by itself: `studio status --assistant {name} --watch`.",
            )
        if _seen(state) != _seen(before):
            yield state


def _seen(assistant: dict[str, Any]) -> tuple[Any, Any]:
    """What changes as soon as the operator has looked at new content."""
    stalled = words.condition(assistant.get("conditions"), "Stalled") or {}
    return assistant.get("fingerprint"), (stalled.get("status"), stalled.get("message"))


def _progress(assistant: dict[str, Any]) -> str:
    running = assistant.get("training")
    if running and running.get("state") in ("Queued", "Running"):
        return f"training {running.get('id')}: {words.progress_of(running)}"
    return f"{words.state_of(assistant)} {words.reason_of(assistant)}".strip()
