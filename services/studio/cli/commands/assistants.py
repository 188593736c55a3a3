"""The assistants of a Studio."""

from typing import Annotated

import typer

from studio.cli.formats import Format
from studio.cli.options import AssistantArgument, Limit, Output, Yes, confirm, program_of

app = typer.Typer(no_args_is_help=True, help="List, create and delete assistants.")


@app.command("list")
def list_(context: typer.Context, limit: Limit = 100, output: Output = Format.TABLE) -> None:
    """All assistants with their state."""
    from studio.cli import render, words

    program = program_of(context)
    items = list(program.api.pages("/assistants", most=limit))
    now = program.world.clock()
    columns: list[render.Column] = [
        ("name", lambda item: item.get("name")),
        ("state", lambda item: render.state(words.state_of(item))),
        ("answers", lambda item: render.yes_no(item.get("available"))),
        ("language", lambda item: item.get("language")),
        ("source", lambda item: item.get("source")),
        ("model", lambda item: (item.get("model") or {}).get("version")),
        ("age", lambda item: render.ago(item.get("created_at"), now)),
        ("why", words.reason_of),
    ]
    render.emit(program, output, items, lambda: render.table(items, columns))


@app.command()
def create(
    context: typer.Context,
    *,
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and dashes; at most 40.")],
    language: Annotated[
        str, typer.Option("--language", "-l", help="Language of the conversations, such as en.")
    ] = "en",
    display_name: Annotated[str | None, typer.Option("--display-name", help="Name for people.")] = None,
    template: Annotated[str, typer.Option("--template", help="What it starts with: empty or starter.")] = "empty",
    output: Output = Format.TABLE,
) -> None:
    """Create an assistant whose content is edited in the Studio or pushed."""
    from studio.cli import render

    program = program_of(context)
    body = {"name": name, "language": language, "template": template}
    if display_name:
        body["display_name"] = display_name
    made = program.api.post("/assistants", body)
    program.say(f"Assistant {name} is created. Give it content: studio push DIR --assistant {name}")
    if output is not Format.TABLE:
        render.emit(program, output, made, lambda: render.cell(name))


@app.command()
def delete(context: typer.Context, name: AssistantArgument, yes: Yes = False) -> None:
    """Delete an assistant: it stops answering. What happens to its data is its deletionPolicy."""
    from studio.cli.client import url_path

    program = program_of(context)
    path = url_path("assistants", name)
    confirm(program, f"Delete the assistant {name}?", yes=yes)
    program.api.delete(path)
    program.say(f"Assistant {name} is being deleted.")
