"""Claims against the API server alone: many consumers, Jobs whose pods no node takes, a PostgreSQL on loopback.

A training ends as soon as its Job has been seen: its stop is requested, the consumer deletes the Job and claims again.
Its assistant does not exist, so that the garbage collector looks for it too, as slowly as its own limits let it.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from tests.support import postgres
from tests.support.ports import free_port

from measuring import model_stage
from measuring.model_requests import NOWHERE
from measuring.model_stage import watching
from stage.kubectl import Kubectl
from studio.contract import labels, names
from studio.contract.labels import Component
from studio.contract.model_service import DesiredTraining, EnginePod
from studio.db import migrate, pool
from studio.kube import Kube
from studio.kube.kinds import JOB
from studio.model_service import queue
from studio.settings import DatabaseSettings
from studio_e2e.space import Space

TRAININGS = 15_000
CONSUMERS = 8
STUDIO = "studio"
# Nobody pulls it: no pod of these Jobs is given a node.
IMAGE = "localhost/studio-operator/engine:none"
LONGEST_SECONDS = 1800.0


@dataclass
class Claims:
    """Per second from the first Job to the last; the Jobs that were made twice, and how many were at work at most."""

    per_second: float = 0.0
    trainings: int = 0
    doubled: list[str] = field(default_factory=list)
    most_at_work: int = 0
    consumers: int = CONSUMERS


def claims(kubectl: Kubectl, *, count: int = TRAININGS, consumers: int = CONSUMERS) -> Claims:
    """Let `consumers` work off a line of `count` trainings."""
    with (
        model_stage.namespace(kubectl, "claims") as space,
        postgres.server(durable=True) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        account = names.child(STUDIO, Component.TRAINING)
        space.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account}})
        server.sql("create database studio")
        return asyncio.run(_claims(space, server.settings("studio"), Path(folder), count, consumers))


async def _claims(space: Space, database: DatabaseSettings, folder: Path, count: int, consumers: int) -> Claims:
    await migrate.upgrade(database)
    found = Claims(consumers=consumers)
    async with _connection(database) as conn, model_stage.kube(space.kubectl) as kube:
        await _fill(conn, space.name, count)
        ending = asyncio.create_task(_end_what_has_a_job(kube, conn, space.name, count, found))
        with _consumers(space, database, folder, consumers):
            async with asyncio.timeout(LONGEST_SECONDS):
                await ending
        found.most_at_work = await _most_at_work(conn)
    return found


@contextlib.asynccontextmanager
async def _connection(database: DatabaseSettings) -> AsyncIterator[asyncpg.Connection]:
    conn = await pool.connect(database, application_name="bench")
    try:
        yield conn
    finally:
        await conn.close()


async def _fill(conn: asyncpg.Connection, namespace: str, count: int) -> None:
    async with conn.transaction():
        for number in range(count):
            name, uid = f"porter-{number:05d}", f"bench-{number:05d}"
            await conn.execute(
                "insert into assistants (uid, name, namespace, studio) values ($1, $2, $3, $4)",
                uid, name, namespace, STUDIO,
            )  # fmt: skip
            desired = DesiredTraining(
                uid=uid,
                name=name,
                namespace=namespace,
                studio=STUDIO,
                fingerprint=f"{number:064x}",
                engine=EnginePod(image=IMAGE, node_selector=NOWHERE),
            )
            await queue.insert(
                conn, id=names.training_id(name, uid, 1), kind="training", uid=uid, assistant=name,
                fingerprint=f"{number:064x}", spec=desired.model_dump(mode="json"), spec_digest="", who="bench",
            )  # fmt: skip
    await conn.execute("vacuum analyze")


async def _end_what_has_a_job(kube: Kube, conn: asyncpg.Connection, namespace: str, count: int, found: Claims) -> None:
    made: Counter[str] = Counter()
    first, seen = 0.0, 0
    async with watching(kube, JOB, namespace) as jobs:
        while len(made) < count:
            jobs.heard.clear()
            new, seen = jobs.events[seen:], len(jobs.events)
            for moment, job in ((moment, job) for moment, event, job in new if event == "ADDED"):
                item = job["metadata"]["labels"][labels.TRAINING]
                first = first or moment
                made[item] += 1
                if made[item] == 1 and len(made) > 1:
                    found.per_second = (len(made) - 1) / (moment - first)
                await _stop(conn, item)
            if seen == len(jobs.events):
                await jobs.heard.wait()
    found.trainings = len(made)
    found.doubled = [item for item, times in made.items() if times > 1]


async def _stop(conn: asyncpg.Connection, item_id: str) -> None:
    async with conn.transaction():
        item = await queue.lock(conn, item_id)
        if item is not None:
            await queue.request_stop(conn, item, who="bench", reason="Cancelled")


async def _most_at_work(conn: asyncpg.Connection) -> int:
    """The most trainings that ran at the same moment, by the audit."""
    most = await conn.fetchval(
        """select max(running) from (
             select sum(case when to_state = 'Running' then 1 else -1 end) over (order by seq) as running
             from transitions
             where (to_state = 'Running') <> (coalesce(from_state, '') = 'Running')) as steps"""
    )
    return int(most)


@contextlib.contextmanager
def _consumers(space: Space, database: DatabaseSettings, folder: Path, count: int) -> Iterator[None]:
    token = folder / "token"
    # Nobody asks for it: there are no logs to be archived where no pod starts.
    token.write_text("none")
    started: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(count):
            environment = {
                **os.environ, "KUBECONFIG": space.kubectl.kubeconfig, "STUDIO": STUDIO, "NAMESPACE": space.name,
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
