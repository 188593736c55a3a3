"""Kafka as ingestion sees it: partitions that come and go, and records from a place that ingestion names.

The group of consumers only shares the partitions out. Its committed offsets are for the tools of Kafka that show lag.
"""

from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any, Protocol

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from studio.events.connection import connection
from studio.ingestion.batch import Partition, Record
from studio.ingestion.positions import PartitionLog
from studio.ingestion.topic_ids import topic_ids
from studio.settings import EventBrokerSettings

FETCH_BYTES = 2 * 1024 * 1024
# A member that was killed is missed after this time; Kafka's own minimum.
SESSION_MS = 6_000
HEARTBEAT_MS = 2_000
# A long absence of the database is no reason to leave the group; whether a lane is stuck is the probe's question.
POLL_INTERVAL_MS = 24 * 60 * 60 * 1000

Changed = Callable[[set[Partition]], Coroutine[Any, Any, None]]

log = structlog.get_logger(__name__)


class FeedError(Exception):
    """Kafka does not answer, or not as it should; try again."""


class OutOfRange(Exception):
    """Kafka does not have the place that was asked for."""


class NotAssigned(Exception):
    """The partition belongs to another member by now."""


class Feed(Protocol):
    """What ingestion needs of Kafka."""

    async def look(self, partition: Partition) -> PartitionLog:
        """What there is of a partition. Raises FeedError."""
        ...

    def seek(self, partition: Partition, offset: int) -> None:
        """Read on at `offset`. Raises NotAssigned."""
        ...

    async def read(self, partition: Partition, *, at_most: int, seconds: float) -> list[Record]:
        """The next records; empty when none comes in time. Raises FeedError, OutOfRange."""
        ...

    def log_end(self, partition: Partition) -> int | None:
        """The end of a partition as of the last read."""
        ...

    async def topic_ids(self, topics: Collection[str]) -> dict[str, str]:
        """Kafka's ids of the topics that exist. Raises FeedError."""
        ...

    async def ends(self, topic: str) -> dict[int, int]:
        """The end of every partition of a topic, whoever reads it. Raises FeedError."""
        ...

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Tell the group how far ingestion is. Raises FeedError."""
        ...


class KafkaFeed:
    """A member of the consumer group."""

    def __init__(self, settings: EventBrokerSettings, *, group: str, client_id: str) -> None:
        """Reads the files of the login now; raises SettingsError."""
        self._consumer = AIOKafkaConsumer(
            **connection(settings, client_id=client_id),
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            max_partition_fetch_bytes=FETCH_BYTES,
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
            max_poll_interval_ms=POLL_INTERVAL_MS,
            metadata_max_age_ms=30_000,
        )

    async def start(self, topics: Collection[str], *, assigned: Changed, revoked: Changed) -> None:
        """Join the group; `revoked` and `assigned` are awaited at each change. Raises FeedError."""
        self._consumer.subscribe(list(topics), listener=_Listener(assigned, revoked))
        try:
            await self._consumer.start()
        except KafkaError as error:
            await self.stop()
            raise FeedError(str(error)) from error

    async def stop(self) -> None:
        """Leave the group and close."""
        await self._consumer.stop()

    async def look(self, partition: Partition) -> PartitionLog:
        """What there is of a partition. Raises FeedError."""
        asked = TopicPartition(*partition)
        try:
            begin = await self._consumer.beginning_offsets([asked])
            end = await self._consumer.end_offsets([asked])
        except KafkaError as error:
            raise FeedError(str(error)) from error
        ids = await self.topic_ids([partition.topic])
        return PartitionLog(begin[asked], end[asked], ids.get(partition.topic))

    def seek(self, partition: Partition, offset: int) -> None:
        """Read on at `offset`. Raises NotAssigned."""
        try:
            self._consumer.seek(TopicPartition(*partition), offset)
        except IllegalStateError as error:
            raise NotAssigned(str(error)) from error

    async def read(self, partition: Partition, *, at_most: int, seconds: float) -> list[Record]:
        """The next records; empty when none comes in time. Raises FeedError, OutOfRange."""
        asked = TopicPartition(*partition)
        try:
            found = await self._consumer.getmany(asked, timeout_ms=int(seconds * 1000), max_records=at_most)
        except NoOffsetForPartitionError:
            # From before `seek`: the group has no offset of its own, and none is wanted.
            return []
        except OffsetOutOfRangeError as error:
            raise OutOfRange(str(error)) from error
        except KafkaError as error:
            raise FeedError(str(error)) from error
        records: list[Record] = found.get(asked, [])
        return records

    def log_end(self, partition: Partition) -> int | None:
        """The end of a partition as of the last read."""
        try:
            end: int | None = self._consumer.highwater(TopicPartition(*partition))
        except IllegalStateError:
            return None
        return end

    async def topic_ids(self, topics: Collection[str]) -> dict[str, str]:
        """Kafka's ids of the topics that exist. Raises FeedError."""
        try:
            # The consumer's own connections: a request that it does not offer.
            return await topic_ids(self._consumer._client, topics)  # noqa: SLF001
        except KafkaError as error:
            raise FeedError(str(error)) from error

    async def ends(self, topic: str) -> dict[int, int]:
        """The end of every partition of a topic, whoever reads it. Raises FeedError."""
        partitions = self._consumer.partitions_for_topic(topic) or set()
        try:
            ends = await self._consumer.end_offsets([TopicPartition(topic, number) for number in partitions])
        except KafkaError as error:
            raise FeedError(str(error)) from error
        return {asked.partition: end for asked, end in ends.items()}

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Tell the group how far ingestion is. Raises FeedError."""
        if not offsets:
            return
        try:
            await self._consumer.commit({TopicPartition(*partition): offset for partition, offset in offsets.items()})
        except (KafkaError, IllegalStateError) as error:
            raise FeedError(str(error)) from error


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, assigned: Changed, revoked: Changed) -> None:
        self._assigned = assigned
        self._revoked = revoked

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        await self._revoked({Partition(*partition) for partition in revoked})

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        await self._assigned({Partition(*partition) for partition in assigned})
