"""The database of a Studio, asked from this machine as its superuser: for faults in it, and for what no API tells."""

import asyncio
import base64
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import asyncpg

from studio.contract.labels import Component
from studio_e2e.space import Space

_SECONDS = 20.0
# The moments that decide something, by the server's clock.
_MOMENTS = {
    "items": ("lease_until", "requested_at", "started_at", "ready_at", "finished_at", "retry_at"),
    "assistants": ("wanted_since",),
    "models": ("trained_at",),
    "contents": ("stored_at",),
    "consumers": ("seen_at",),
    "garbage": ("due_at",),
}


class Database:
    """One connection to a database."""

    def __init__(self, runner: asyncio.Runner, connection: asyncpg.Connection) -> None:
        self._runner = runner
        self._connection = connection

    def fetch(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """The rows that a statement gives."""
        return [dict(row) for row in self._runner.run(self._connection.fetch(statement, *values))]

    def execute(self, statements: str, *values: object) -> None:
        """Carry out statements; several only without values."""
        self._runner.run(self._connection.execute(statements, *values))

    def set_clock(self, seconds: float) -> None:
        """As if the server's clock had jumped by so many seconds: all that it knows of is so much longer ago."""
        by = timedelta(seconds=seconds)
        for table, columns in _MOMENTS.items():
            moved = ", ".join(f"{column} = {column} - $1::interval" for column in columns)
            self.execute(f"update {table} set {moved}", by)

    def wake_consumers(self) -> None:
        """Let who has nothing to do look at once for what others have left behind."""
        self.execute("select pg_notify('studio_queue', kind) from unnest(array['training', 'run']) as kind")


@contextmanager
def opened(space: Space, name: str = "studio") -> Iterator[Database]:
    """A database of the embedded server of the Studio `studio`; pods must be within reach of this machine."""
    pod = space.pod_of(Component.DATABASE)
    secret = space.must_get("secret", "studio-database")["data"]["superuser-password"]
    login = {"user": "postgres", "password": base64.b64decode(secret).decode(), "database": name}
    with asyncio.Runner() as runner:
        limits = {"timeout": _SECONDS, "command_timeout": _SECONDS}
        connection = runner.run(asyncpg.connect(host=pod["status"]["podIP"], **login, **limits))
        try:
            yield Database(runner, connection)
        finally:
            runner.run(connection.close(timeout=_SECONDS))
