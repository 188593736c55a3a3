"""The conversation store: events with their sources and offsets, conversations, dead letters."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of ingestion and of the annotations, and the view `messages`."""
    op.create_table(
        "conversations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("assistant_id", sa.Text(), nullable=False),
        sa.Column("sender_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text()),
        sa.Column("started_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("last_event_at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("user_messages", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("bot_messages", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("events", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("min_confidence", sa.REAL()),
        sa.Column("preview", sa.Text()),
        sa.Column("intents", ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("actions", ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("backfilled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
        sa.UniqueConstraint("assistant_id", "sender_id", name="uq_conversations_assistant_id_sender_id"),
    )
    op.create_index("ix_conversations_listed", "conversations", ["assistant_id", "last_event_at", "id"])
    op.create_index("ix_conversations_intents", "conversations", ["intents"], postgresql_using="gin")
    op.create_index("ix_conversations_actions", "conversations", ["actions"], postgresql_using="gin")
    op.create_table(
        "deleted_conversations",
        sa.Column("assistant_id", sa.Text(), nullable=False),
        sa.Column("sender_id", sa.Text(), nullable=False),
        sa.Column("deleted_at", TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("deleted_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("assistant_id", "sender_id", name="pk_deleted_conversations"),
    )
    op.create_table(
        "event_sources",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("incarnation", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("topic_id", sa.Text()),
        sa.Column("created_at", TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event_sources"),
        sa.UniqueConstraint("topic", "incarnation", name="uq_event_sources_topic_incarnation"),
    )
    op.create_table(
        "events",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source", sa.Integer(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("assistant_id", sa.Text(), nullable=False),
        sa.Column("sender_id", sa.Text(), nullable=False),
        sa.Column("at", TIMESTAMP(timezone=True), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("intent", sa.Text()),
        sa.Column("confidence", sa.REAL()),
        sa.Column("action", sa.Text()),
        sa.Column("text", sa.Text()),
        sa.Column("channel", sa.Text()),
        sa.Column("model_id", sa.Text()),
        sa.Column("data", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("source", "partition", "offset", name="pk_events"),
    )
    op.create_index("ix_events_conversation", "events", ["assistant_id", "sender_id", "at", "seq"])
    op.create_index(
        "ix_events_text",
        "events",
        [sa.literal_column("to_tsvector('simple'::regconfig, text)")],
        postgresql_using="gin",
        postgresql_where=sa.text("text is not null"),
    )
    op.create_table(
        "external_assistants",
        sa.Column("assistant_id", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("first_seen", TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_seen", TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("assistant_id", name="pk_external_assistants"),
    )
    op.create_table(
        "conversation_flags",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("conversation", sa.BigInteger(), nullable=False),
        sa.Column("event_seq", sa.BigInteger()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("resolved_by", sa.Text()),
        sa.Column("resolved_at", TIMESTAMP(timezone=True)),
        sa.ForeignKeyConstraint(
            ["conversation"], ["conversations.id"], name="fk_conversation_flags_conversation", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_conversation_flags"),
    )
    op.create_index("ix_conversation_flags_conversation", "conversation_flags", ["conversation"])
    op.create_table(
        "conversation_tags",
        sa.Column("conversation", sa.BigInteger(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation"], ["conversations.id"], name="fk_conversation_tags_conversation", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("conversation", "tag", name="pk_conversation_tags"),
    )
    op.create_index("ix_conversation_tags_tag", "conversation_tags", ["tag", "conversation"])
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source", sa.Integer(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.LargeBinary()),
        sa.Column("value", sa.LargeBinary()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("published_at", TIMESTAMP(timezone=True)),
        sa.Column("replay_requested_at", TIMESTAMP(timezone=True)),
        sa.Column("replay_requested_by", sa.Text()),
        sa.Column("replayed_at", TIMESTAMP(timezone=True)),
        sa.Column("replay_result", sa.Text()),
        sa.ForeignKeyConstraint(["source"], ["event_sources.id"], name="fk_dead_letters_source"),
        sa.PrimaryKeyConstraint("id", name="pk_dead_letters"),
        sa.UniqueConstraint("source", "partition", "offset", name="uq_dead_letters_source_partition_offset"),
    )
    op.create_index("ix_dead_letters_listed", "dead_letters", ["created_at", "id"])
    op.create_index(
        "ix_dead_letters_requested", "dead_letters", ["id"], postgresql_where=sa.text("replay_requested_at is not null")
    )
    op.create_index(
        "ix_dead_letters_unpublished", "dead_letters", ["id"], postgresql_where=sa.text("published_at is null")
    )
    op.create_table(
        "event_offsets",
        sa.Column("source", sa.Integer(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("holder", sa.Text()),
        sa.Column("log_end", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("updated_at", TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["source"], ["event_sources.id"], name="fk_event_offsets_source"),
        sa.PrimaryKeyConstraint("source", "partition", name="pk_event_offsets"),
    )
    op.execute(
        """
        create view messages as
        select seq, assistant_id, sender_id, at, type, text, intent, confidence, channel, model_id
        from events
        where type in ('user', 'bot') and text is not null
        """
    )


def downgrade() -> None:
    """Remove all of it."""
    op.execute("drop view messages")
    op.drop_table("event_offsets")
    op.drop_table("dead_letters")
    op.drop_table("conversation_tags")
    op.drop_table("conversation_flags")
    op.drop_table("external_assistants")
    op.drop_table("events")
    op.drop_table("event_sources")
    op.drop_table("deleted_conversations")
    op.drop_table("conversations")
