"""A Rasa project on disk and the content of an assistant: push and pull."""

from pathlib import Path
from typing import Annotated, Any

import typer

from studio.cli import link, merging, project
from studio.cli.errors import Refused, UsageError
from studio.cli.formats import Format
from studio.cli.merging import Change, Plan
from studio.cli.options import LinkedAssistant, Output, ProjectFolder, program_of
from studio.cli.program import Program

DEFAULT_WAIT = 3600
_ARCHIVE_LIMIT = project.TOTAL_LIMIT * 2
_SIGNS = {Change.ADD: "+", Change.UPDATE: "~", Change.DELETE: "-"}

Force = Annotated[bool, typer.Option("--force", help="Overwrite what the other side changed.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


def push(
    context: typer.Context,
    *,
    folder: ProjectFolder = Path(),
    assistant: LinkedAssistant = None,
    message: Annotated[str, typer.Option("--message", "-m", help="What changed, for the list of revisions.")] = "",
    publish: Annotated[bool, typer.Option("--publish/--no-publish", help="Publish, or leave it a draft.")] = True,
    train: Annotated[
        bool, typer.Option("--train", help="Request the training, too, where it is not automatic.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the new content is trained and served.")] = False,
    timeout: Annotated[int, typer.Option("--timeout", min=1, help="Seconds that --wait waits.")] = DEFAULT_WAIT,
    dry_run: DryRun = False,
    force: Force = False,
    output: Output = Format.TABLE,
) -> None:
    """Make a Rasa project the content of an assistant, and publish it."""
    if (train or wait) and not publish:
        raise UsageError("--train and --wait need a publication", remedy="Leave --no-publish out.")
    program = program_of(context)
    name = _assistant(folder, assistant)
    base = _base(program, folder, name)
    local = project.read(folder, also=base or ())
    for path, reason in local.left_out.items():
        program.say(f"  ! {path} stays here: {reason}")
    before = program.api.get(_path(name))
    remote = _draft(program, name)
    plan = merging.push_plan(local.content, remote.content, base)
    _show(program, plan, "changed in the Studio")
    _refuse_push(plan, remote, known=base is not None, force=force)
    result: dict[str, Any] = {"assistant": name, **_as_data(plan), "revision": None}
    if not dry_run:
        if plan.changes:
            program.api.put(_path(name, "content", "archive"), project.pack(local.content), "application/zip")
        link.write(folder, program.context.url, name, local.content)
        result["revision"] = _publish(program, name, message) if publish else None
        if train or wait:
            _see_through(program, before, result["revision"], train=train, wait=wait, seconds=timeout)
    _result(program, output, result)


def pull(
    context: typer.Context,
    *,
    folder: ProjectFolder = Path(),
    assistant: LinkedAssistant = None,
    revision: Annotated[
        int | None, typer.Option("--revision", help="A published revision; default: the draft.")
    ] = None,
    dry_run: DryRun = False,
    force: Force = False,
    output: Output = Format.TABLE,
) -> None:
    """Bring the content of an assistant into a folder. Local changes stay; where both changed, local wins."""
    program = program_of(context)
    name = _assistant(folder, assistant)
    if folder.exists() and not folder.is_dir():
        raise Refused(f"{folder} is not a folder")
    remote = _archive(program, name, revision)
    local = project.read(folder, also=remote, whole=False).content if folder.exists() else {}
    plan = merging.pull_plan(local, remote, _base(program, folder, name), force=force)
    _show(program, plan, "changed on both sides; yours stays")
    if not dry_run:
        folder.mkdir(parents=True, exist_ok=True)
        for path, change in plan.changes.items():
            if change is Change.DELETE:
                project.remove(folder, path)
            else:
                project.write(folder, path, remote[path])
        # What stays as it is here keeps its old base, so that the next pull finds the same difference again.
        _remember(program, folder, name, remote, plan)
    _result(program, output, {"assistant": name, **_as_data(plan)})
    if plan.clashes:
        raise Refused(
            "Files changed on both sides; yours were kept",
            ", ".join(plan.clashes) + ".",
            remedy="Push yours with --force, or take the Studio's: `studio pull --force`.",
        )


class _Draft:
    """The draft in the Studio: its content, and whether it holds changes that nobody has published."""

    def __init__(self, content: dict[str, str], *, unpublished: bool) -> None:
        self.content = content
        self.unpublished = unpublished


def _draft(program: Program, name: str) -> _Draft:
    found = program.api.get(_path(name, "content"))
    draft = found.get("draft") or {}
    content = _archive(program, name, None) if draft.get("files") else {}
    return _Draft(content, unpublished=bool(draft.get("changed")) and bool(found.get("published")))


def _archive(program: Program, name: str, revision: int | None) -> dict[str, str]:
    data = b""
    with program.api.download(_path(name, "content", "archive"), revision=revision) as response:
        for piece in response.iter_bytes():
            data += piece
            if len(data) > _ARCHIVE_LIMIT:
                raise Refused("The Studio's archive is too large", f"More than {_ARCHIVE_LIMIT >> 20} MiB.")
    return project.unpack(data)


def _refuse_push(plan: Plan, remote: _Draft, *, known: bool, force: bool) -> None:
    if force or not plan.changes:
        return
    if plan.clashes:
        raise Refused(
            "The Studio's draft changed since your last push or pull",
            ", ".join(plan.clashes) + ".",
            remedy="Take the changes first: `studio pull`, or overwrite them: --force.",
        )
    if not known and remote.unpublished:
        raise Refused(
            "The Studio's draft has changes that nobody has published, and this folder has never seen them",
            remedy="Take them first: `studio pull`, or overwrite them: --force.",
        )


def _publish(program: Program, name: str, message: str) -> int | None:
    content = program.api.get(_path(name, "content"))
    published = content.get("published") or {}
    if published and not (content.get("draft") or {}).get("changed"):
        program.say(f"Nothing to publish: revision {published.get('revision')} has this content.")
        return None
    made = program.api.post(_path(name, "content", "publish"), {"message": message})
    program.say(f"Published as revision {made['revision']}.")
    return int(made["revision"])


def _see_through(
    program: Program, before: dict[str, Any], revision: int | None, *, train: bool, wait: bool, seconds: int
) -> None:
    from studio.cli import following

    name = str(before["name"])
    if revision is None and before.get("ready"):
        program.say("It is trained and served already.")
        return
    if train:
        following.until_seen(program, before if revision is not None else {"name": name}, seconds=seconds)
        requested = program.api.post(_path(name, "trainings"))
        following.demand_success(following.training(program, requested["id"], program.say))
    if wait:
        following.until_served(program, before if revision is not None else {"name": name}, seconds=seconds)


def _assistant(folder: Path, named: str | None) -> str:
    if named:
        return named
    known = link.read(folder)
    if known is None:
        raise UsageError(
            "Which assistant?", f"{folder} has not been pushed or pulled yet.", remedy="Name it with --assistant."
        )
    return known.assistant


def _base(program: Program, folder: Path, name: str) -> merging.Base:
    known = link.read(folder)
    return known.base(program.context.url, name) if known else None


def _remember(program: Program, folder: Path, name: str, remote: dict[str, str], plan: Plan) -> None:
    base = dict(_base(program, folder, name) or {})
    unsettled = {*plan.clashes, *plan.kept}
    files = {path: project.digest(text) for path, text in remote.items() if path not in unsettled}
    files |= {path: base[path] for path in unsettled if path in base}
    link.write_digests(folder, program.context.url, name, files)


def _show(program: Program, plan: Plan, clash: str) -> None:
    for path, change in plan.changes.items():
        program.say(f"  {_SIGNS[change]} {path}")
    for path in plan.clashes:
        program.say(f"  ! {path} {clash}")
    if plan.empty:
        program.say("No file differs." if not plan.kept else "Nothing new.")


def _as_data(plan: Plan) -> dict[str, Any]:
    return {"changes": {path: str(change) for path, change in plan.changes.items()}, "clashes": plan.clashes}


def _result(program: Program, output: Format, result: dict[str, Any]) -> None:
    from studio.cli import render

    if output is not Format.TABLE:
        render.emit(program, output, result, lambda: "")


def _path(name: str, *rest: str) -> str:
    from studio.cli.client import url_path

    return url_path("assistants", name, *rest)
