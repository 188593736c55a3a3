"""Trainings: request, list, cancel, repeat, move in the queue, and what became of them."""

from typing import Annotated, Any

import typer

from studio.cli.formats import Format
from studio.cli.options import AssistantArgument, AssistantFilter, Limit, Output, program_of
from studio.cli.program import Program

app = typer.Typer(no_args_is_help=True, help="List, cancel, repeat and move trainings.")

_TrainingArgument = Annotated[str, typer.Argument(metavar="TRAINING", help="Id of the training.")]


def train(
    context: typer.Context,
    assistant: AssistantArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show the log until the training ends.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Request a training of the published content."""
    from studio.cli import following, render
    from studio.cli.client import url_path

    program = program_of(context)
    found = program.api.post(url_path("assistants", assistant, "trainings"))
    if _told_of_model(program, output, found):
        return
    if follow:
        found = following.training(program, found["id"], program.say)
    render.emit(program, output, found, lambda: _sheet(found))
    if follow:
        following.demand_success(found)


@app.command("list")
def list_(
    context: typer.Context,
    assistant: AssistantFilter = None,
    state: Annotated[str | None, typer.Option("--state", help="Queued, Running, Succeeded, Failed, …")] = None,
    limit: Limit = 20,
    output: Output = Format.TABLE,
) -> None:
    """Trainings, the newest first."""
    from studio.cli import render, words

    program = program_of(context)
    items = list(program.api.pages("/trainings", most=limit, assistant=assistant, state=state))
    now = program.world.clock()
    columns: list[render.Column] = [
        ("id", lambda item: item.get("id")),
        ("assistant", lambda item: item.get("assistant")),
        ("state", lambda item: render.state(item.get("state"))),
        ("model", lambda item: item.get("model_version")),
        ("took", _took),
        ("starts in", _starts_in),
        ("age", lambda item: render.ago(item.get("requested_at"), now)),
        ("how", words.progress_of),
    ]
    render.emit(program, output, items, lambda: render.table(items, columns))


@app.command()
def cancel(context: typer.Context, training: _TrainingArgument, output: Output = Format.TABLE) -> None:
    """Cancel a training that waits or runs."""
    from studio.cli import render
    from studio.cli.client import url_path

    program = program_of(context)
    found = program.api.post(url_path("trainings", training, "cancel"))
    program.say(f"Training {training} is being cancelled.")
    if output is not Format.TABLE:
        render.emit(program, output, found, lambda: "")


@app.command()
def retry(context: typer.Context, training: _TrainingArgument, output: Output = Format.TABLE) -> None:
    """Train the content of a training that has ended once more."""
    from studio.cli import render
    from studio.cli.client import url_path

    program = program_of(context)
    found = program.api.post(url_path("trainings", training, "retry"))
    if not _told_of_model(program, output, found):
        render.emit(program, output, found, lambda: _sheet(found))


@app.command()
def priority(
    context: typer.Context,
    training: _TrainingArgument,
    priority: Annotated[int, typer.Argument(min=-1000, max=1000, help="Higher ones start first; usual is 0.")],
    output: Output = Format.TABLE,
) -> None:
    """Move a training that waits. A negative number needs `--` before it."""
    from studio.cli import render
    from studio.cli.client import url_path

    program = program_of(context)
    found = program.api.post(url_path("trainings", training, "priority"), {"priority": priority})
    render.emit(program, output, found, lambda: _sheet(found))


@app.command()
def history(context: typer.Context, training: _TrainingArgument, output: Output = Format.TABLE) -> None:
    """Who changed a training, when, and why; the oldest first."""
    from studio.cli.history import show

    show(program_of(context), "trainings", training, output)


def _took(item: Any) -> str | None:
    from studio.cli import render

    began, ended = render.parse_time(item.get("started_at")), render.parse_time(item.get("finished_at"))
    return render.duration((ended - began).total_seconds()) if began and ended else None


def _starts_in(item: Any) -> str | None:
    from studio.cli import render

    seconds = item.get("starts_in")
    return None if seconds is None else render.duration(seconds)


def _told_of_model(program: Program, output: Format, found: dict[str, Any]) -> bool:
    """Say so and give the model if nothing is trained, because the same was trained before."""
    from studio.cli import render

    if found.get("reason") != "CacheHit":
        return False
    program.say(f"Nothing to train: {found['message']}.")
    if output is not Format.TABLE:
        render.emit(program, output, found, lambda: "")
    return True


def _sheet(found: dict[str, Any]) -> Any:
    from studio.cli import render, words

    return render.sheet(
        [
            ("training", found.get("id")),
            ("assistant", found.get("assistant")),
            ("state", words.progress_of(found)),
            ("model", found.get("model_version")),
        ]
    )
