"""Pauses between attempts: exponential, with jitter, so that many lanes do not come back in step."""

import random

FIRST_SECONDS = 0.1
LONGEST_SECONDS = 10.0


class Backoff:
    """The pauses of one loop; `reset` after a success."""

    def __init__(self) -> None:
        self._next = FIRST_SECONDS

    def pause(self) -> float:
        """Seconds to wait before the next attempt."""
        seconds = self._next * random.uniform(0.5, 1.0)  # noqa: S311
        self._next = min(self._next * 2, LONGEST_SECONDS)
        return seconds

    def reset(self) -> None:
        """Begin with short pauses again."""
        self._next = FIRST_SECONDS
