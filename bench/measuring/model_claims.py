"""Claims against the API server alone: consumers of the product, each a process, work off a line of trainings.

The time goes from a consumer's claim to the creation of the Job, over and over: a training whose Job has been seen by a
watch is cancelled at once, so that its slot is free again. No pod exists, since nothing makes any; the consumer deletes
the Job, ends the training and claims the next one. PostgreSQL and etcd wait for the disk as they do by default.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from tests.support import postgres
from tests.support.ports import free_port

from measuring import api_server
from studio.contract import labels, names
from studio.contract.model_service import DesiredTraining, EnginePod
from studio.db import migrate, pool
from studio.kube import Kube, KubeError
from studio.kube.kinds import JOB, Manifest
from studio.model_service import queue
from studio.settings import DatabaseSettings

TRAININGS = 15_000
CONSUMERS = 8
STUDIO = "studio"
# There is one in every API server, from its start.
NAMESPACE = "default"
# Nobody pulls it: there are no nodes.
IMAGE = "localhost/studio-operator/engine:none"
LONGEST_SECONDS = 900.0
TOLD_EVERY = 1000


@dataclass
class Claims:
    """The Jobs by their training, the moments of the first and of the last, and how many were there at once at most.

    `most_running` is what the audit tells of the same: trainings that were in the state Running at once at most.
    """

    asked: int
    consumers: int
    jobs: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    began: float = 0.0
    ended: float = 0.0
    present: set[str] = field(default_factory=set)
    most_present: int = 0
    most_running: int = 0

    def note(self, event: str, job: Manifest) -> str | None:
        """Take in one event of the watch; gives the training that has its first Job now."""
        uid, item = str(job["metadata"]["uid"]), str(job["metadata"]["labels"][labels.TRAINING])
        if event == "DELETED":
            self.present.discard(uid)
            return None
        self.present.add(uid)
        self.most_present = max(self.most_present, len(self.present))
        known = item in self.jobs
        self.jobs[item].add(uid)
        if known:
            return None
        self.ended = time.monotonic()
        self.began = self.began or self.ended
        return item

    @property
    def per_second(self) -> float:
        """Trainings that got their Job, from the first to the last."""
        return (len(self.jobs) - 1) / (self.ended - self.began) if len(self.jobs) > 1 else 0.0

    @property
    def doubled(self) -> list[str]:
        """The trainings that had more than one Job."""
        return [item for item, uids in self.jobs.items() if len(uids) > 1]

    @property
    def beyond(self) -> int:
        """How many more were at work at once, at most, than there are consumers."""
        return max(self.most_present - self.consumers, self.most_running - self.consumers, 0)


def claims(*, count: int = TRAININGS, consumers: int = CONSUMERS, longest: float = LONGEST_SECONDS) -> Claims:
    """Let `consumers` work off a line of `count` trainings, or what they do of it in `longest` seconds."""
    found = Claims(count, consumers)
    with (
        api_server.alone() as kubeconfig,
        postgres.server(durable=True) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        server.sql("create database studio")
        with _at_hand(kubeconfig):
            asyncio.run(_claims(found, server.settings("studio"), Path(folder), longest))
    return found


@contextlib.contextmanager
def _at_hand(kubeconfig: Path) -> Iterator[None]:
    """Whoever connects meets this API server; other parts of the measurement have another one."""
    before = os.environ.get("KUBECONFIG")
    os.environ["KUBECONFIG"] = str(kubeconfig)
    try:
        yield
    finally:
        del os.environ["KUBECONFIG"]
        if before is not None:
            os.environ["KUBECONFIG"] = before


async def _claims(found: Claims, database: DatabaseSettings, folder: Path, longest: float) -> None:
    await migrate.upgrade(database)
    async with _connection(database) as conn, _kube() as kube:
        await _fill(conn, found.asked)
        with _consumers(database, folder, found.consumers), contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest):
                await _cancel_what_has_a_job(kube, conn, found)
        found.most_running = await _most_running(conn)


@contextlib.asynccontextmanager
async def _connection(database: DatabaseSettings) -> AsyncIterator[asyncpg.Connection]:
    conn = await pool.connect(database, application_name="bench")
    try:
        yield conn
    finally:
        await conn.close()


@contextlib.asynccontextmanager
async def _kube() -> AsyncIterator[Kube]:
    kube = await Kube.connect(user_agent="bench")
    try:
        yield kube
    finally:
        await kube.close()


async def _fill(conn: asyncpg.Connection, count: int) -> None:
    async with conn.transaction():
        for number in range(count):
            name, uid = f"porter-{number:05d}", f"bench-{number:05d}"
            await conn.execute(
                "insert into assistants (uid, name, namespace, studio) values ($1, $2, $3, $4)",
                uid, name, NAMESPACE, STUDIO,
            )  # fmt: skip
            desired = DesiredTraining(
                uid=uid,
                name=name,
                namespace=NAMESPACE,
                studio=STUDIO,
                fingerprint=f"{number:064x}",
                engine=EnginePod(image=IMAGE),
            )
            await queue.insert(
                conn, id=names.training_id(name, uid, 1), kind="training", uid=uid, assistant=name,
                fingerprint=f"{number:064x}", spec=desired.model_dump(mode="json"), spec_digest="", who="bench",
            )  # fmt: skip
    # As the server does by itself, a minute later.
    await conn.execute("vacuum analyze")


async def _cancel_what_has_a_job(kube: Kube, conn: asyncpg.Connection, found: Claims) -> None:
    while len(found.jobs) < found.asked:
        # A stream that broke is begun anew: then the Jobs that are there come once more.
        with contextlib.suppress(KubeError):
            async for event, job in kube.watch(JOB, NAMESPACE, timeout_seconds=3600):
                item = found.note(event, job) if event != "BOOKMARK" else None
                if item is None:
                    continue
                await _cancel(conn, item)
                if len(found.jobs) % TOLD_EVERY == 0:
                    told = f"claims: {len(found.jobs)} of {found.asked}, {found.per_second:.1f} per second so far"
                    print(told, file=sys.stderr, flush=True)
                if len(found.jobs) == found.asked:
                    return


async def _cancel(conn: asyncpg.Connection, item_id: str) -> None:
    async with conn.transaction():
        item = await queue.lock(conn, item_id)
        if item is not None:
            await queue.request_stop(conn, item, who="bench", reason="Cancelled")


async def _most_running(conn: asyncpg.Connection) -> int:
    most = await conn.fetchval(
        """select max(running) from (
             select sum(case when to_state = 'Running' then 1 else -1 end) over (order by seq) as running
             from transitions
             where (to_state = 'Running') <> (coalesce(from_state, '') = 'Running')) as steps"""
    )
    return int(most or 0)


@contextlib.contextmanager
def _consumers(database: DatabaseSettings, folder: Path, count: int) -> Iterator[None]:
    token = folder / "token"
    # Nobody asks for it: there are no logs to be archived where no pod starts.
    token.write_text("none")
    started: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(count):
            environment = {
                **os.environ, "STUDIO": STUDIO, "NAMESPACE": NAMESPACE,
                "POD_NAME": f"consumer-{number}", "PORT": str(free_port()), "LOG_LEVEL": "WARNING",
                "DATABASE_HOST": database.host, "DATABASE_PORT": str(database.port), "DATABASE_NAME": database.name,
                "DATABASE_USER": database.user, "DATABASE_PASSWORD_FILE": str(database.password_file),
                "DATABASE_SSLMODE": database.ssl_mode, "ORCHESTRATOR_URL": "http://127.0.0.1:9",
                "ORCHESTRATOR_TOKEN_FILE": str(token), "HELPER_IMAGE": IMAGE,
            }  # fmt: skip
            with (folder / f"consumer-{number}.log").open("wb") as log:
                command = [sys.executable, "-m", "studio", "training-consumer"]
                started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        yield
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        for process in started:
            process.wait(timeout=60)
