"""Server-sent events that survive a broken connection: resumed after the last event that was seen.

https://html.spec.whatwg.org/multipage/server-sent-events.html; the lines are decoded by httpx2.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import httpx2

from studio.cli.errors import Unreachable

# The back end sends a heartbeat at least this often; a connection that is silent for longer is dead.
SILENCE_SECONDS = 45.0
TRIES = 8
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0
# A connection that lasted this long was a good one, even if nothing happened on it.
_GOOD_SECONDS = 5.0
# The name of the event that this module adds whenever a connection stands: what was missed has to be read again.
OPENED = "opened"

Open = Callable[[str | None], AbstractContextManager[httpx2.Response]]


@dataclass(frozen=True)
class Event:
    """One event: its name, its data, and the id after which a stream can be resumed."""

    name: str
    data: str
    id: str


def events(
    open_stream: Open,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    tries: int = TRIES,
) -> Iterator[Event]:
    """The events of a stream, for ever; the caller ends it. Each new connection is told by an event OPENED.

    `open_stream` is given the id of the last event seen, for the header Last-Event-ID. A connection that ends is opened
    again, with back-off and jitter; `tries` in a row that lead nowhere raise Unreachable.
    """
    last_id: str | None = None
    failures = 0
    while True:
        problem = "it ended"
        began = clock()
        try:
            with open_stream(last_id) as response:
                yield Event(OPENED, "", "")
                for event in httpx2.EventSource(response):
                    last_id = event.id or last_id
                    if event.data:
                        failures = 0
                        yield Event(event.event, event.data, event.id)
        except (httpx2.TransportError, Unreachable) as error:
            problem = str(error) or type(error).__name__
        failures = 1 if clock() - began > _GOOD_SECONDS else failures + 1
        if failures >= tries:
            raise Unreachable("The live stream broke off", f"{problem}; tried {tries} times.")
        ceiling = min(_FIRST_PAUSE * 2 ** (failures - 1), _LONGEST_PAUSE)
        sleep(random.uniform(ceiling / 2, ceiling))  # noqa: S311 (jitter)
