"""Rasa's Kafka publisher, kept from holding up the conversations that it reports on.

As it comes (Rasa 3.6.21), it asks the broker for its topics on the event loop (5 s without an answer), waits there for
room in a full queue (up to a minute for each event), lets errors of the broker through to the code that stores the
conversation, which then is not stored, never collects what became of its messages, so that the queue fills even while
the broker is there, and waits for minutes at its end. Here publishing is handing over: what cannot be handed over is
counted and left to the back-fill, which reads the stored conversations.
"""

import json
import logging
import threading
import time
from typing import Any

from rasa.core.brokers import kafka

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.2
FLUSH_SECONDS = 5.0
TELL_SECONDS = 60.0
LIMITS = {
    # Beside the number of events (`queue_size`): what waits for a broker must not fill the engine's memory.
    "queue.buffering.max.kbytes": 65_536,
    # Events of a conversation arrive in their order even when one had to be sent again.
    "max.in.flight.requests.per.connection": 1,
}


def process_ends() -> bool:
    """Whether the interpreter waits for nothing but threads.

    An engine that takes another model by `PUT /model` forgets the publisher of the one before without closing it; its
    thread would keep a process that is asked to end until it is killed.
    """
    return not threading.main_thread().is_alive()


class KafkaEventBroker(kafka.KafkaEventBroker):
    """Publishes without waiting and without raising; a thread collects the results."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        # Before the base's own: it starts the thread.
        self._lock = threading.Lock()
        self._lost = 0
        self._told = 0.0
        super().__init__(*arguments, **options)

    def publish(self, event: dict[str, Any], **_: Any) -> None:
        """Put an event into the producer's queue."""
        try:
            if self.producer is None:
                self.producer = self._create_producer()
            self.producer.produce(
                self.topic,
                value=json.dumps(event).encode(),
                key=event["sender_id"].encode() if self.partition_by_sender else None,
                headers=[("RASA_ENVIRONMENT", (self.rasa_environment or "").encode())],
                on_delivery=self._delivered,
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the conversation goes on
            self._count(error)

    async def close(self) -> None:
        """Give what is queued a last chance."""
        self._cancelled = True
        self._poll_thread.join()
        if self.producer and (left := self.producer.flush(FLUSH_SECONDS)):
            logger.error("%d events were not published before the end and are left to the back-fill.", left)

    def _get_kafka_config(self) -> dict[str, Any]:
        return {**super()._get_kafka_config(), **LIMITS, "error_cb": self._failed}

    def _poll_loop(self) -> None:
        while not self._cancelled and not process_ends():
            if self.producer is None:
                time.sleep(POLL_SECONDS)
            else:
                self.producer.poll(POLL_SECONDS)
        if self.producer and not self._cancelled:
            self.producer.flush(FLUSH_SECONDS)

    def _delivered(self, error: Any, _message: Any) -> None:
        if error is not None:
            self._count(error)
            return
        with self._lock:
            lost, self._lost = self._lost, 0
        if lost:
            logger.warning("Events are published again; %d were not and are left to the back-fill.", lost)

    def _count(self, error: Any) -> None:
        with self._lock:
            self._lost += 1
        self._failed(error)

    def _failed(self, error: Any) -> None:
        """Say so, but not for every event."""
        with self._lock:
            now = time.monotonic()
            if self._told and now - self._told < TELL_SECONDS:
                return
            self._told = now
        logger.error("Events cannot be published to %s: %s (%d lost so far)", self.url, error, self._lost)
