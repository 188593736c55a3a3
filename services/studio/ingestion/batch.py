"""What one transaction stores: events and dead letters of several partitions, and what they mean for conversations."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple, Protocol, Self

from studio.ingestion.event import Event, Malformed, Place, decode, name_in, unknown_assistant

PREVIEW_MAX = 200


class Record(Protocol):
    """A record of Kafka, as far as it matters here; aiokafka's own records fit."""

    @property
    def offset(self) -> int: ...  # noqa: D102
    @property
    def key(self) -> bytes | None: ...  # noqa: D102
    @property
    def value(self) -> bytes | None: ...  # noqa: D102
    @property
    def timestamp(self) -> int: ...  # noqa: D102 (milliseconds since 1970)


class Partition(NamedTuple):
    """A partition of a topic; aiokafka's TopicPartition is equal to it."""

    topic: str
    partition: int


class Origin(NamedTuple):
    """Where a record lies in the store's terms."""

    source: int
    partition: int


class Conversation(NamedTuple):
    """What identifies a conversation."""

    assistant_id: str
    sender_id: str


class Identity(NamedTuple):
    """What an event is recognised by when it may come twice, from Kafka and from a tracker schema.

    Engines stamp an event once, to the microsecond, and send that stamp both ways; several of one microsecond differ
    in their name (slots, actions). The rest of an event may differ on the two ways: engines can mask personal data.
    """

    at: datetime
    type: str
    name: str | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that is no event, and why."""

    place: Place
    topic: str
    key: bytes | None
    value: bytes | None
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Move:
    """How far a batch moves one partition, and the fence under which it may."""

    origin: Origin
    epoch: int
    seen: int
    next: int
    log_end: int


@dataclass(slots=True)
class Tally:
    """What a batch adds to one conversation."""

    started_at: datetime
    last_event_at: datetime
    channel: str | None = None
    user_messages: int = 0
    bot_messages: int = 0
    events: int = 0
    min_confidence: float | None = None
    preview: str | None = None
    intents: set[str] = field(default_factory=set)
    actions: set[str] = field(default_factory=set)

    def add(self, event: Event) -> None:
        """Count one event."""
        self.events += 1
        if event.at < self.started_at:
            self.started_at = event.at
        elif event.at > self.last_event_at:
            self.last_event_at = event.at
        if event.action is not None:
            self.actions.add(event.action)
        if event.type == "user":
            self._add_user(event)
        elif event.type == "bot":
            self.bot_messages += 1

    def _add_user(self, event: Event) -> None:
        self.user_messages += 1
        self.channel = self.channel or event.channel
        if self.preview is None and event.text:
            self.preview = event.text[:PREVIEW_MAX]
        if event.intent is not None:
            self.intents.add(event.intent)
        if event.confidence is not None:
            least = self.min_confidence
            self.min_confidence = event.confidence if least is None else min(least, event.confidence)


@dataclass(slots=True)
class Batch:
    """Events and dead letters in the order of their partitions."""

    events: list[Event] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)

    def read(self, origin: Origin, topic: str, records: Iterable[Record]) -> None:
        """Take in records of one partition."""
        nameless = unknown_assistant(topic)
        source, partition = origin
        for record in records:
            try:
                event = decode(record.value, (source, partition, record.offset), assistant_id=nameless)
                self.events.append(event)
            except Malformed as error:
                place = Place(source, partition, record.offset)
                self.dead_letters.append(DeadLetter(place, topic, record.key, record.value, error.reason, error.detail))

    def conversations(self) -> dict[Conversation, Tally]:
        """What the events mean for their conversations; in the order in which every transaction locks them."""
        tallies: dict[tuple[str, str], Tally] = {}
        for event in self.events:
            key = (event.assistant_id, event.sender_id)
            tally = tallies.get(key)
            if tally is None:
                tally = tallies[key] = Tally(event.at, event.at)
            tally.add(event)
        return {Conversation(*key): tallies[key] for key in sorted(tallies)}

    def without(self, places: AbstractSet[Place]) -> Self:
        """The batch without some of its events."""
        if not places:
            return self
        return replace(self, events=[event for event in self.events if place_of(event) not in places])


def place_of(event: Event) -> Place:
    """Where the event lies."""
    return Place(event.source, event.partition, event.offset)


def conversation_of(event: Event) -> Conversation:
    """Where the event belongs."""
    return Conversation(event.assistant_id, event.sender_id)


def identity_of(event: Event) -> Identity:
    """What the event is recognised by; reads its JSON again, so it is for the few that may come twice."""
    return Identity(event.at, event.type, name_in(event.data))


def deleted(events: Iterable[Event], tombstones: Mapping[Conversation, datetime]) -> set[Place]:
    """The events of deleted conversations that are not younger than the deletion."""
    if not tombstones:
        return set()
    return {
        place_of(event)
        for event in events
        if (deleted_at := tombstones.get(conversation_of(event))) is not None and event.at <= deleted_at
    }


def copies(events: Iterable[Event], known: Mapping[tuple[Conversation, Identity], int], *, once: bool) -> set[Place]:
    """The events that are there already.

    `once`: each known event stands for one of these (a tracker schema holds every event once); else for any number
    of them (a producer may send the same record again).
    """
    left = dict(known)
    found = set()
    for event in events:
        key = (conversation_of(event), identity_of(event))
        if left.get(key, 0) > 0:
            found.add(place_of(event))
            left[key] -= int(once)
    return found
