"""The command line as a person uses it: a program with a home of its own, and the sign-in that a browser confirms."""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stage.kubectl import REPOSITORY
from studio_e2e.waiting import eventually

_PROGRAM = (sys.executable, "-m", "studio.cli")
_INVITATION = re.compile(r"open (?P<url>\S+) and enter the code (?P<code>\S+)")
SECONDS = 60.0


@dataclass(frozen=True)
class Invitation:
    """Where to enter which code, as the command printed it."""

    url: str
    code: str


@dataclass(frozen=True)
class Terminal:
    """A shell with nothing in its environment but the search path, and its configuration in `home`."""

    home: Path

    def studio(self, *arguments: str, timeout: float = SECONDS) -> str:
        """What one command printed, both streams. Raises AssertionError with it when the command fails."""
        done = subprocess.run(
            [*_PROGRAM, *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, f"studio {' '.join(arguments)}: {done.returncode}\n{done.stdout}"
        return done.stdout

    @contextlib.contextmanager
    def signing_in(self) -> Iterator[Invitation]:
        """`studio login` while the block confirms it in a browser. Raises AssertionError when it was not signed in."""
        words = self.home / "login.txt"
        with (
            words.open("w") as output,
            subprocess.Popen(
                [*_PROGRAM, "login", "--no-browser"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            ) as login,
        ):
            try:
                yield eventually("studio login says where to enter which code", lambda: _invitation(words), within=20)
                status = login.wait(timeout=SECONDS)
            finally:
                login.kill()
        assert status == 0, words.read_text()

    @property
    def _environment(self) -> dict[str, str]:
        paths = {"PYTHONPATH": str(REPOSITORY / "services"), "PATH": os.environ["PATH"]}
        return {**paths, "HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home / "config")}


def _invitation(words: Path) -> Invitation | None:
    found = _INVITATION.search(words.read_text())
    return Invitation(found["url"], found["code"]) if found else None
