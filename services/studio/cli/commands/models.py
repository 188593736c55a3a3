"""Trained models: list, download, and which one answers."""

import hashlib
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from studio.cli.errors import Refused, Unreachable
from studio.cli.formats import Format
from studio.cli.options import AssistantArgument, Limit, Output, program_of

app = typer.Typer(no_args_is_help=True, help="List, download and tag models.")
LATEST = "latest"
_Version = Annotated[str, typer.Argument(metavar="VERSION", help="Version of the model, or latest.")]
_Tags = Annotated[list[str], typer.Argument(metavar="TAG...")]


@app.command("list")
def list_(
    context: typer.Context, assistant: AssistantArgument, limit: Limit = 20, output: Output = Format.TABLE
) -> None:
    """The models of an assistant, the newest first; `*` marks the one that answers."""
    from studio.cli import render
    from studio.cli.client import url_path

    program = program_of(context)
    items = list(program.api.pages(url_path("assistants", assistant, "models"), most=limit))
    now = program.world.clock()
    columns: list[render.Column] = [
        ("", lambda item: "*" if item.get("active") else " "),
        ("version", lambda item: item.get("version")),
        ("size", lambda item: render.size(item.get("size"))),
        ("sha256", lambda item: str(item.get("sha256") or "")[:12]),
        ("took", lambda item: None if item.get("seconds") is None else render.duration(item["seconds"])),
        ("parent", lambda item: item.get("parent")),
        ("tags", lambda item: ", ".join(item.get("tags") or [])),
        ("training", lambda item: item.get("training")),
        ("age", lambda item: render.ago(item.get("trained_at"), now)),
    ]
    render.emit(program, output, items, lambda: render.table(items, columns))


@app.command()
def download(
    context: typer.Context,
    assistant: AssistantArgument,
    version: _Version = LATEST,
    file: Annotated[
        Path | None, typer.Option("--file", help="Where to put it; default ASSISTANT-VERSION.tar.gz.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Download a model; its digest is checked."""
    from studio.cli.client import url_path

    program = program_of(context)
    target = file or Path(f"{assistant}-{version}.tar.gz")
    if target.exists() and not force:
        raise Refused(f"{target} exists", remedy="Choose another --file, or add --force.")
    path = url_path("assistants", assistant, "models", version, "download")
    partial = target.with_name(target.name + ".part")
    try:
        with program.api.download(path) as response, partial.open("wb") as handle:
            found = hashlib.sha256()
            for piece in response.iter_raw():
                found.update(piece)
                handle.write(piece)
            handle.flush()
            os.fsync(handle.fileno())
        expected = response.headers.get("etag", "").removeprefix("W/").strip('"').removeprefix("sha256:")
        if expected != found.hexdigest():
            raise Unreachable("The model did not arrive whole", f"sha256 is {found.hexdigest()}, expected {expected}.")
        partial.replace(target)
    except OSError as error:
        raise Refused(f"{target} cannot be written", error.strerror or str(error)) from error
    finally:
        partial.unlink(missing_ok=True)
    program.out.print(str(target), markup=False, soft_wrap=True)


@app.command()
def tag(context: typer.Context, assistant: AssistantArgument, version: _Version, tags: _Tags) -> None:
    """Tag a model; it is kept as long as it has a tag."""
    program = program_of(context)
    for word in tags:
        program.api.put(_tag_path(assistant, version, word))
    program.say(f"Model {version} of {assistant} is tagged {', '.join(tags)}.")


@app.command()
def untag(context: typer.Context, assistant: AssistantArgument, version: _Version, tags: _Tags) -> None:
    """Take tags away."""
    program = program_of(context)
    for word in tags:
        program.api.delete(_tag_path(assistant, version, word))
    program.say(f"Model {version} of {assistant} is not tagged {', '.join(tags)} any more.")


def _tag_path(assistant: str, version: str, tag: str) -> str:
    from studio.cli.client import url_path

    return url_path("assistants", assistant, "models", version, "tags", tag)


def activate(
    context: typer.Context, assistant: AssistantArgument, version: _Version, output: Output = Format.TABLE
) -> None:
    """Let another model answer: a version stays until the next call, `latest` follows the trainings."""
    from studio.cli import render
    from studio.cli.client import url_path

    program = program_of(context)
    found: dict[str, Any] = program.api.post(url_path("assistants", assistant, "models", version, "activate"))
    program.say(f"Model {found.get('version')} of {assistant} is wanted; the running one answers until it is ready.")
    if output is not Format.TABLE:
        render.emit(program, output, found, lambda: "")
