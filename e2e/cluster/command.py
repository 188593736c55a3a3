"""Runs other programs with a time limit and turns their failures into one sentence."""

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from cluster.errors import ClusterError

SHOWN_WORDS = 6


class CommandError(ClusterError):
    """A program was missing, failed or took too long."""


def run(argv: Sequence[str | Path], *, timeout: float = 60, text: str | None = None, cwd: Path | None = None) -> str:
    """Run a program to its end and return its standard output.

    Args:
        argv: program and arguments.
        timeout: seconds until the program is killed.
        text: standard input, by default empty.
        cwd: working directory of the program.

    Raises:
        CommandError: the program is missing, exits with another status than 0, or takes longer than ``timeout``.
    """
    words = [str(word) for word in argv]
    shown = shlex.join(words[:SHOWN_WORDS]) + (" …" if words[SHOWN_WORDS:] else "")
    try:
        # An empty input instead of none: the program must not wait for the terminal.
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=timeout, cwd=cwd, input=text or "", check=False
        )
    except FileNotFoundError as error:
        raise CommandError(f"The program {words[0]!r} is not installed.") from error
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"`{shown}` did not end within {timeout:g} s.") from error
    if done.returncode:
        reason = (done.stderr.strip() or done.stdout.strip() or "no output")[-2000:]
        raise CommandError(f"`{shown}` failed with status {done.returncode}: {reason}")
    return done.stdout


def succeeds(argv: Sequence[str | Path], *, timeout: float = 60) -> bool:
    """Tell whether a program exists and ends with status 0 in time."""
    try:
        run(argv, timeout=timeout)
    except CommandError:
        return False
    return True
