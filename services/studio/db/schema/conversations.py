"""The conversation store: events as they came, conversations as they are listed, and what ingestion must remember.

Ingestion writes events, sources, offsets, conversations with their filters, external assistants and dead letters. The
back end reads them and writes tags, flags, tombstones and replay requests.
"""

from sqlalchemy import (
    REAL,
    BigInteger,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from studio.db.schema.columns import flag, metadata, moment, number, words

# Where events come from: one incarnation of a Kafka topic, or (`tracker:<schema>`) the tracker schema of an assistant,
# where the partition is 0 and the offset is the id of the tracker's row. A topic that was deleted and made again is a
# new incarnation, because its offsets start anew.
event_sources = Table(
    "event_sources",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("topic", Text, nullable=False),
    number("incarnation", 1),
    # Kafka's own id of the topic, once it is known.
    Column("topic_id", Text),
    moment("created_at", nullable=False, now=True),
    UniqueConstraint("topic", "incarnation"),
)

# The position of ingestion: the only one that counts. A batch moves `next_offset` and stores its events in one
# transaction, and only if `epoch` is still the one its process was given when it took the partition.
event_offsets = Table(
    "event_offsets",
    metadata,
    Column("source", Integer, ForeignKey("event_sources.id"), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("next_offset", BigInteger, nullable=False, server_default=text("0")),
    Column("epoch", BigInteger, nullable=False, server_default=text("0")),
    Column("holder", Text),
    # The end of the partition when it was last looked at: lag = log_end - next_offset.
    Column("log_end", BigInteger, nullable=False, server_default=text("0")),
    moment("updated_at", nullable=False, now=True),
    PrimaryKeyConstraint("source", "partition"),
)

# No foreign keys and no trigger: the rows come by COPY. `seq` grows in the order of a conversation's partition; a
# conversation is read in the order (at, seq). `text` is clipped to 10,000 characters, `data` is the event as it came.
events = Table(
    "events",
    metadata,
    Column("seq", BigInteger, Identity(always=True), nullable=False),
    Column("source", Integer, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("assistant_id", Text, nullable=False),
    Column("sender_id", Text, nullable=False),
    moment("at", nullable=False),
    Column("type", Text, nullable=False),
    Column("intent", Text),
    Column("confidence", REAL),
    Column("action", Text),
    Column("text", Text),
    Column("channel", Text),
    Column("model_id", Text),
    Column("data", JSONB, nullable=False),
    PrimaryKeyConstraint("source", "partition", "offset"),
    Index("ix_events_conversation", "assistant_id", "sender_id", "at", "seq"),
    # `to_tsvector('simple', text) @@ websearch_to_tsquery('simple', …)`; only a quarter of the events have text.
    Index(
        "ix_events_text",
        text("to_tsvector('simple'::regconfig, text)"),
        postgresql_using="gin",
        postgresql_where=text("text is not null"),
    ),
)

# To delete one, in this order in one transaction: delete its row here (that waits for a batch under way), write the
# tombstone, delete its events. Its tags and flags go with the row.
conversations = Table(
    "conversations",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("assistant_id", Text, nullable=False),
    Column("sender_id", Text, nullable=False),
    Column("channel", Text),
    moment("started_at", nullable=False),
    moment("last_event_at", nullable=False),
    number("user_messages", 0),
    number("bot_messages", 0),
    number("events", 0),
    Column("min_confidence", REAL),
    # The beginning of a message of the user, to recognise the conversation in a list.
    Column("preview", Text),
    # Which intents and actions occur, for filters: `intents @> array['…']`. As rows of their own, each with an index
    # entry or two, they would cost as much as all else that a batch does beside its COPY.
    Column("intents", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("actions", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    # Some events came from the tracker schema, so their late copies from Kafka must be looked for.
    flag("backfilled"),
    UniqueConstraint("assistant_id", "sender_id"),
    Index("ix_conversations_listed", "assistant_id", "last_event_at", "id"),
    Index("ix_conversations_intents", "intents", postgresql_using="gin"),
    Index("ix_conversations_actions", "actions", postgresql_using="gin"),
)

conversation_tags = Table(
    "conversation_tags",
    metadata,
    Column("conversation", BigInteger, ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    Column("tag", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    moment("created_at", nullable=False, now=True),
    PrimaryKeyConstraint("conversation", "tag"),
    Index("ix_conversation_tags_tag", "tag", "conversation"),
)

conversation_flags = Table(
    "conversation_flags",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("conversation", BigInteger, ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    # The flagged event; null = the whole conversation.
    Column("event_seq", BigInteger),
    Column("reason", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    moment("created_at", nullable=False, now=True),
    Column("resolved_by", Text),
    moment("resolved_at"),
    Index("ix_conversation_flags_conversation", "conversation"),
)

# Tombstones: events up to `deleted_at` (at least the time of the last event) do not come back, by whatever way; what a
# user says later is a new conversation.
deleted_conversations = Table(
    "deleted_conversations",
    metadata,
    Column("assistant_id", Text, nullable=False),
    Column("sender_id", Text, nullable=False),
    moment("deleted_at", nullable=False, now=True),
    Column("deleted_by", Text, nullable=False),
    PrimaryKeyConstraint("assistant_id", "sender_id"),
)

# Assistants that are not of this Studio but send events; `last_seen` is exact to the minute.
external_assistants = Table(
    "external_assistants",
    metadata,
    Column("assistant_id", Text, primary_key=True),
    Column("topic", Text, nullable=False),
    moment("first_seen", nullable=False, now=True),
    moment("last_seen", nullable=False, now=True),
)

# What could not be stored as an event, and gaps: offsets that Kafka no longer had (reason `gap`, no value).
# The back end asks for a replay by setting `replay_requested_at`, ingestion looks every two seconds; a replay is
# pending while `replayed_at` is null or older than the request.
dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("source", Integer, ForeignKey("event_sources.id"), nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("reason", Text, nullable=False),
    words("detail"),
    moment("created_at", nullable=False, now=True),
    # When it was copied to the dead-letter topic.
    moment("published_at"),
    moment("replay_requested_at"),
    Column("replay_requested_by", Text),
    moment("replayed_at"),
    # `stored`, `duplicate`, `deleted`, or `refused: <reason>`.
    Column("replay_result", Text),
    UniqueConstraint("source", "partition", "offset"),
    Index("ix_dead_letters_listed", "created_at", "id"),
    Index("ix_dead_letters_unpublished", "id", postgresql_where=text("published_at is null")),
    Index("ix_dead_letters_requested", "id", postgresql_where=text("replay_requested_at is not null")),
)
