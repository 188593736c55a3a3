"""The lanes of this process: they begin and end with what the consumer group assigns to it."""

import asyncio
from collections.abc import Callable, Mapping

import structlog

from studio.ingestion.batch import Partition
from studio.ingestion.feed import Feed
from studio.ingestion.lane import Lane

log = structlog.get_logger(__name__)

# A rebalance waits for the batches under way, but not long: the fence guards what comes later.
REVOKE_SECONDS = 5.0
STOP_SECONDS = 15.0


class Intake:
    """The listener of the group, and what the probes and the housekeeping look at."""

    def __init__(self, make_lane: Callable[[Partition, Feed], Lane]) -> None:
        """`make_lane` makes the lane of a partition that is read from the feed."""
        self._make_lane = make_lane
        self.feed: Feed | None = None
        self.lanes: dict[Partition, Lane] = {}
        self.joined = False

    @property
    def alive(self) -> bool:
        """Whether every lane turns."""
        return all(lane.alive for lane in self.lanes.values())

    async def assigned(self, partitions: set[Partition]) -> None:
        """Begin the lanes of these partitions."""
        self.joined = True
        log.info("assigned", partitions=sorted(partitions))
        for partition in partitions - self.lanes.keys():
            self._begin(partition)

    async def revoked(self, partitions: set[Partition]) -> None:
        """End the lanes of these partitions."""
        await self._end(partitions, REVOKE_SECONDS)

    async def begin_again(self, topic: str) -> None:
        """Claim the partitions of a topic once more, because it is not the topic that it was."""
        partitions = {partition for partition in self.lanes if partition.topic == topic}
        await self._end(partitions, REVOKE_SECONDS)
        for partition in partitions:
            self._begin(partition)

    async def end(self) -> dict[Partition, int]:
        """End all lanes after the batches under way; gives how far they got. The group is left afterwards."""
        self.joined = False
        lanes = dict(self.lanes)
        await self._end(set(lanes), STOP_SECONDS)
        return _positions(lanes)

    def positions(self) -> dict[Partition, int]:
        """The next offset of each partition that is being read."""
        return _positions(self.lanes)

    def _begin(self, partition: Partition) -> None:
        if self.feed is not None:
            lane = self.lanes[partition] = self._make_lane(partition, self.feed)
            lane.start()

    async def _end(self, partitions: set[Partition], patience: float) -> None:
        ended = [self.lanes.pop(partition) for partition in partitions if partition in self.lanes]
        await asyncio.gather(*(lane.stop(patience) for lane in ended))


def _positions(lanes: Mapping[Partition, Lane]) -> dict[Partition, int]:
    return {partition: lane.claim.next_offset for partition, lane in lanes.items() if lane.claim is not None}
