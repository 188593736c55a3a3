"""What an engine wrote: the logs of trainings and of runs."""

import re
from typing import Annotated

import typer

from studio.cli.cleaning import clean
from studio.cli.errors import Refused
from studio.cli.options import program_of
from studio.cli.program import Program

# The ids that the model service gives (studio.contract.names).
_TRAINING_ID = re.compile(r".+-t\d+-[0-9a-f]{5}$")
_RUN_ID = re.compile(r".+-r\d+-[0-9a-f]{5}$")
# What is there already comes at once; this long (seconds) without a line, and there is no more by now.
_SILENCE = 2.0


def logs(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="TRAINING|RUN|ASSISTANT", help="Id, or the name of an assistant.")],
    run: Annotated[
        bool, typer.Option("--run", help="Of an assistant: its newest run, not its newest training.")
    ] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the training or the run ends.")] = False,
) -> None:
    """What the engine wrote in a training or a run."""
    from studio.cli import following
    from studio.cli.client import url_path

    program = program_of(context)
    kind, id_ = _item_of(program, what, run=run)

    def write(line: str) -> None:
        program.out.file.write(clean(line) + "\n")
        program.out.file.flush()

    if not follow:
        following.log_so_far(program, url_path(kind, id_), write, silence=_SILENCE)
    elif kind == "trainings":
        following.demand_success(following.training(program, id_, write))
    else:
        following.log(program, url_path(kind, id_), write)


def _item_of(program: Program, what: str, *, run: bool) -> tuple[str, str]:
    """Which part of the API it belongs to, and its id."""
    if _TRAINING_ID.match(what):
        return "trainings", what
    if _RUN_ID.match(what):
        return "runs", what
    kind = "runs" if run else "trainings"
    newest = next(iter(program.api.pages(f"/{kind}", most=1, assistant=what)), None)
    if newest is None:
        made = f"studio runs start {what}" if run else f"studio train {what}"
        raise Refused(f"{what} has no {kind[:-1]}", remedy=f"`studio {kind} list` shows all; `{made}` makes one.")
    return kind, str(newest["id"])
