"""The event broker itself: killed at any moment, stopped, started again on the same volume."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import kafka
from tests.support.kafka import KafkaServer


@pytest.fixture
def fresh() -> Iterator[KafkaServer]:
    """A broker of its own with an empty volume, not started yet."""
    if reason := kafka.missing():
        pytest.skip(f"no Kafka for tests: {reason}")
    with kafka.kafka(start=False) as server:
        yield server


def cluster_id(server: KafkaServer) -> str:
    lines = (server.folder / "volume/data/meta.properties").read_text().splitlines()
    [found] = [line.partition("=")[2] for line in lines if line.startswith("cluster.id=")]
    return found


def kill_once_there_is(server: KafkaServer, path: Path, *, before: Path | None = None) -> bool:
    """Whether it was killed when there was `path`; not, if the moment passed and there is what comes after it."""
    process = server.begin()
    deadline = time.monotonic() + 90
    while not path.exists() and not (before and before.exists()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    server.kill()
    return not (before and before.exists())


@pytest.mark.timeout(300)
def test_killed_during_its_first_start(fresh: KafkaServer) -> None:
    volume = fresh.folder / "volume"
    kill_once_there_is(fresh, volume / ".lock")
    # On a starved machine the moment may pass unseen.
    while not kill_once_there_is(fresh, volume / "data.unfinished", before=volume / "data"):
        shutil.rmtree(volume / "data")
    assert not (volume / "data").exists()
    kill_once_there_is(fresh, volume / "data")
    first = cluster_id(fresh)
    fresh.start()
    fresh.stop()
    assert cluster_id(fresh) == first
    assert sorted(path.name for path in volume.iterdir()) == [".lock", "data"]


@pytest.mark.timeout(300)
def test_stopped_it_ends_by_itself_and_no_password_is_written(fresh: KafkaServer) -> None:
    fresh.start()
    fresh.stop()
    assert fresh.process is not None
    assert fresh.process.returncode == 143
    written = [path for path in (fresh.folder / "volume").rglob("*") if path.is_file()] + [fresh.folder / "log"]
    for password in kafka.PASSWORDS.values():
        assert not [path for path in written if password.encode() in path.read_bytes()]
