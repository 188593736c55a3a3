"""Talking to an assistant."""

import sys
import uuid
from typing import Annotated, Any

import typer

from studio.cli.cleaning import clean
from studio.cli.errors import CliError, NotSignedIn
from studio.cli.formats import Format
from studio.cli.options import AssistantArgument, Output, program_of
from studio.cli.program import Program

_QUIT = frozenset({"/quit", "/exit", "/stop"})
# An engine may call custom actions before it answers.
_ANSWER_SECONDS = 90.0


def chat(
    context: typer.Context,
    assistant: AssistantArgument,
    message: Annotated[
        str | None, typer.Option("--message", "-m", help="Send this one, print the answer, end.")
    ] = None,
    sender: Annotated[str | None, typer.Option("--sender", help="Go on with this sender's conversation.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Talk to an assistant. Buttons are chosen by their number; /quit ends."""
    program = program_of(context)
    sender = sender or f"cli-{uuid.uuid4().hex[:12]}"
    if message is not None:
        answer = _say(program, assistant, sender, message)
        _print(program, output, answer)
        return
    program.say(f"You talk to {assistant} as {sender}. /quit ends.")
    buttons: list[dict[str, Any]] = []
    while (text := _next_line(program)) is not None:
        try:
            answer = _say(program, assistant, sender, _meant(text, buttons))
        except NotSignedIn:
            raise
        except CliError as error:
            if not program.interactive:
                raise
            program.say(f"error: {error.title}: {error.detail}")
            continue
        buttons = [button for reply in answer["messages"] for button in reply.get("buttons") or []]
        _print(program, output, answer)


def _say(program: Program, assistant: str, sender: str, text: str) -> dict[str, Any]:
    import httpx2

    from studio.cli.client import url_path

    body = {"sender": sender, "message": text}
    timeout = httpx2.Timeout(_ANSWER_SECONDS, connect=10.0)
    return dict(program.api.post(url_path("assistants", assistant, "chat"), body, timeout=timeout))


def _print(program: Program, output: Format, answer: dict[str, Any]) -> None:
    from studio.cli import render

    render.emit(program, output, answer, lambda: _view(answer["messages"]))


def _next_line(program: Program) -> str | None:
    """What is typed next, without empty lines; None at the end."""
    while True:
        if program.interactive:
            program.err.print("[bold]you>[/bold] ", end="")
        line = sys.stdin.readline()
        if not line or line.strip() in _QUIT:
            return None
        if line.strip():
            return line.strip()


def _meant(text: str, buttons: list[dict[str, Any]]) -> str:
    """What to send: a number means the button of that number."""
    if text.isdecimal() and 1 <= int(text) <= len(buttons):
        button = buttons[int(text) - 1]
        return str(button.get("payload") or button.get("title"))
    return text


def _view(messages: list[dict[str, Any]]) -> Any:
    from rich.text import Text

    lines = Text()
    number = 0
    for message in messages:
        for text in _parts(message):
            lines.append(clean(text) + "\n")
        for button in message.get("buttons") or []:
            number += 1
            lines.append(f"  {number}. {clean(str(button.get('title')))}\n", style="cyan")
    lines.rstrip()
    return lines or Text("(no answer)", style="dim")


def _parts(message: dict[str, Any]) -> list[str]:
    import json

    parts = [str(message["text"])] if message.get("text") else []
    parts += [f"image: {message['image']}"] if message.get("image") else []
    parts += [json.dumps(message["custom"], ensure_ascii=False)] if message.get("custom") else []
    return parts
