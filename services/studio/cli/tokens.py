"""The signed-in sessions of this person, in a file of mode 0600, and the lock that keeps two commands apart."""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from studio.cli.config import Context, write_atomically
from studio.cli.errors import CliError, UsageError

FILE_NAME = "tokens.json"
LOCK_NAME = "tokens.lock"
LOCK_PATIENCE = 60.0
_LOCK_PAUSE = 0.05


@dataclass(frozen=True)
class Session:
    """The tokens of one context. They belong to `url` and `issuer`, and are sent to nobody else."""

    url: str
    issuer: str
    client_id: str
    access_token: str
    expires_at: float
    refresh_token: str | None = None


class TokenFile:
    """All sessions by the name of their context."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._lock = folder / LOCK_NAME

    def read(self, context: Context) -> Session | None:
        """The session of a context; None without one, or with one of another URL."""
        entry = self._all().get(context.name)
        if entry is None:
            return None
        try:
            session = Session(
                url=str(entry["url"]),
                issuer=str(entry["issuer"]),
                client_id=str(entry["client_id"]),
                access_token=str(entry["access_token"]),
                expires_at=float(entry["expires_at"]),
                refresh_token=entry.get("refresh_token"),
            )
        except (KeyError, TypeError, ValueError):
            return None  # another version wrote it: sign in again
        return session if session.url == context.url else None

    def write(self, context: Context, session: Session) -> None:
        """Keep a session; the caller holds the lock."""
        self._save({**self._all(), context.name: asdict(session)})

    def forget(self, context: Context) -> None:
        """Remove the session of a context; the caller holds the lock."""
        self._save({name: entry for name, entry in self._all().items() if name != context.name})

    @contextlib.contextmanager
    def locked(
        self, *, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> Iterator[None]:
        """Alone among all commands of this person; the kernel frees the lock of a process that dies.

        Raises CliError when another command holds it for a minute.
        """
        self._lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        deadline = clock() + LOCK_PATIENCE
        handle = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not _try_lock(handle):
                if clock() > deadline:
                    raise CliError("Another command holds the sign-in", f"The lock {self._lock} is not freed.")
                sleep(_LOCK_PAUSE)
            yield
        finally:
            os.close(handle)

    def _all(self) -> dict[str, dict[str, Any]]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise UsageError(f"{self._path} cannot be read", str(error)) from error
        except ValueError:
            return {}  # a damaged file is no sign-in; the next one replaces it
        return (
            {name: entry for name, entry in found.items() if isinstance(entry, dict)} if isinstance(found, dict) else {}
        )

    def _save(self, sessions: dict[str, dict[str, Any]]) -> None:
        try:
            write_atomically(self._path, json.dumps(sessions, indent=1).encode())
        except OSError as error:
            raise UsageError(f"{self._path} cannot be written", str(error)) from error


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
