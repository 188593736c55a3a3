"""Messages that could not be stored as events: see why, and replay them."""

from typing import Annotated

import typer

from studio.cli.errors import UsageError
from studio.cli.formats import Format
from studio.cli.options import Limit, Output, Yes, confirm, program_of

app = typer.Typer(no_args_is_help=True, help="List and replay messages that could not be stored.")


@app.command("list")
def list_(context: typer.Context, limit: Limit = 20, output: Output = Format.TABLE) -> None:
    """Dead letters with their reason and origin, the newest first."""
    from studio.cli import render

    program = program_of(context)
    items = list(program.api.pages("/dead-letters", most=limit))
    now = program.world.clock()
    columns: list[render.Column] = [
        ("id", lambda item: item.get("id")),
        ("topic", lambda item: item.get("topic")),
        ("origin", lambda item: f"{item.get('partition')}:{item.get('offset')}"),
        ("reason", lambda item: item.get("reason")),
        ("detail", lambda item: item.get("detail")),
        ("age", lambda item: render.ago(item.get("created_at"), now)),
        ("replayed", lambda item: item.get("replay_result") or render.yes_no(item.get("replayed_at"))),
    ]
    render.emit(program, output, items, lambda: render.table(items, columns))


@app.command()
def replay(
    context: typer.Context,
    *,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Which ones.")] = None,
    topic: Annotated[str | None, typer.Option("--topic", help="All of this topic.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="All of this reason.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    yes: Yes = False,
) -> None:
    """Ask for dead letters to be read again."""
    from studio.cli.client import url_path

    program = program_of(context)
    chosen = {name: value for name, value in (("topic", topic), ("reason", reason)) if value}
    if bool(ids) + bool(chosen) + everything != 1:
        raise UsageError("Which dead letters?", "Give ids, or --topic and --reason, or --all.")
    if ids:
        for letter in ids:
            program.api.post(url_path("dead-letters", letter, "replay"))
        requested = len(ids)
    else:
        confirm(program, "Replay all dead letters?" if everything else f"Replay all of {chosen}?", yes=yes)
        requested = int(program.api.post("/dead-letters/replay", chosen)["requested"])
    program.say(f"{requested} replays are requested; `studio dead-letters list` shows the results.")
