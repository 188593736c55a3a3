"""A real PostgreSQL for tests: one server per session from Debian's binaries, a fresh database per test."""

import getpass
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import folders
from tests.support.ports import free_port

from studio.settings import DatabaseSettings

SUPERUSER = "postgres"
PASSWORD = "test"  # the server listens on loopback only and trusts nobody else


@dataclass(frozen=True)
class Server:
    """A running server: `settings()` gives a login to one of its databases."""

    port: int
    folder: Path
    binaries: Path
    durable: bool = False

    def settings(self, database: str = "postgres", user: str = SUPERUSER, password: str = PASSWORD) -> DatabaseSettings:
        file = self.folder / f"password-{user}-{password}"
        if not file.exists():
            file.write_text(password)
        return DatabaseSettings("127.0.0.1", self.port, database, user, file, ssl_mode="disable")

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run SQL as the superuser with psql; gives the unaligned rows."""
        return subprocess.run(
            [self.binaries / "psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", SUPERUSER, "-d", database,
             "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement],
            env={**os.environ, "PGPASSWORD": PASSWORD}, check=True, capture_output=True, text=True, timeout=60,
        ).stdout  # fmt: skip

    def restart(self) -> None:
        """Stop without mercy for clients (`fast`) and start again."""
        _control(self, "restart", "-m", "fast")

    def stop(self) -> None:
        """Stop; clients see the administrator's shutdown."""
        _control(self, "stop", "-m", "fast")

    def start(self) -> None:
        """Start again after `stop`."""
        _control(self, "start")


@contextmanager
def server(*, durable: bool = False) -> Iterator[Server]:
    """Initialise and start a server on a free loopback port; everything is removed at the end.

    `durable`: with PostgreSQL's own defaults instead of those that make tests fast.
    """
    binaries = _binaries()
    folder = folders.make("studio-postgres-")
    folder.chmod(0o755)
    data = folder / "data"
    data.mkdir(mode=0o700)
    if os.geteuid() == 0:
        shutil.chown(data, _owner())
    running = Server(free_port(), folder, binaries, durable)
    password = folder / f"password-{SUPERUSER}-{PASSWORD}"
    password.write_text(PASSWORD)
    password.chmod(0o644)
    try:
        _run(running, [binaries / "initdb", "-D", data, "-U", SUPERUSER, "--auth=scram-sha-256",
                       f"--pwfile={password}", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"])  # fmt: skip
        _control(running, "start")
        yield running
    finally:
        if (data / "postmaster.pid").exists():
            _control(running, "stop", "-m", "immediate")
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def database(running: Server, *, template: str = "template1") -> Iterator[str]:
    """A database of its own, copied from `template`."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    # Templates are small and nobody writes to them: copying their files costs less than writing them through the log.
    running.sql(f'create database "{name}" template "{template}" strategy file_copy')
    try:
        yield name
    finally:
        running.sql(f'drop database if exists "{name}" with (force)')


def _control(running: Server, *command: str) -> None:
    hasty = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c shared_buffers=32MB"
    options = (
        f"-p {running.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=60 "
        f"-c log_min_messages=fatal {'' if running.durable else hasty}"
    )
    _run(running, [running.binaries / "pg_ctl", "-D", running.folder / "data", "-w", "-t", "60", "-s", "-o", options,
                   "-l", running.folder / "data" / "log", *command])  # fmt: skip


def _run(running: Server, command: list[str | Path]) -> None:
    # PostgreSQL refuses to run as root. No pipes: the server would inherit them and keep them open.
    prefix = ["setpriv", f"--reuid={_owner()}", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    output = running.folder / "output"
    with output.open("w") as file:
        done = subprocess.run(
            [*prefix, *command], cwd=running.folder, check=False, timeout=120,
            stdin=subprocess.DEVNULL, stdout=file, stderr=file,
        )  # fmt: skip
    if done.returncode:
        log = running.folder / "data" / "log"
        raise RuntimeError(f"{command[0]} failed: {output.read_text()}{log.read_text() if log.exists() else ''}")


def _owner() -> str:
    return "nobody" if os.geteuid() == 0 else getpass.getuser()


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if found:
        return found[-1]
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).parent
    raise RuntimeError("PostgreSQL's server binaries are missing: install the package `postgresql-15`")
