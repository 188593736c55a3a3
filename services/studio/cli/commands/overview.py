"""The state of a Studio as a tree: the Studio, its components, its assistants."""

from typing import Annotated, Any

import typer

from studio.cli.cleaning import clean
from studio.cli.errors import CliError, UsageError
from studio.cli.formats import Format
from studio.cli.options import AssistantFilter, Output, program_of
from studio.cli.program import Program


def status(
    context: typer.Context,
    assistant: AssistantFilter = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Stay, and show every change.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """What works, what does not, and why."""
    from studio.cli import render

    program = program_of(context)
    if watch:
        if output is Format.YAML:
            raise UsageError("--watch prints tables or JSON", remedy="Use -o json: one document a line.")
        _watch(program, assistant, output)
        return
    found = _read(program, assistant)
    render.emit(program, output, found, lambda: _tree(program, found))


def _read(program: Program, assistant: str | None) -> dict[str, Any]:
    from studio.cli.client import url_path

    named = [program.api.get(url_path("assistants", assistant))] if assistant else program.api.pages("/assistants")
    return {"studio": program.api.get("/status"), "assistants": list(named)}


def _watch(program: Program, assistant: str | None, output: Format) -> None:
    """Every change: redrawn on a terminal, else a line (or a JSON document) for each."""
    from rich.live import Live

    from studio.cli import following

    changes = following.assistants(program, assistant)
    if output is Format.JSON or not program.out.is_terminal:
        told: dict[str, str] = {}
        for change in changes:
            name, line = str(change["name"]), _line(change, output)
            if told.get(name) != line:
                told[name] = line
                program.out.file.write(line + "\n")
                program.out.file.flush()
        return
    found = _read(program, assistant)
    known = {item["name"]: item for item in found["assistants"]}
    with Live(_tree(program, found), console=program.out, auto_refresh=False) as live:
        for change in changes:
            known[change["name"]] = change
            if change.get("deleted"):
                del known[change["name"]]
            # The Studio's own state has no stream; an assistant's change is a good moment to look again.
            found = {"studio": _studio(program, found), "assistants": [known[name] for name in sorted(known)]}
            live.update(_tree(program, found), refresh=True)


def _studio(program: Program, found: dict[str, Any]) -> Any:
    try:
        return program.api.get("/status")
    except CliError:
        return found["studio"]


def _line(change: dict[str, Any], output: Format) -> str:
    import json

    from studio.cli import words

    if output is Format.JSON:
        return json.dumps(change, ensure_ascii=False)
    if change.get("deleted"):
        return clean(f"{change['name']} deleted")
    return clean(f"{change['name']} {words.state_of(change)} {words.reason_of(change)}".rstrip())


def _tree(program: Program, found: dict[str, Any]) -> Any:
    from rich.tree import Tree

    from studio.cli import render, words

    studio = found["studio"]
    word = "ready" if studio.get("ready") else "not ready"
    root = Tree(_label(f"{studio.get('name')}", word, f"in {studio.get('namespace')}, {studio.get('version') or '-'}"))
    for condition in studio.get("conditions") or []:
        if condition.get("type") in _ABNORMAL:
            bad = condition.get("status") == "True"
        else:
            bad = condition.get("status") != "True"
        if bad and condition.get("type") != "Ready":
            root.add(render.cell(f"! {condition.get('type')}: {words.sentence(condition)}"))
    components = root.add(render.cell("components"))
    for part in studio.get("components") or []:
        ready, desired = part.get("ready", 0), part.get("desired", 0)
        components.add(
            _label(str(part.get("name")), "ready" if ready >= desired else "not ready", f"{ready}/{desired}")
        )
    ingestion = studio.get("ingestion") or {}
    lag, letters = ingestion.get("lag"), ingestion.get("dead_letters")
    components.add(render.cell(f"events: {lag} behind, {letters} dead letters"))
    assistants = root.add(render.cell(f"assistants ({studio.get('running_slots') or 0} running slots)"))
    for item in found["assistants"]:
        _add_assistant(assistants, item, program.world.clock())
    return root


_ABNORMAL = frozenset({"Stalled", "Degraded", "Paused", "Reconciling"})


def _add_assistant(parent: Any, item: dict[str, Any], now: float) -> None:
    from studio.cli import render, words

    answers = "answers" if item.get("available") else "does not answer"
    node = parent.add(_label(str(item.get("name")), words.state_of(item), answers))
    if reason := words.reason_of(item):
        node.add(render.cell(reason))
    if (training := item.get("training")) and training.get("state") not in words.FINAL_TRAININGS:
        node.add(render.cell(f"training {training.get('id')}: {words.progress_of(training)}"))
    if model := item.get("model"):
        node.add(render.cell(f"model {model.get('version')}, trained {render.ago(model.get('trained_at'), now)} ago"))
    if run := item.get("run"):
        node.add(render.cell(f"run {run.get('id')}: {run.get('state')}"))


def _label(name: str, state: str, rest: str) -> Any:
    from studio.cli import render

    return render.cell(name).append(" ").append_text(render.state(state)).append(" ").append(clean(rest))
