"""The topics of a Studio and the rights on them: made and grown, never shrunk nor deleted; all of it repeatable."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidPartitionsError,
    InvalidReplicationFactorError,
    KafkaError,
    KafkaTimeoutError,
    NoError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)
from aiokafka.protocol.admin import CreateAclsRequest

from studio.events.connection import connection
from studio.events.errors import EventBrokerError, EventBrokerUnavailable
from studio.settings import EventBrokerSettings, EventsTopicSettings

log = structlog.get_logger(__name__)

# Numbers of Kafka's protocol: org.apache.kafka.common.resource.{ResourceType,PatternType}, …acl.{AclOperation,…}.
_TOPIC, _LITERAL, _ALLOW = 2, 3, 3
_WRITE, _DESCRIBE = 4, 8


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it should be, with at least `partitions`."""

    name: str
    partitions: int
    replication: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What makes the topics of a broker into those that are wanted."""

    create: tuple[Topic, ...]
    grow: tuple[Topic, ...]


def wanted(settings: EventsTopicSettings) -> tuple[Topic, ...]:
    """The topic of the events, and the one for records that could not be read: few, so one partition carries them."""
    return (
        Topic(settings.name, settings.partitions, settings.replication),
        Topic(settings.dead_letters, 1, settings.replication),
    )


def changes(topics: Iterable[Topic], existing: Mapping[str, int]) -> Changes:
    """What to do, given the number of partitions of each existing topic. More than wanted stay: none can be removed."""
    topics = tuple(topics)
    return Changes(
        create=tuple(topic for topic in topics if topic.name not in existing),
        grow=tuple(topic for topic in topics if existing.get(topic.name, topic.partitions) < topic.partitions),
    )


async def ensure_topics(
    broker: EventBrokerSettings, settings: EventsTopicSettings, *, client_id: str, writer: str = ""
) -> None:
    """Make the topics and, if a `writer` is named, let that user write to the one of the events, and to no other.

    Raises EventBrokerUnavailable for what may pass, else EventBrokerError or SettingsError.
    """
    async with _administrator(broker, client_id) as admin:
        existing = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}
        todo = changes(wanted(settings), existing)
        for topic in todo.create:
            await _create(admin, topic)
        for topic in todo.grow:
            await _grow(admin, topic)
        if writer:
            await _allow_writing(admin, writer, settings.name)


@asynccontextmanager
async def _administrator(broker: EventBrokerSettings, client_id: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**connection(broker, client_id=client_id))
    try:
        await admin.start()
        yield admin
    except (KafkaError, OSError, TimeoutError) as error:
        # A wrong login looks like a broker that is away: the client says only that it could not begin.
        raise EventBrokerUnavailable(
            f"the event broker {', '.join(broker.servers)} does not answer or refuses the login with"
            f" {broker.security_protocol} {broker.sasl_mechanism}: {type(error).__name__}: {error}"
        ) from error
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, topic: Topic) -> None:
    answer = await admin.create_topics([NewTopic(topic.name, topic.partitions, topic.replication)])
    for _, code, *text in answer.topic_errors:
        error = for_code(code)
        if error is TopicAlreadyExistsError:
            log.info("topic was made by somebody else at the same time", topic=topic.name)
        elif error is NoError:
            log.info("topic created", topic=topic.name, partitions=topic.partitions)
        else:
            _refuse(error, topic, "created", "Create", *text)


async def _grow(admin: AIOKafkaAdminClient, topic: Topic) -> None:
    try:
        await admin.create_partitions({topic.name: NewPartitions(topic.partitions)})
    except InvalidPartitionsError:
        log.info("topic was given more partitions by somebody else at the same time", topic=topic.name)
        return
    except KafkaError as error:
        _refuse(type(error), topic, f"given {topic.partitions} partitions", "Alter", str(error))
    log.info("topic has more partitions now", topic=topic.name, partitions=topic.partitions)


def _refuse(error: type[KafkaError], topic: Topic, done: str, operation: str, text: str | None = None) -> None:
    """Raise what the broker answered, with the remedy where it is known; as it is where it may pass."""
    if error.retriable or error is KafkaTimeoutError:
        raise error(text)
    remedy = f"{error.__name__} {text or ''}".strip()
    if error in (TopicAuthorizationFailedError, ClusterAuthorizationFailedError):
        remedy = (
            f"the login lacks the right {operation} on it. Grant it together with Describe, or let the broker's"
            f" administrator make the topic with {topic.partitions} partitions and grant Describe"
        )
    elif error is InvalidReplicationFactorError:
        remedy = f"eventBroker.topic.replicationFactor is {topic.replication}, and the broker has fewer nodes"
    raise EventBrokerError(f"the topic {topic.name} cannot be {done}: {remedy}")


async def _allow_writing(admin: AIOKafkaAdminClient, user: str, topic: str) -> None:
    for operation in (_WRITE, _DESCRIBE):
        request = CreateAclsRequest(_TOPIC, topic, _LITERAL, f"User:{user}", "*", operation, _ALLOW)
        # The client knows the request but has no method for it.
        answer = await admin._send_to_controller(request)  # noqa: SLF001
        for code, text in answer.creation_responses:
            if (error := for_code(code)) is not NoError:
                raise EventBrokerError(
                    f"{user} cannot be given the right to write to the topic {topic}: {error.__name__} {text or ''}"
                )
