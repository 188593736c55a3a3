"""The history of a training or of a run."""

from typing import Literal

from studio.cli import render
from studio.cli.client import url_path
from studio.cli.formats import Format
from studio.cli.program import Program


def show(program: Program, kind: Literal["trainings", "runs"], item: str, output: Format) -> None:
    """Who changed it, when, and why; the oldest first. Raises Refused."""
    items = program.api.get(url_path(kind, item, "transitions"))["items"]
    now = program.world.clock()
    columns: list[render.Column] = [
        ("age", lambda each: render.ago(each.get("at"), now)),
        ("from", lambda each: render.state(each.get("from_state"))),
        ("to", lambda each: render.state(each.get("to_state"))),
        ("reason", lambda each: each.get("reason")),
        ("who", lambda each: each.get("who")),
        ("message", lambda each: each.get("message")),
    ]
    render.emit(program, output, items, lambda: render.table(items, columns))
