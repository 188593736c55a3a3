"""What people and assistants said: find, read, tag, flag, delete."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from studio.cli.cleaning import clean
from studio.cli.errors import UsageError
from studio.cli.formats import Format
from studio.cli.options import AssistantFilter, Limit, Output, Yes, confirm, program_of
from studio.cli.program import Program

app = typer.Typer(no_args_is_help=True, help="Find, read, tag, flag and delete conversations.")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_Id = Annotated[str, typer.Argument(metavar="CONVERSATION", help="Id of the conversation.")]
_Tags = Annotated[list[str], typer.Argument(metavar="TAG...")]


@app.command("list")
def list_(
    context: typer.Context,
    *,
    assistant: AssistantFilter = None,
    since: Annotated[str | None, typer.Option("--from", help="RFC 3339 time, or an age such as 2h or 7d.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="The same.")] = None,
    intent: Annotated[str | None, typer.Option("--intent")] = None,
    action: Annotated[str | None, typer.Option("--action")] = None,
    channel: Annotated[str | None, typer.Option("--channel")] = None,
    tag: Annotated[str | None, typer.Option("--tag")] = None,
    flagged: Annotated[bool | None, typer.Option("--flagged/--not-flagged", help="With or without open flags.")] = None,
    text: Annotated[str | None, typer.Option("--text", help="Words that were said.")] = None,
    min_confidence: Annotated[float | None, typer.Option("--min-confidence", min=0.0, max=1.0)] = None,
    max_confidence: Annotated[float | None, typer.Option("--max-confidence", min=0.0, max=1.0)] = None,
    limit: Limit = 20,
    output: Output = Format.TABLE,
) -> None:
    """Conversations that meet all that is asked for, the newest first."""
    from studio.cli import render

    program = program_of(context)
    filters: dict[str, Any] = {
        "assistant": assistant, "from": moment(since, program, "--from"), "to": moment(until, program, "--to"),
        "intent": intent, "action": action, "channel": channel, "tag": tag, "flagged": flagged, "text": text,
        "min_confidence": min_confidence, "max_confidence": max_confidence,
    }  # fmt: skip
    items = list(program.api.pages("/conversations", most=limit, **filters))
    now = program.world.clock()
    columns: list[render.Column] = [
        ("id", lambda item: item.get("id")),
        ("assistant", lambda item: item.get("assistant_id")),
        ("sender", lambda item: item.get("sender_id")),
        ("channel", lambda item: item.get("channel")),
        ("user", lambda item: item.get("user_messages")),
        ("bot", lambda item: item.get("bot_messages")),
        ("tags", lambda item: ", ".join(item.get("tags") or [])),
        ("flags", lambda item: item.get("flags")),
        ("last", lambda item: render.ago(item.get("last_event_at"), now)),
        ("preview", lambda item: item.get("preview")),
    ]
    render.emit(program, output, items, lambda: render.table(items, columns))


@app.command()
def show(
    context: typer.Context,
    conversation: _Id,
    everything: Annotated[bool, typer.Option("--all", help="Every event, not only what was said and done.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """One conversation, as it went."""
    from studio.cli import render

    program = program_of(context)
    found = program.api.get(_path(conversation))
    render.emit(program, output, found, lambda: _story(found, everything=everything))


@app.command()
def tag(context: typer.Context, conversation: _Id, tags: _Tags) -> None:
    """Give a conversation tags."""
    program = program_of(context)
    for word in tags:
        program.api.put(_path(conversation, "tags", word))
    program.say(f"Conversation {conversation} is tagged {', '.join(tags)}.")


@app.command()
def untag(context: typer.Context, conversation: _Id, tags: _Tags) -> None:
    """Take tags away."""
    program = program_of(context)
    for word in tags:
        program.api.delete(_path(conversation, "tags", word))
    program.say(f"Conversation {conversation} is not tagged {', '.join(tags)} any more.")


@app.command()
def flag(
    context: typer.Context,
    conversation: _Id,
    reason: Annotated[str, typer.Option("--reason", "-r", help="What is wrong.")],
    event: Annotated[int | None, typer.Option("--event", help="Number of the event, as `show` gives it.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Flag a conversation, or one message of it, for somebody to look at."""
    from studio.cli import render

    program = program_of(context)
    body = {"reason": reason} | ({"event_seq": event} if event is not None else {})
    made = program.api.post(_path(conversation, "flags"), body)
    program.say(f"Conversation {conversation} has the flag {made.get('id')}.")
    if output is not Format.TABLE:
        render.emit(program, output, made, lambda: "")


@app.command()
def unflag(context: typer.Context, conversation: _Id, flag_id: Annotated[str, typer.Argument(metavar="FLAG")]) -> None:
    """Resolve a flag."""
    program = program_of(context)
    program.api.delete(_path(conversation, "flags", flag_id))
    program.say(f"The flag {flag_id} is resolved.")


@app.command()
def tags(context: typer.Context, output: Output = Format.TABLE) -> None:
    """All tags, and how many conversations have them."""
    from studio.cli import render

    program = program_of(context)
    items = program.api.get("/conversation-tags")["items"]
    columns: list[render.Column] = [("tag", lambda item: item.get("tag")), ("count", lambda item: item.get("count"))]
    render.emit(program, output, items, lambda: render.table(items, columns))


@app.command()
def delete(context: typer.Context, conversation: _Id, yes: Yes = False) -> None:
    """Delete a conversation for good."""
    program = program_of(context)
    confirm(program, f"Delete the conversation {conversation} for good?", yes=yes)
    program.api.delete(_path(conversation))
    program.say(f"Conversation {conversation} is deleted.")


def moment(text: str | None, program: Program, option: str) -> str | None:
    """An RFC 3339 time, from one or from an age such as `2h`. Raises UsageError."""
    if not text:
        return None
    if text[:-1].isdecimal() and text[-1] in _UNITS:
        try:
            return (
                datetime.fromtimestamp(program.world.clock(), UTC) - timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
            ).isoformat()
        except (OverflowError, ValueError) as error:
            raise UsageError(f"{option} lies too far back", f"{text!r}.") from error
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{option} is not a time", f"{text!r}.", remedy="Write 2026-11-21T08:00:00Z, or 7d."
        ) from error
    return (found if found.tzinfo else found.astimezone()).isoformat()


def _path(*segments: str) -> str:
    from studio.cli.client import url_path

    return url_path("conversations", *segments)


def _story(found: dict[str, Any], *, everything: bool) -> Any:
    from rich.console import Group
    from rich.text import Text

    from studio.cli import render

    head = render.sheet(
        [
            ("conversation", found.get("id")),
            ("assistant", found.get("assistant_id")),
            ("sender", found.get("sender_id")),
            ("channel", found.get("channel")),
            ("tags", ", ".join(found.get("tags") or []) or None),
            ("open flags", found.get("flags") or None),
        ]
    )
    lines = Text()
    for event in found.get("events") or []:
        if everything or event.get("type") in ("user", "bot", "action"):
            lines.append_text(_line(event))
    flags = [render.cell(_flag(flag)) for flag in found.get("flag_list") or []]
    return Group(head, *flags, Text(), lines)


def _flag(flag: dict[str, Any]) -> str:
    where = f", event {flag['event_seq']}" if flag.get("event_seq") is not None else ""
    ended = f" (resolved by {flag.get('resolved_by')})" if flag.get("resolved_at") else ""
    return f"flag {flag.get('id')} by {flag.get('created_by')}{where}: {flag.get('reason')}{ended}"


def _line(event: dict[str, Any]) -> Any:
    from rich.text import Text

    from studio.cli import render

    moment_ = render.parse_time(event.get("at"))
    time = moment_.astimezone().strftime("%H:%M:%S") if moment_ else "--:--:--"
    line = Text(f"{event.get('seq'):>6}  {time}  ", style="dim")
    kind = str(event.get("type"))
    if kind == "user":
        line.append("user  ", style="bold cyan").append(clean(str(event.get("text") or "")))
        if event.get("intent"):
            line.append(clean(f"  [{event['intent']} {event.get('confidence') or 0:.2f}]"), style="dim")
    elif kind == "bot":
        line.append("bot   ", style="bold green").append(clean(str(event.get("text") or "")))
    else:
        line.append(clean(f"{kind} {event.get('action') or event.get('text') or ''}"), style="dim")
    return line.append("\n")
