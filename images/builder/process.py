"""Running programs: output to a log, errors as one sentence with the last lines, progress with elapsed seconds."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from builder.errors import BuildError

_STARTED = time.monotonic()
_LAST_LINES = 15
_HINTS = {
    "No space left on device": "The disk is full: free some space, or set XDG_CACHE_HOME to a larger disk.",
    "Could not resolve": "A package source cannot be reached: check the network and the client configuration.",
    "Temporary failure": "A package source cannot be reached: check the network and the client configuration.",
    "THESE PACKAGES DO NOT MATCH THE HASHES": "A package differs from the lock: do not use it; renew the lock.",
}
_INSTALL = {
    "buildah": "install the packages buildah and mmdebstrap, or use --with docker",
    "mmdebstrap": "install the packages buildah and mmdebstrap, or use --with docker",
    "docker": "install Docker, or use --with buildah",
}


def say(text: str) -> None:
    """One progress line with the seconds since the start."""
    print(f"{time.monotonic() - _STARTED:7.1f} s  {text}", file=sys.stderr, flush=True)


def explain(program: str, code: int, output: str) -> str:
    """Why a program failed: what is known about its output, then its last lines."""
    hint = next((hint for text, hint in _HINTS.items() if text in output), f"{program} ended with code {code}.")
    lines = [line for line in output.replace("\r", "\n").splitlines() if line.strip()]
    return "\n".join([hint, *(f"    {line}" for line in lines[-_LAST_LINES:])])


def not_installed(program: str) -> BuildError:
    """A program is missing."""
    return BuildError(f"{program} is not installed: {_INSTALL.get(program, 'install it first')}.")


def run(command: Sequence[str], *, log: Path, cwd: Path, env: Mapping[str, str] | None = None) -> None:
    """Run a program with its output in a log file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        start = sink.tell()
        try:
            code = subprocess.run(
                command,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                check=False,
            ).returncode
        except FileNotFoundError:
            raise not_installed(command[0]) from None
    if code:
        with log.open("rb") as source:
            source.seek(start)
            output = source.read().decode(errors="replace")
        raise BuildError(f"{explain(command[0], code, output)}\nThe whole output is in {log}.")


def output_of(command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """What a program prints; its failure is an error."""
    try:
        result = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise not_installed(command[0]) from None
    if result.returncode:
        raise BuildError(explain(" ".join(command[:4]), result.returncode, result.stdout + result.stderr))
    return result.stdout


def answers(command: Sequence[str]) -> bool:
    """Whether a program exists and succeeds."""
    try:
        return not subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode
    except FileNotFoundError:
        return False
