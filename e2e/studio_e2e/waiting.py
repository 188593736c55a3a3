"""Waits for what should become true, with a deadline and with words for the reader of a failure."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_FIRST_PAUSE = 0.1


class NotYet(Exception):
    """Raised by a probe to say what it sees instead of what is awaited."""


class TimedOut(AssertionError):
    """The deadline passed; the message has what was awaited and what was seen last."""


def eventually(what: str, probe: Callable[[], T | None], *, within: float, every: float = 0.3) -> T:
    """Call `probe` until it returns something true, and return that; at first often, then every `every` seconds.

    `within` are the seconds allowed in all. Raises TimedOut with the last words of the probe.
    """
    deadline, seen, pause = time.monotonic() + within, "nothing", min(_FIRST_PAUSE, every)
    while True:
        try:
            if found := probe():
                return found
            seen = repr(found)
        except NotYet as words:
            seen = str(words)
        if time.monotonic() > deadline:
            raise TimedOut(f"{what}: not within {within:g} s; last seen: {seen}")
        time.sleep(pause)
        pause = min(pause * 2, every)
