"""Topics and rights on a real broker; which of them to touch is decided by pure functions."""

import asyncio
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from tests.support import kafka
from tests.support.kafka import KafkaServer
from tests.support.patience import STUCK_SECONDS

from studio.events.connection import connection
from studio.events.errors import EventBrokerError, EventBrokerUnavailable
from studio.events.topics import Changes, Topic, changes, ensure_topics, wanted
from studio.settings import EventBrokerSettings, EventsTopicSettings


@pytest.fixture
def topic() -> EventsTopicSettings:
    name = kafka.topic_name()
    return EventsTopicSettings(name, f"{name}-dead-letters", partitions=3)


async def ensure(broker: EventBrokerSettings, settings: EventsTopicSettings, *, writer: str = "") -> None:
    await ensure_topics(broker, settings, client_id="test", writer=writer)


async def partitions(server: KafkaServer, topic: str, *, at_least: int) -> int:
    return await kafka.visible(server.settings(), topic, partitions=at_least)


async def send(broker: EventBrokerSettings, topic: str, *values: bytes) -> None:
    producer = AIOKafkaProducer(**connection(broker, client_id="test"), acks="all")
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def received(server: KafkaServer, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        topic, **connection(server.settings(), client_id="test"), auto_offset_reset="earliest", group_id=None
    )
    await consumer.start()
    try:
        return sorted([(await consumer.getone()).value for _ in range(count)])
    finally:
        await consumer.stop()


def test_what_is_missing_is_made_and_what_is_small_grows() -> None:
    events, letters = wanted(EventsTopicSettings("e", "d", partitions=6, replication=3))
    assert (events, letters) == (Topic("e", 6, 3), Topic("d", 1, 3))
    assert changes([events, letters], {}) == Changes((events, letters), ())
    assert changes([events, letters], {"e": 2, "other": 1}) == Changes((letters,), (events,))


def test_more_partitions_than_wanted_stay() -> None:
    assert changes([Topic("e", 2, 1)], {"e": 12}) == Changes((), ())


async def test_made_grown_and_never_shrunk(kafka_server: KafkaServer, topic: EventsTopicSettings) -> None:
    broker = kafka_server.settings()
    await asyncio.gather(*(ensure(broker, topic) for _ in range(3)))
    assert await partitions(kafka_server, topic.name, at_least=3) == 3
    assert await partitions(kafka_server, topic.dead_letters, at_least=1) == 1
    await ensure(broker, replace(topic, partitions=5))
    assert await partitions(kafka_server, topic.name, at_least=5) == 5
    await ensure(broker, replace(topic, partitions=2))
    assert await partitions(kafka_server, topic.name, at_least=5) == 5


async def test_the_engine_writes_events_and_does_nothing_else(
    kafka_server: KafkaServer, topic: EventsTopicSettings
) -> None:
    engine = kafka_server.settings("engine")
    await ensure(kafka_server.settings(), topic)
    with pytest.raises(KafkaError):
        await send(engine, topic.name, b"too early")
    await ensure(kafka_server.settings(), topic, writer="engine")
    await ensure(kafka_server.settings(), topic, writer="engine")
    await kafka.visible(engine, topic.name)
    await send(engine, topic.name, b"event")
    assert await received(kafka_server, topic.name, 1) == [b"event"]
    with pytest.raises(KafkaError):
        await send(engine, topic.dead_letters, b"letter")
    with pytest.raises(EventBrokerError, match="lacks the right Create"):
        await ensure(engine, EventsTopicSettings(kafka.topic_name(), kafka.topic_name()))
    consumer = AIOKafkaConsumer(
        topic.name, **connection(engine, client_id="test"), auto_offset_reset="earliest", group_id=None
    )
    await consumer.start()
    try:
        with pytest.raises(TopicAuthorizationFailedError):
            await asyncio.wait_for(consumer.getone(), STUCK_SECONDS)
    finally:
        await consumer.stop()


async def test_a_topic_that_may_not_be_made_is_named_with_the_right(
    kafka_server: KafkaServer, topic: EventsTopicSettings
) -> None:
    with pytest.raises(EventBrokerError) as raised:
        await ensure(kafka_server.settings("engine"), topic)
    assert str(raised.value) == (
        f"the topic {topic.name} cannot be created: the login lacks the right Create on it. Grant it together with"
        " Describe, or let the broker's administrator make the topic with 3 partitions and grant Describe"
    )


async def test_more_copies_than_the_broker_has_nodes(kafka_server: KafkaServer, topic: EventsTopicSettings) -> None:
    with pytest.raises(EventBrokerError, match="replicationFactor is 3, and the broker has fewer nodes"):
        await ensure(kafka_server.settings(), replace(topic, replication=3))


@pytest.mark.parametrize("listener", [kafka.TLS, kafka.MUTUAL])
async def test_over_tls(kafka_server: KafkaServer, topic: EventsTopicSettings, listener: str) -> None:
    await ensure(kafka_server.settings(listener=listener), topic)
    await send(kafka_server.settings(listener=listener), topic.name, b"event")
    assert await received(kafka_server, topic.name, 1) == [b"event"]


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_with_scram(kafka_server: KafkaServer, topic: EventsTopicSettings, mechanism: str) -> None:
    await asyncio.to_thread(kafka_server.add_scram_user, "studio", mechanism)
    await ensure(kafka_server.settings(listener=kafka.TLS, mechanism=mechanism), topic)
    assert await partitions(kafka_server, topic.name, at_least=3) == 3


async def test_a_wrong_password_and_a_broker_that_is_away_may_pass(
    kafka_server: KafkaServer, topic: EventsTopicSettings
) -> None:
    stranger = replace(kafka_server.settings(), folder=kafka_server.folder / "logins" / "stranger")
    stranger.folder.mkdir(exist_ok=True)
    (stranger.folder / "username").write_text("studio")
    (stranger.folder / "password").write_text("wrong")
    nobody = replace(kafka_server.settings(), servers=("localhost:1",))
    for broker in (stranger, nobody):
        with pytest.raises(EventBrokerUnavailable, match="does not answer or refuses the login"):
            await ensure(broker, topic)


@pytest.mark.timeout(180)
async def test_killed_it_keeps_topics_rights_and_every_acknowledged_event(
    kafka_server: KafkaServer, topic: EventsTopicSettings
) -> None:
    await ensure(kafka_server.settings(), topic, writer="engine")
    await kafka.visible(kafka_server.settings("engine"), topic.name)
    sent = [f"event {number:03}".encode() for number in range(200)]
    await send(kafka_server.settings("engine"), topic.name, *sent)
    await asyncio.to_thread(kafka_server.restart)
    assert await received(kafka_server, topic.name, len(sent)) == sent
    await send(kafka_server.settings("engine"), topic.name, b"later")
    assert await received(kafka_server, topic.name, len(sent) + 1) == [*sent, b"later"]
