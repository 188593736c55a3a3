"""The dead-letter topic."""

from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from studio.events.connection import connection
from studio.ingestion.dead_letters import Headers
from studio.ingestion.feed import FeedError
from studio.settings import EventBrokerSettings

REQUEST_BYTES = 4 * 1024 * 1024


class TopicSender:
    """A producer that lives as long as there is something to send. An async context manager."""

    def __init__(self, settings: EventBrokerSettings, topic: str, *, client_id: str) -> None:
        """Reads the files of the login now; raises SettingsError."""
        self._topic = topic
        self._producer = AIOKafkaProducer(
            **connection(settings, client_id=client_id),
            acks="all",
            enable_idempotence=True,
            max_request_size=REQUEST_BYTES,
        )

    async def __aenter__(self) -> Self:
        try:
            await self._producer.start()
        except KafkaError as error:
            await self._producer.stop()
            raise FeedError(str(error)) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def send(self, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """Send one record and wait until the broker has it; without its value if that is too large for the topic.

        Raises FeedError.
        """
        try:
            try:
                await self._producer.send_and_wait(self._topic, value, key=key, headers=headers)
            except MessageSizeTooLargeError:
                omitted = [*headers, ("studio-value-omitted", b"too large for this topic, it is in the database")]
                await self._producer.send_and_wait(self._topic, None, key=key, headers=omitted)
        except KafkaError as error:
            raise FeedError(str(error)) from error
