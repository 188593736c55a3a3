"""Who may use the cluster now: many tests beside one another, or one alone that damages what all of them stand on."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Turnstile:
    """A lock of all processes of a run, in a folder of theirs: shared by many, or held by one alone.

    Whoever wants to be alone closes the gate first, so that those who come later wait behind it, and it does not
    wait for ever. A process that ends, however it ends, holds nothing any more.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._gate, self._room = folder / "turnstile-gate.lock", folder / "turnstile-room.lock"

    @contextmanager
    def among_others(self) -> Iterator[None]:
        """Nobody is alone for as long as the block runs."""
        with _holding(self._room, fcntl.LOCK_SH, behind=self._gate):
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else is there for as long as the block runs."""
        with _holding(self._gate, fcntl.LOCK_EX), _holding(self._room, fcntl.LOCK_EX):
            yield


@contextmanager
def _holding(lock: Path, how: int, *, behind: Path | None = None) -> Iterator[None]:
    with lock.open("a") as held:
        if behind is None:
            fcntl.flock(held, how)
        else:
            with _holding(behind, how):
                fcntl.flock(held, how)
        yield
