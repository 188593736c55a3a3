"""The engine's publisher of events, on a stand-in for Rasa's: a conversation neither waits for it nor fails by it."""

import importlib.util
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SOURCE = Path(__file__).parents[3] / "images/engine/kafka_broker.py"


class Producer:
    """confluent-kafka's: a queue that can be full, and results that come with `poll` only."""

    def __init__(self, room: int = 10) -> None:
        self.room = room
        self.sent: list[dict[str, Any]] = []
        self.results: list[Any] = []
        self.polled = threading.Event()
        self.flushed: list[float] = []

    def produce(self, topic: str, **message: Any) -> None:
        if len(self.sent) >= self.room:
            raise BufferError("Local: Queue full")
        self.sent.append({"topic": topic, **message})

    def poll(self, seconds: float) -> None:
        self.polled.set()
        while self.results:
            self.sent[0]["on_delivery"](self.results.pop(0), None)

    def flush(self, seconds: float) -> int:
        self.flushed.append(seconds)
        return 3


class Base:
    """What Rasa's class does that ours relies on."""

    producer: Producer | None = None

    def __init__(self, url: str, topic: str, *, partition_by_sender: bool = False) -> None:
        self.url, self.topic, self.partition_by_sender = url, topic, partition_by_sender
        self.rasa_environment = "test"
        self._cancelled = False
        self._poll_thread = threading.Thread(target=self._poll_loop)
        self._poll_thread.start()

    def _poll_loop(self) -> None:
        raise NotImplementedError

    def _get_kafka_config(self) -> dict[str, Any]:
        return {"bootstrap.servers": self.url, "error_cb": None}

    def _create_producer(self) -> Producer:
        return Producer()


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    kafka = ModuleType("rasa.core.brokers.kafka")
    kafka.KafkaEventBroker = Base  # type: ignore[attr-defined]
    brokers = ModuleType("rasa.core.brokers")
    brokers.kafka = kafka  # type: ignore[attr-defined]
    for name, stand_in in {"rasa": ModuleType("rasa"), "rasa.core": ModuleType("rasa.core"),
                           "rasa.core.brokers": brokers, "rasa.core.brokers.kafka": kafka}.items():  # fmt: skip
        monkeypatch.setitem(sys.modules, name, stand_in)
    spec = importlib.util.spec_from_file_location("studio_kafka", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def broker(module: ModuleType) -> Iterator[Any]:
    made = module.KafkaEventBroker("broker:9092", "events", partition_by_sender=True)
    yield made
    made._cancelled = True
    made._poll_thread.join()


def event(number: int = 0) -> dict[str, Any]:
    return {"sender_id": "anna", "event": "user", "number": number}


def test_an_event_goes_to_the_partition_of_its_sender(broker: Any) -> None:
    broker.publish(event())
    [message] = broker.producer.sent
    assert (message["topic"], message["key"]) == ("events", b"anna")
    assert message["value"] == b'{"sender_id": "anna", "event": "user", "number": 0}'
    assert message["headers"] == [("RASA_ENVIRONMENT", b"test")]


def test_a_full_queue_costs_the_event_and_neither_time_nor_the_conversation(
    broker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(50):
        broker.publish(event(number))
    assert len(broker.producer.sent) == 10
    [told] = caplog.records
    assert "Events cannot be published to broker:9092: Local: Queue full" in told.getMessage()


def test_a_producer_that_cannot_be_made_is_tried_again(broker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Producer:
        raise RuntimeError("ssl.ca.location: no such file")

    with monkeypatch.context() as patch:
        patch.setattr(broker, "_create_producer", refuse)
        broker.publish(event())
    broker.publish(event(1))
    assert [message["value"] for message in broker.producer.sent] == [
        b'{"sender_id": "anna", "event": "user", "number": 1}'
    ]


def test_results_are_collected_and_the_lost_are_told_once_it_works_again(
    broker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    producer = Producer()
    producer.results = ["timed out", "timed out", None]
    producer.sent = [{"on_delivery": broker._delivered}]
    broker.producer = producer
    assert producer.polled.wait(10)
    broker._cancelled = True
    broker._poll_thread.join()
    assert [record.getMessage() for record in caplog.records] == [
        "Events cannot be published to broker:9092: timed out (1 lost so far)",
        "Events are published again; 2 were not and are left to the back-fill.",
    ]


async def test_the_end_waits_for_seconds_only(broker: Any, caplog: pytest.LogCaptureFixture) -> None:
    broker.publish(event())
    await broker.close()
    assert broker.producer.flushed == [5.0]
    assert "3 events were not published before the end" in caplog.text


def test_one_that_nobody_closed_lets_the_process_end(
    broker: Any, module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of the model before, after `PUT /model`."""
    broker.publish(event())
    monkeypatch.setattr(module, "process_ends", lambda: True)
    broker._poll_thread.join(10)
    assert not broker._poll_thread.is_alive()
    assert broker.producer.flushed == [5.0]


def test_a_process_ends_when_its_main_thread_has_ended(module: ModuleType) -> None:
    assert not module.process_ends()


def test_memory_is_bounded_and_order_kept(broker: Any) -> None:
    config = broker._get_kafka_config()
    assert config["queue.buffering.max.kbytes"] == 65_536
    assert config["max.in.flight.requests.per.connection"] == 1
    config["error_cb"]("all brokers are down")
