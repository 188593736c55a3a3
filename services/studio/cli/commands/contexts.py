"""Where the Studio is (`config`), the version, and completion."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from studio.cli import config
from studio.cli.config import Context
from studio.cli.errors import CliError
from studio.cli.formats import Format
from studio.cli.options import Output, program_of


class Shell(StrEnum):
    """Shells that can complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


app = typer.Typer(no_args_is_help=True, help="Which Studio to speak to.")
CaFile = Annotated[
    Path | None,
    typer.Option("--ca-file", exists=True, dir_okay=False, resolve_path=True, help="PEM of authorities to trust."),
]


@app.command("set-url")
def set_url(
    context: typer.Context,
    url: Annotated[str, typer.Argument(help="Public address, such as https://studio.example.com.")],
    name: Annotated[str | None, typer.Option("--context", help="Name of the context.")] = None,
    ca_file: CaFile = None,
) -> None:
    """Set the address of a Studio, and use it from now on."""
    program = program_of(context)
    name = name or program.context_name or program.config.current or config.DEFAULT_CONTEXT
    entry = Context(name, config.parse_url(url, "URL"), str(ca_file) if ca_file else None)
    program.save(program.config.with_context(entry))
    program.say(f"Context {name!r} is {entry.url}.")
    if config.travels_readable(entry.url):
        program.say("warning: without https, tokens and conversations can be read on their way.")


@app.command()
def show(context: typer.Context, output: Output = Format.TABLE) -> None:
    """Show all contexts; `*` marks the one in use."""
    from studio.cli import render

    program = program_of(context)
    known = program.config
    items: list[dict[str, Any]] = [
        {"name": entry.name, "url": entry.url, "ca_file": entry.ca_file, "current": entry.name == known.current}
        for entry in known.contexts.values()
    ]
    if url := program.world.environ.get("STUDIO_URL"):
        program.say(f"STUDIO_URL={url} overrules the contexts.")
    columns: list[render.Column] = [
        ("", lambda item: "*" if item["current"] else " "),
        ("name", lambda item: item["name"]),
        ("url", lambda item: item["url"]),
        ("ca file", lambda item: item["ca_file"]),
    ]
    render.emit(program, output, items, lambda: render.table(items, columns))


@app.command()
def use(context: typer.Context, name: Annotated[str, typer.Argument(metavar="CONTEXT")]) -> None:
    """Use another context from now on."""
    program = program_of(context)
    changed = program.config.using(name)
    program.save(changed)
    program.say(f"Context {name!r} is {changed.contexts[name].url}.")


def version(context: typer.Context, output: Output = Format.TABLE) -> None:
    """The version of this program, and of the Studio if it can be asked."""
    from studio.cli import render
    from studio.cli.version import version as own

    program = program_of(context)
    try:
        server = program.studio.get("version")
    except CliError:
        server = None
    data = {"client": own(), "studio": server}
    render.emit(program, output, data, lambda: render.sheet(data.items()))


def completion(
    context: typer.Context,
    shell: Annotated[Shell, typer.Argument(help="The shell to complete in.")] = Shell.BASH,
) -> None:
    """Print a shell's completion script: `source <(studio completion bash)`."""
    # How typer is asked for the script of a shell by name; --show-completion only knows the one that is running.
    os.environ["_STUDIO_COMPLETE"] = f"source_{shell}"
    context.find_root().command.main([], prog_name="studio")
