"""Runs by hand: try an assistant that does not run, or take one away, and what became of them."""

from typing import Annotated

import typer

from studio.cli.formats import Format
from studio.cli.options import AssistantArgument, AssistantFilter, Limit, Output, program_of

app = typer.Typer(no_args_is_help=True, help="List, start and stop the runs of models.")

_RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Id of the run.")]


@app.command("list")
def list_(
    context: typer.Context, assistant: AssistantFilter = None, limit: Limit = 20, output: Output = Format.TABLE
) -> None:
    """Runs, the newest first."""
    from studio.cli import render

    program = program_of(context)
    items = list(program.api.pages("/runs", most=limit, assistant=assistant))
    now = program.world.clock()
    columns: list[render.Column] = [
        ("id", lambda item: item.get("id")),
        ("assistant", lambda item: item.get("assistant")),
        ("model", lambda item: item.get("model_version")),
        ("state", lambda item: render.state(item.get("state"))),
        ("answers", lambda item: render.yes_no(item.get("serving"))),
        ("age", lambda item: render.ago(item.get("requested_at"), now)),
        ("why", lambda item: item.get("waits_for") or item.get("message") or item.get("reason")),
    ]
    render.emit(program, output, items, lambda: render.table(items, columns))


@app.command()
def start(context: typer.Context, assistant: AssistantArgument, output: Output = Format.TABLE) -> None:
    """Run the wanted model, also where nothing shall run, and after a failure or a stop."""
    _ask(context, assistant, "start", "is being started", output)


@app.command()
def stop(context: typer.Context, assistant: AssistantArgument, output: Output = Format.TABLE) -> None:
    """End what runs, until it is started or another model is wanted."""
    _ask(context, assistant, "stop", "is being stopped", output)


@app.command()
def history(context: typer.Context, run: _RunArgument, output: Output = Format.TABLE) -> None:
    """Who changed a run, when, and why; the oldest first."""
    from studio.cli.history import show

    show(program_of(context), "runs", run, output)


def _ask(context: typer.Context, assistant: str, what: str, said: str, output: Format) -> None:
    from studio.cli import render
    from studio.cli.client import url_path

    program = program_of(context)
    found = program.api.post(url_path("assistants", assistant, "run", what))
    program.say(f"{assistant} {said}: {found['id']}")
    if output is not Format.TABLE:
        render.emit(program, output, found, lambda: "")
