"""Progress lines with elapsed seconds, on standard error so that results stay alone on standard output."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO


class Progress:
    """Prints one line when a step ends, with the seconds it took and the seconds since the command began."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._began = clock()

    def say(self, message: str) -> None:
        """Print one line."""
        print(f"{self._clock() - self._began:6.1f} s  {message}", file=self._stream or sys.stderr, flush=True)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Report the enclosed work as one step; a step that fails is reported as such and its error goes on."""
        began = self._clock()
        try:
            yield
        except BaseException:
            self.say(f"{name}: failed")
            raise
        self.say(f"{name} ({self._clock() - began:.1f} s)")
