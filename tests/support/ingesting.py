"""Ingestion as a process of its own against a real Kafka and PostgreSQL, for tests and measurements."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from pathlib import Path

import aiohttp
import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from tests.support.kafka import KafkaServer
from tests.support.patience import STUCK_SECONDS
from tests.support.ports import free_port
from tests.support.postgres import Server

from studio.db.pool import connect
from studio.events.connection import connection
from studio.settings import DatabaseSettings

SERVICES = Path(__file__).parents[2] / "services"
HTTP_OK = 200
# A restart of the broker must not be the end of what a producer was given.
PRODUCER_PATIENCE_MS = 120_000


async def until(condition: Callable[[], Awaitable[object]], seconds: float = STUCK_SECONDS) -> None:
    """Wait until the condition holds; TimeoutError if it does not in time."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 (another process changes it)
            await asyncio.sleep(0.05)


@dataclass
class Ingesting:
    """One replica. `kill` and `start` as often as wanted."""

    kafka: KafkaServer
    database: DatabaseSettings
    topic: str
    folder: Path
    more: Mapping[str, str] = field(default_factory=dict)
    pod: str = "ingestion-0"
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """Where the process writes."""
        return self.folder / f"{self.pod}.log"

    def start(self) -> None:
        """Start the process."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "studio", "ingestion"], env=self._environment(), stdout=log, stderr=log
            )

    def kill(self) -> None:
        """Kill -9."""
        self._end(signal.SIGKILL)

    def kill_and_start(self) -> None:
        """Kill -9, then start at once, as Kubernetes does."""
        self.kill()
        self.start()

    def stop(self) -> int:
        """SIGTERM; gives the exit code."""
        return self._end(signal.SIGTERM)

    def replay(self, **narrowed: str) -> tuple[int, str]:
        """Run `ingestion-replay`; gives its exit code and what it says."""
        done = subprocess.run(
            [sys.executable, "-m", "studio", "ingestion-replay"], env={**self._environment(), **narrowed},
            check=False, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        return done.returncode, "".join(line for line in done.stdout.splitlines(keepends=True) if line[0] != "{")

    async def get(self, path: str) -> tuple[int, str]:
        """Status and text of one of the probes; status 0 while nobody answers."""
        try:
            async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{self.port}{path}") as answer:
                return answer.status, await answer.text()
        except aiohttp.ClientError:
            return 0, ""

    async def ready(self, seconds: float = STUCK_SECONDS) -> None:
        """Wait until it reads."""

        async def ready() -> bool:
            if self.process is None or self.process.poll() is not None:
                raise RuntimeError(f"ingestion ended: {self.log.read_text()[-3000:]}")
            return (await self.get("/readyz"))[0] == HTTP_OK

        await until(ready, seconds)

    def _end(self, number: signal.Signals) -> int:
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=60)

    def _environment(self) -> dict[str, str]:
        broker = self.kafka.settings()
        database = self.database
        return {
            **os.environ, "PYTHONPATH": str(SERVICES),
            "STUDIO": "studio", "NAMESPACE": f"test-{self.topic}", "POD_NAME": self.pod, "PORT": str(self.port),
            "DATABASE_HOST": database.host, "DATABASE_PORT": str(database.port), "DATABASE_NAME": database.name,
            "DATABASE_USER": database.user, "DATABASE_PASSWORD_FILE": str(database.password_file),
            "DATABASE_SSLMODE": database.ssl_mode,
            "EVENT_BROKER_SERVERS": ",".join(broker.servers), "EVENT_BROKER_FOLDER": str(broker.folder),
            "EVENT_BROKER_SECURITY_PROTOCOL": broker.security_protocol,
            "EVENT_BROKER_SASL_MECHANISM": broker.sasl_mechanism,
            "EVENTS_TOPIC": self.topic, "INGESTION_BACKFILL": "false", **self.more,
        }  # fmt: skip


@contextlib.asynccontextmanager
async def administration(kafka: KafkaServer) -> AsyncIterator[AIOKafkaAdminClient]:
    """Kafka's administration as the Studio's user."""
    admin = AIOKafkaAdminClient(**connection(kafka.settings(), client_id="test"))
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def make_topics(kafka: KafkaServer, topic: str, *, partitions: int = 6) -> None:
    """The topic and its dead-letter topic."""
    async with administration(kafka) as admin:
        await admin.create_topics([
            NewTopic(topic, partitions, 1), NewTopic(f"{topic}-dead-letters", 1, 1),
        ])  # fmt: skip


@contextlib.asynccontextmanager
async def producing(kafka: KafkaServer) -> AsyncIterator[AIOKafkaProducer]:
    """A producer that loses and doubles nothing."""
    producer = AIOKafkaProducer(
        **{**connection(kafka.settings(), client_id="test"), "request_timeout_ms": PRODUCER_PATIENCE_MS},
        acks="all",
        enable_idempotence=True,
        linger_ms=5,
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


@dataclass
class Conversations:
    """Numbered events of many conversations, and the check that each arrived once and in order."""

    senders: int
    sent: dict[str, list[int]] = field(default_factory=dict)
    began: float = 1_760_000_000.0

    async def send(self, producer: AIOKafkaProducer, topic: str, count: int) -> None:
        """Send the next `count` events and wait until the broker has them all."""
        first = sum(len(numbers) for numbers in self.sent.values())
        waiting = []
        for number in range(first, first + count):
            sender = f"user-{number % self.senders}"
            self.sent.setdefault(sender, []).append(number)
            waiting.append(await producer.send(topic, self.event(sender, number), key=sender.encode()))
        await producer.flush()
        for sending in waiting:
            await sending

    def event(self, sender: str, number: int) -> bytes:
        """A message of a user, about as long as those of Rasa."""
        intents = [{"name": f"intent_{rank}", "confidence": 0.1} for rank in range(3)]
        return json.dumps(
            {
                "sender_id": sender, "event": "user", "timestamp": self.began + number / 1000,
                "text": f"message {number}",
                "metadata": {"assistant_id": "default.concierge", "model_id": "8d2f7c"}, "input_channel": "rest",
                "parse_data": {"intent": {"name": f"intent_{number % 7}", "confidence": 0.9}, "entities": [],
                               "intent_ranking": intents},
                "number": number,
            }
        ).encode()  # fmt: skip

    @property
    def total(self) -> int:
        """How many events were sent."""
        return sum(len(numbers) for numbers in self.sent.values())

    async def compare(self, conn: asyncpg.Connection) -> "Comparison":
        """Hold what is stored against what was sent."""
        rows = await conn.fetch(
            """
            select e.sender_id, c.events, array_agg((e.data ->> 'number')::int order by e.seq) as numbers
            from events e left join conversations c using (assistant_id, sender_id) group by 1, 2
            """
        )
        found = {row["sender_id"]: (row["numbers"], row["events"]) for row in rows}
        result = Comparison()
        for sender in self.sent.keys() | found.keys():
            wanted = self.sent.get(sender, [])
            numbers, counted = found.get(sender, ([], None))
            result.lost += len(set(wanted) - set(numbers))
            result.doubled += len(numbers) - len(set(numbers))
            result.disordered += numbers != sorted(numbers)
            result.miscounted += counted != len(numbers)
        return result


@dataclass
class Comparison:
    """Events lost and doubled; conversations whose events are out of order or counted wrongly."""

    lost: int = 0
    doubled: int = 0
    disordered: int = 0
    miscounted: int = 0


@dataclass
class Trial:
    """Events flow while everything that ingestion needs, and ingestion itself, is killed again and again."""

    ingestion: Ingesting
    postgres: Server
    talk: Conversations
    events: int
    kills: int = 0
    database_restarts: int = 0
    kafka_restarts: int = 0
    step: int = 500

    async def run(self) -> None:
        """Send everything, disturb evenly in between, and wait until as many events are stored as were sent."""
        kafka = self.ingestion.kafka
        self.ingestion.start()
        disturbances = {
            self.ingestion.kill_and_start: self.kills,
            self.postgres.restart: self.database_restarts,
            kafka.restart: self.kafka_restarts,
        }
        plan = sorted(
            (((number + 0.5) / count, disturb) for disturb, count in disturbances.items() for number in range(count)),
            key=itemgetter(0),
        )
        async with producing(kafka) as producer:
            sending = asyncio.create_task(self._send(producer))
            for share, disturb in plan:
                await until(partial(self._sent, share * self.events), seconds=600)
                await asyncio.to_thread(disturb)
            await sending
        await until(self._stored, seconds=600)

    async def _send(self, producer: AIOKafkaProducer) -> None:
        while self.talk.total < self.events:
            await self.talk.send(producer, self.ingestion.topic, min(self.step, self.events - self.talk.total))

    async def _sent(self, count: float) -> bool:
        return self.talk.total >= count

    async def _stored(self) -> bool:
        try:
            conn = await connect(self.ingestion.database, application_name="trial")
        except (OSError, asyncpg.PostgresError):
            return False
        try:
            count: int = await conn.fetchval("select count(*) from events")
        finally:
            await conn.close()
        return count >= self.events
