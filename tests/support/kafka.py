"""A real Kafka for tests: the event broker's own entrypoint and settings, on loopback, with listeners for TLS besides.

One broker serves a whole session; tests keep apart by the names of their topics (`topic_name`).
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from tests.support import certificates, folders
from tests.support.patience import STUCK_SECONDS
from tests.support.ports import free_ports

from studio.events.connection import connection
from studio.settings import EventBrokerSettings

IMAGE = Path(__file__).parents[2] / "images/event-broker"
# What the production image has, then what an external broker may ask for.
CLIENT, TLS, MUTUAL = "CLIENT", "TLS", "MUTUAL"
_PROTOCOLS = {CLIENT: "SASL_PLAINTEXT", TLS: "SASL_SSL", MUTUAL: "SSL"}
PASSWORDS = {"studio": "studio-password", "engine": "engine-password"}
_START_SECONDS = 90.0


@dataclass
class KafkaServer:
    """A broker and its controller in one process. The methods block: call them by `asyncio.to_thread`."""

    folder: Path
    ports: dict[str, int]
    controller: int
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def bootstrap(self) -> str:
        """`host:port` of the listener that the production image has."""
        return f"localhost:{self.ports[CLIENT]}"

    def settings(
        self, user: str = "studio", *, listener: str = CLIENT, mechanism: str = "PLAIN"
    ) -> EventBrokerSettings:
        """A login: `studio` may do everything, `engine` what its rights say. On MUTUAL the certificate is the login."""
        protocol = _PROTOCOLS[listener]
        return EventBrokerSettings(
            servers=(f"localhost:{self.ports[listener]}",),
            folder=self.folder / "logins" / f"{user}-{listener}",
            security_protocol=protocol,
            sasl_mechanism=mechanism if protocol.startswith("SASL_") else "",
        )

    def start(self) -> None:
        """Start, and wait until the broker takes connections; does nothing while it runs."""
        process = self.begin()
        deadline = time.monotonic() + _START_SECONDS
        while not all(_listening(port) for port in self.ports.values()):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the event broker did not start: {(self.folder / 'log').read_text()[-4000:]}")
            time.sleep(0.05)

    def begin(self) -> subprocess.Popen[bytes]:
        """Start, and wait for nothing."""
        if self.process is None or self.process.poll() is not None:
            with (self.folder / "log").open("ab") as log:
                self.process = subprocess.Popen(
                    [IMAGE / "entrypoint"], env=self._environment(), start_new_session=True,
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                )  # fmt: skip
        return self.process

    def stop(self) -> None:
        """Stop as Kubernetes does, with SIGTERM, and wait for the end."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill -9: nothing is flushed, closed or said."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kill -9, then start on the same volume."""
        self.kill()
        self.start()

    def add_scram_user(self, user: str, mechanism: str) -> None:
        """Let `user` log in to the TLS listener with SCRAM."""
        subprocess.run(
            ["java", "-cp", self.folder / "home/lib/*", "kafka.admin.ConfigCommand",
             "--bootstrap-server", self.bootstrap, "--command-config", self.folder / "studio.properties",
             "--alter", "--entity-type", "users", "--entity-name", user,
             "--add-config", f"{mechanism}=[password={PASSWORDS[user]}]"],
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip

    def _end(self, number: signal.Signals) -> None:
        """The signal goes to the whole group, as when a container ends: the entrypoint formats in a child."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, number)
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
                raise

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "EVENT_BROKER_ADVERTISED": self.bootstrap,
            "EVENT_BROKER_HOME": str(self.folder / "home"),
            "EVENT_BROKER_SECRETS": str(self.folder / "secrets"),
            "EVENT_BROKER_VOLUME": str(self.folder / "volume"),
        }


def missing() -> str | None:
    """Why there can be no broker on this machine; None if there can."""
    programs = [program for program in ("java", "mvn") if not shutil.which(program)]
    return f"not on PATH: {', '.join(programs)} (packages openjdk-17-jre-headless, maven)" if programs else None


@contextmanager
def kafka(*, start: bool = True) -> Iterator[KafkaServer]:
    """A broker on free ports of its own, started unless told otherwise; it ends with the block and leaves nothing."""
    folder = folders.make("studio-kafka-")
    *ports, controller = free_ports(len(_PROTOCOLS) + 1)
    server = KafkaServer(folder, dict(zip(_PROTOCOLS, ports, strict=True)), controller)
    try:
        _furnish(server)
        if start:
            server.start()
        yield server
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def topic_name() -> str:
    """A name that no other test uses."""
    return f"events-{uuid.uuid4().hex[:12]}"


async def visible(login: EventBrokerSettings, topic: str, *, partitions: int = 1) -> int:
    """Wait until a login sees a topic with at least so many partitions; gives how many it sees.

    Topics and rights come to the broker a moment after its controller has acknowledged them.
    """
    admin = AIOKafkaAdminClient(**connection(login, client_id="test"))
    await admin.start()
    try:
        async with asyncio.timeout(STUCK_SECONDS):
            while True:
                [found] = await admin.describe_topics([topic])
                if len(found["partitions"]) >= partitions:
                    return len(found["partitions"])
    finally:
        await admin.close()


def jars() -> Path:
    """The broker's class path, fetched once for each version of its list."""
    lock = (IMAGE / "jars.sha256").read_bytes() + (IMAGE / "pom.xml").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "studio-operator" / "event-broker"
    ready = cache / hashlib.sha256(lock).hexdigest()[:12]
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not ready.exists():
            unfinished = ready.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            done = subprocess.run([IMAGE / "fetch-jars", unfinished], check=False, capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"Kafka's jars could not be fetched: {done.stdout[-2000:]}{done.stderr[-2000:]}")
            unfinished.rename(ready)
    return ready


def _furnish(server: KafkaServer) -> None:
    home, secrets = server.folder / "home", server.folder / "secrets"
    for folder in (home, secrets, server.folder / "volume"):
        folder.mkdir()
    (home / "lib").symlink_to(jars())
    shutil.copy(IMAGE / "log4j2.properties", home)
    (secrets / "admin-password").write_text(PASSWORDS["studio"])
    (secrets / "engine-password").write_text(PASSWORDS["engine"])
    authority = certificates.Authority("Test authority")
    tls = server.folder / "tls"
    tls.mkdir()
    (tls / "ca.pem").write_text(authority.certificate)
    (tls / "server.pem").write_text(authority.issue("localhost").both)
    for user, password in PASSWORDS.items():
        for listener in _PROTOCOLS:
            _write_login(server.folder / "logins" / f"{user}-{listener}", user, password, listener, authority)
    (home / "server.properties").write_text(_properties(server))
    (server.folder / "studio.properties").write_text(
        "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n"
        "sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required "
        f'username="studio" password="{PASSWORDS["studio"]}";\n'
    )


def _write_login(folder: Path, user: str, password: str, listener: str, authority: certificates.Authority) -> None:
    folder.mkdir(parents=True)
    if listener != MUTUAL:
        (folder / "username").write_text(user)
        (folder / "password").write_text(password)
    if listener != CLIENT:
        (folder / "ca.crt").write_text(authority.certificate)
    if listener == MUTUAL:
        issued = authority.issue(user)
        (folder / "tls.crt").write_text(issued.certificate)
        (folder / "tls.key").write_text(issued.key)


def _properties(server: KafkaServer) -> str:
    """The image's own settings, moved to this machine's ports and folders, with two more listeners."""
    ports, tls = server.ports, server.folder / "tls"
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    users = " ".join(f'user_{user}="{password}"' for user, password in PASSWORDS.items())
    text = (IMAGE / "server.properties").read_text()
    for old, new in {
        "/etc/event-broker": str(server.folder / "secrets"),
        "localhost:9093": f"localhost:{server.controller}",
        "listeners=CLIENT://:9092": "listeners=" + ",".join(f"{name}://localhost:{ports[name]}" for name in ports),
        "advertised.listeners=CLIENT://${env::EVENT_BROKER_ADVERTISED}": "advertised.listeners="
        + ",".join(
            ["CLIENT://${env::EVENT_BROKER_ADVERTISED}", *(f"{n}://localhost:{ports[n]}" for n in (TLS, MUTUAL))]
        ),
        "CLIENT:SASL_PLAINTEXT": ",".join(f"{name}:{protocol}" for name, protocol in _PROTOCOLS.items()),
        "super.users=User:studio": "super.users=User:studio;User:CN=studio",
    }.items():
        if old not in text:
            raise RuntimeError(f"server.properties has no {old!r} any more: correct this fixture")
        text = text.replace(old, new)
    return f"""{text}
listener.name.tls.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.tls.plain.sasl.jaas.config={plain} {users};
listener.name.tls.scram-sha-256.sasl.jaas.config={scram}
listener.name.tls.scram-sha-512.sasl.jaas.config={scram}
listener.name.mutual.ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location={tls}/server.pem
ssl.truststore.type=PEM
ssl.truststore.location={tls}/ca.pem
"""


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
