"""Processes that die, and calls that fail, at a moment chosen by the test.

Whatever a process does outside of itself goes through its `Fate`, which numbers the calls and strikes at some of them.
A dead process raises `Died` wherever it is: its clean-up code may run, but reaches nothing any more, as after SIGKILL.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import asyncpg
from tests.fakes.kube import FakeKube
from tests.fakes.storage import FakeStore

from studio.db import pool
from studio.kube import Kind, Kube, Manifest
from studio.kube.kinds import Manifests
from studio.settings import DatabaseSettings
from studio.storage.port import ObjectFacts, SignedRequest

T = TypeVar("T")

_WRITES = re.compile(r"\b(insert into|update \w+ set|delete from|create|alter|drop)\b", re.IGNORECASE)


# How often a lease is renewed is a matter of time: it is no step of what is told.
_HEARTBEAT = "update items set lease_until ="


class Died(BaseException):
    """The process is no more."""


@dataclass(frozen=True)
class Call:
    """One call: to `sql`, `kube`, `store` or another place; `what` for people, `writes` if it leaves a trace."""

    place: str
    what: str
    writes: bool


# Whether something happens at the last of these calls.
Strikes = Callable[[list[Call]], bool]


def at(number: int) -> Strikes:
    """Something happens at the call of this number, once."""
    return lambda calls: len(calls) == number


def first_time(calls: list[Call]) -> bool:
    """Something happens at each call, but not when it is made again."""
    return calls.count(calls[-1]) == 1


@dataclass
class Fate:
    """What becomes of one process. `counts` says which calls are numbered, `strikes` at which of them it is struck.

    It dies, or with `error` the call fails; `after`: the call is carried out, and nobody hears of it. One that `stalls`
    stands still before the call until it is `woken`, and believes that no time has passed.
    """

    counts: Callable[[Call], bool] = lambda call: call.writes and not call.what.startswith(_HEARTBEAT)
    strikes: Strikes = lambda _: False
    error: Callable[[], Exception] | None = None
    after: bool = False
    stalls: bool = False
    stalled: asyncio.Event = field(default_factory=asyncio.Event)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    calls: list[Call] = field(default_factory=list)
    dead: asyncio.Event = field(default_factory=asyncio.Event)
    connections: list[asyncpg.Connection] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)

    async def call(self, call: Call, do: Callable[[], Awaitable[T]]) -> T:
        """Carry out a call, or what is left of it."""
        await self.breathe()
        struck = False
        if self.counts(call):
            self.calls.append(call)
            struck = self.strikes(self.calls)
        if struck and self.stalls:
            await self._stall()
            if call.place == "sql":
                raise asyncpg.ConnectionDoesNotExistError("the server has ended the transaction")
        elif struck and not self.after:
            self._strike(call)
        answer = await do()
        await self.breathe()
        if struck and not self.stalls:
            self._strike(call)
        return answer

    async def breathe(self) -> None:
        """Raise `Died` if the process is dead; wait while it stands still."""
        if self.stalled.is_set():
            await self.woken.wait()
        if self.dead.is_set():
            raise Died

    def kill(self) -> None:
        """End the process here: what it had begun in the database is rolled back."""
        self.dead.set()
        self.disconnect()

    def disconnect(self) -> None:
        """Break all connections that it uses, as a restart of the server does."""
        for conn in self.connections:
            self.lost.append(conn.get_server_pid())
            conn.terminate()
        self.connections.clear()

    async def rest(self, connections: asyncpg.Pool) -> None:
        """Until the server has noticed which connections are gone: what they had locked is free then."""
        alive = "select count(*) from pg_stat_activity where pid = any($1)"
        while await connections.fetchval(alive, self.lost):
            pass

    async def _stall(self) -> None:
        # The server does not leave a transaction, and what it has locked, to somebody who does nothing.
        self.disconnect()
        self.stalled.set()
        await self.woken.wait()

    def _strike(self, call: Call) -> None:
        if self.error is None:
            self.kill()
            raise Died
        if call.place == "sql":
            self.disconnect()
        raise self.error()

    # What a process is given instead of the real things.

    def kube(self, server: FakeKube) -> Kube:
        """Its API server."""
        return _Kube(self, server)

    def store(self, objects: FakeStore) -> "_Store":
        """Its object store."""
        return _Store(self, objects)

    def pool(self, connections: asyncpg.Pool) -> "_Pool":
        """Its way to the database, through `connections`."""
        return _Pool(self, connections)


@asynccontextmanager
async def connections(settings: DatabaseSettings) -> AsyncIterator[asyncpg.Pool]:
    """Connections for many processes, one after another: opening them is what takes the time."""
    arguments = pool._arguments(settings, "test", pool.STATEMENT_TIMEOUT)
    async with asyncpg.create_pool(
        **arguments, connection_class=_Connection, min_size=1, max_size=8, init=pool.json_as_objects
    ) as opened:
        yield opened


class _Connection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """Counts what is written when it is: a transaction by its COMMIT, else each statement."""

    __slots__ = ("dirty", "fate")

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.dirty = ""
        self.fate: Fate | None = None

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109
        run = super().execute
        if args:
            return str(await run(query, *args, timeout=timeout))  # goes through _execute
        return str(await self._told(query, (), lambda: run(query, timeout=timeout)))

    async def _execute(self, query: str, args: tuple[Any, ...], *more: Any, **named: Any) -> Any:
        return await self._told(query, args, lambda: self._run(query, args, *more, **named))

    async def _run(self, *arguments: Any, **named: Any) -> Any:
        try:
            return await super()._execute(*arguments, **named)
        except AttributeError as error:
            # What asyncpg says of a connection that was terminated between two messages of a statement.
            if self.is_closed():
                raise asyncpg.ConnectionDoesNotExistError("the connection is closed") from error
            raise

    async def _told(self, query: str, args: tuple[Any, ...], do: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        if self.fate is None:
            return await do()
        await self.fate.breathe()
        if self.is_closed():
            raise asyncpg.InterfaceError("the connection is closed")
        if query == "COMMIT;":
            dirty, self.dirty = self.dirty, ""
            return await self.fate.call(Call("sql", dirty or query, writes=bool(dirty)), do)
        if query == "ROLLBACK;":
            self.dirty = ""
        elif _WRITES.search(query):
            what = f"{' '.join(query.split())[:30]} {args[:3]}; "
            if not self.is_in_transaction():
                return await self.fate.call(Call("sql", what, writes=True), do)
            self.dirty += what
        return await do()


@dataclass
class _Pool:
    """What is used of a pool."""

    fate: Fate
    connections: asyncpg.Pool

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[asyncpg.Connection]:
        await self.fate.breathe()
        async with self.connections.acquire() as proxy:
            conn: Any = proxy._con
            conn.fate, conn.dirty = self.fate, ""
            self.fate.connections.append(conn)
            try:
                yield conn
            finally:
                conn.fate = None
                if conn in self.fate.connections:
                    self.fate.connections.remove(conn)

    async def execute(self, query: str, *args: Any) -> str:
        async with self.acquire() as conn:
            return str(await conn.execute(query, *args))

    async def fetch(self, query: str, *args: Any) -> Any:
        async with self.acquire() as conn:
            return await conn.fetch(query, *args)

    async def fetchrow(self, query: str, *args: Any) -> Any:
        async with self.acquire() as conn:
            return await conn.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        async with self.acquire() as conn:
            return await conn.fetchval(query, *args)


@dataclass
class _Kube(Kube):
    fate: Fate
    server: FakeKube

    async def _call(self, verb: str, kind: Kind, do: Callable[[], Awaitable[T]], *, writes: bool = False) -> T:
        return await self.fate.call(Call("kube", f"{verb} {kind.kind}", writes), do)

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Manifest | None:
        return await self._call("get", kind, lambda: self.server.get(kind, namespace, name))

    async def list_with_version(
        self, kind: Kind, namespace: str | None = None, **selected: Any
    ) -> tuple[Manifests, str]:
        return await self._call("list", kind, lambda: self.server.list_with_version(kind, namespace, **selected))

    async def create(self, kind: Kind, body: Manifest) -> Manifest:
        return await self._call("create", kind, lambda: self.server.create(kind, body), writes=True)

    async def patch(
        self, kind: Kind, namespace: str | None, name: str, patch: Manifest, *, resource_version: str | None = None
    ) -> Manifest:
        def do() -> Awaitable[Manifest]:
            return self.server.patch(kind, namespace, name, patch, resource_version=resource_version)

        return await self._call("patch", kind, do, writes=True)

    async def replace(self, kind: Kind, body: Manifest) -> Manifest:
        return await self._call("update", kind, lambda: self.server.replace(kind, body), writes=True)

    async def delete(
        self, kind: Kind, namespace: str | None, name: str, *, uid: str | None = None, propagation: str = "Background"
    ) -> bool:
        def do() -> Awaitable[bool]:
            return self.server.delete(kind, namespace, name, uid=uid, propagation=propagation)

        return await self._call("delete", kind, do, writes=True)

    async def logs(self, namespace: str, pod: str, container: str, **limits: Any) -> str:
        await self.fate.breathe()
        return await self.server.logs(namespace, pod, container, **limits)

    async def watch(
        self, kind: Kind, namespace: str | None = None, **selected: Any
    ) -> AsyncIterator[tuple[str, Manifest]]:
        async def nothing() -> None: ...

        await self._call("watch", kind, nothing)
        async for event in self.server.watch(kind, namespace, **selected):
            await self.fate.breathe()
            yield event


@dataclass
class _Store:
    fate: Fate
    objects: FakeStore

    async def _call(self, verb: str, do: Callable[[], Awaitable[T]], *, writes: bool = False) -> T:
        return await self.fate.call(Call("store", verb, writes), do)

    async def ensure_bucket(self) -> None:
        await self._call("ensure", self.objects.ensure_bucket)

    async def put(self, key: str, data: bytes, **facts: Any) -> None:
        await self._call("put", lambda: self.objects.put(key, data, **facts), writes=True)

    async def get(self, key: str, *, limit: int) -> bytes:
        return await self._call("get", lambda: self.objects.get(key, limit=limit))

    async def head(self, key: str) -> ObjectFacts | None:
        return await self._call("head", lambda: self.objects.head(key))

    async def digest(self, key: str, *, limit: int) -> str:
        return await self._call("get", lambda: self.objects.digest(key, limit=limit))

    async def delete(self, key: str) -> None:
        await self._call("delete", lambda: self.objects.delete(key), writes=True)

    def presign_get(self, key: str, *, seconds: int) -> str:
        return self.objects.presign_get(key, seconds=seconds)

    def presign_put(self, key: str, *, sha256: str, seconds: int) -> SignedRequest:
        return self.objects.presign_put(key, sha256=sha256, seconds=seconds)
