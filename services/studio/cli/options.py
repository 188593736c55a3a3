"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from studio.cli.errors import CliError
from studio.cli.formats import Format
from studio.cli.program import Program

COMPLETION_SECONDS = 3.0


def program_of(context: typer.Context) -> Program:
    """The program that a command runs in."""
    program = context.obj
    if not isinstance(program, Program):
        raise TypeError("the command runs outside of the program")
    return program


def _assistants(incomplete: str) -> list[str]:
    """Names for the shell; silent when the Studio cannot be asked."""
    program = Program()
    try:
        program.http.timeout = COMPLETION_SECONDS
        found = [str(item["name"]) for item in program.api.pages("/assistants")]
    except (CliError, KeyError, TypeError):
        return []
    return [name for name in found if name.startswith(incomplete)]


Output = Annotated[Format, typer.Option("--output", "-o", help="How to print the result.", show_default=True)]
Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most this many.")]
AssistantArgument = Annotated[
    str, typer.Argument(metavar="ASSISTANT", help="Name of the assistant.", autocompletion=_assistants)
]
AssistantFilter = Annotated[
    str | None, typer.Option("--assistant", "-a", help="Only of this assistant.", autocompletion=_assistants)
]
ProjectFolder = Annotated[Path, typer.Argument(metavar="[DIR]", help="Folder of the Rasa project.")]
LinkedAssistant = Annotated[
    str | None,
    typer.Option(
        "--assistant",
        "-a",
        help="The assistant; by default the one of the last push or pull.",
        autocompletion=_assistants,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def confirm(program: Program, question: str, *, yes: bool) -> None:
    """Go on only if the person agrees. Raises CliError without a terminal to ask at, and on a no."""
    if yes:
        return
    if not program.interactive:
        raise CliError("This needs a yes", question, remedy="Add --yes.")
    if not typer.confirm(question, err=True):
        raise CliError("Nothing was done")
