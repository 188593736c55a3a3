"""Where a list goes on: the last row's place in the order, opaque to the client, checked when it comes back. Pure."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from studio.backend.models.common import EARLIEST, LARGEST_ID, LATEST, Page
from studio.http.problems import Refused

Item = TypeVar("Item")
Place = tuple[datetime | int | str, ...]

_LONGEST = 400
_LONGEST_TEXT = 128


def encode(*place: datetime | int | str) -> str:
    """The cursor of a place in a list's order."""
    parts = [part.isoformat() if isinstance(part, datetime) else part for part in place]
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).rstrip(b"=").decode()


def at_moment(cursor: str) -> tuple[datetime, int]:
    """The place (moment, id) of a cursor. Raises Refused."""
    match _decode(cursor):
        case [str(moment), int(number)]:
            return _moment(moment), _number(number)
    raise _unusable()


def at_name(cursor: str) -> tuple[datetime, str]:
    """The place (moment, name) of a cursor. Raises Refused."""
    match _decode(cursor):
        case [str(moment), str(name)] if len(name) <= _LONGEST_TEXT and "\x00" not in name:
            return _moment(moment), name
    raise _unusable()


def at_number(cursor: str) -> int:
    """The place (a number) of a cursor. Raises Refused."""
    match _decode(cursor):
        case [int(number)]:
            return _number(number)
    raise _unusable()


def at_text(cursor: str) -> str:
    """The place (a text) of a cursor. Raises Refused."""
    match _decode(cursor):
        case [str(text)] if len(text) <= _LONGEST_TEXT and "\x00" not in text:
            return text
    raise _unusable()


def page(items: Sequence[Item], limit: int, place: Callable[[Item], Place]) -> Page[Item]:
    """A page of at most `limit` items; `items` has more if the list goes on, `place` is that of an item."""
    kept = list(items[:limit])
    return Page(items=kept, next_cursor=encode(*place(kept[-1])) if len(items) > limit else None)


def _decode(cursor: str) -> object:
    if len(cursor) > _LONGEST:
        raise _unusable()
    try:
        return json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise _unusable() from None


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _unusable() from None
    if moment.tzinfo is None or not EARLIEST <= moment <= LATEST:
        raise _unusable()
    return moment


def _number(number: int) -> int:
    if isinstance(number, bool) or not 0 <= number <= LARGEST_ID:
        raise _unusable()
    return number


def _unusable() -> Refused:
    return Refused(422, "cursor: it is not one that this list gave; begin without it")
