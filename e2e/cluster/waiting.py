"""Waiting for a condition with a deadline."""

import time
from collections.abc import Callable

from cluster.errors import ClusterError


def wait_until(
    what: str,
    condition: Callable[[], bool],
    *,
    seconds: float,
    interval: float = 0.1,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Ask ``condition`` every ``interval`` seconds until it holds.

    Args:
        what: completes the sentence "… did not happen", for example "the node became ready".
        condition: may raise ClusterError to give up at once.
        seconds: the deadline, counted from the call.
        interval: seconds between two questions.
        clock: seconds on any monotonic scale.
        pause: waits for a number of seconds.

    Raises:
        ClusterError: the deadline passed.
    """
    deadline = clock() + seconds
    while not condition():
        if clock() >= deadline:
            raise ClusterError(f"Waited {seconds:g} s in vain until {what}.")
        pause(interval)
