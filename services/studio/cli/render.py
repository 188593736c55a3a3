"""Data as people and scripts read it: tables, JSON, YAML, and the words for states and times."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from studio.cli.cleaning import clean
from studio.cli.formats import Format
from studio.cli.program import Program

Item = Mapping[str, Any]
Column = tuple[str, Callable[[Any], Any]]

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_KIB = 1024


def emit(program: Program, output: Format, data: Any, view: Callable[[], RenderableType]) -> None:
    """Print a result: `data` as it is for scripts, else its view for people."""
    if output is Format.JSON:
        program.out.file.write(json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n")
    elif output is Format.YAML:
        import yaml

        yaml.safe_dump(data, program.out.file, sort_keys=False, allow_unicode=True)
    else:
        program.out.print(view())


def table(items: Sequence[Item], columns: Sequence[Column]) -> RenderableType:
    """One line an item. An empty list says so."""
    if not items:
        return Text("nothing found", style="dim")
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for header, _ in columns:
        grid.add_column(header.upper(), overflow="fold")
    for item in items:
        grid.add_row(*[cell(read(item)) for _, read in columns])
    return grid


def sheet(rows: Iterable[tuple[str, Any]]) -> RenderableType:
    """One object: a name and a value a line; what is absent is left out."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for name, value in rows:
        if value is not None:
            grid.add_row(Text(name, style="bold"), cell(value))
    return grid


def cell(value: Any) -> Text:
    """A value as text that does nothing to the terminal."""
    if isinstance(value, Text):
        return value
    return Text("-" if value is None or value == "" else clean(str(value)))


def ago(time: str | None, now: float) -> str:
    """How long ago an RFC 3339 time was, such as `5 min`; `-` for none."""
    moment = parse_time(time)
    return "-" if moment is None else duration(max(now - moment.timestamp(), 0.0))


def duration(seconds: float) -> str:
    """The largest unit that fits: `42 s`, `5 min`, `3 h`, `9 d`."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "0 s"


def parse_time(time: str | None) -> datetime | None:
    """An RFC 3339 time; None for none, or for what is not one."""
    try:
        return datetime.fromisoformat(time).astimezone(UTC) if time else None
    except ValueError:
        return None


def size(count: int | None) -> str:
    """Bytes in words: `3.2 MiB`."""
    amount = float(count or 0)
    for unit in ("B", "KiB", "MiB"):
        if amount < _KIB:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= _KIB
    return f"{amount:.1f} GiB"


def yes_no(value: Any) -> str:
    """`yes` or `no`."""
    return "yes" if value else "no"


def state(word: str | None) -> Text:
    """A state, with its colour: the word alone says all, the colour only helps."""
    colour = {
        "Ready": "green", "Succeeded": "green", "yes": "green", "ready": "green", "asleep": "cyan",
        "Running": "yellow", "Queued": "cyan", "Starting": "yellow", "Draining": "yellow",
        "Failed": "red", "stalled": "red", "not ready": "yellow", "paused": "cyan",
    }.get(word or "", "")  # fmt: skip
    return Text(clean(word or "-"), style=colour)
