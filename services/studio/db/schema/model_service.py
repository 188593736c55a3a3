"""The tables of the model service: assistants, contents, models, and the queue of trainings and runs."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Sequence,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from studio.db.schema.columns import flag, metadata, moment, number, quoted, words

TRAINING_STATES = ("Queued", "Running", "Succeeded", "Failed", "Cancelled", "Superseded")
RUN_STATES = ("Queued", "Warming", "Starting", "Ready", "Draining", "Stopped", "Failed")
FINAL_STATES = ("Succeeded", "Failed", "Cancelled", "Superseded", "Stopped")


# Fencing tokens: of leases and of the passes that write a Service. Never goes back.
fence = Sequence("fence", metadata=metadata, data_type=BigInteger)

assistants = Table(
    "assistants",
    metadata,
    Column("uid", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("namespace", Text, nullable=False),
    Column("studio", Text, nullable=False),
    Column("training", JSONB),
    Column("running", JSONB),
    flag("removing"),
    flag("delete_data"),
    moment("removing_since"),
    moment("removed_at"),
    # What the Service of the assistant was last seen to select: a run, and why it could not be written.
    Column("serving", Text),
    words("service_reason"),
    words("service_message"),
    # Since when trainings are about the present fingerprint: a model that is older was not trained for this wish.
    moment("wanted_since"),
    number("next_training", 1),
    number("next_run", 1),
    number("next_model", 1),
    moment("created_at", nullable=False, now=True),
    # A new uid under an old name takes the name over while the old one is still being cleaned up.
    Index("uq_assistants_name", "name", unique=True, postgresql_where=text("not removing")),
)

contents = Table(
    "contents",
    metadata,
    Column("uid", Text, ForeignKey("assistants.uid"), nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("object_key", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    moment("stored_at", nullable=False, now=True),
    PrimaryKeyConstraint("uid", "fingerprint"),
)

models = Table(
    "models",
    metadata,
    Column("uid", Text, ForeignKey("assistants.uid"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("members", JSONB, nullable=False),
    Column("object_key", Text, nullable=False),
    Column("engine_image", Text, nullable=False),
    Column("training", Text, nullable=False),
    Column("seconds", Float),
    moment("trained_at", nullable=False, now=True),
    # What answered when this one was made, else what was the newest; it may be gone by now. Null: it was the first.
    Column("parent", Integer),
    Column("tags", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    PrimaryKeyConstraint("uid", "version"),
    UniqueConstraint("uid", "fingerprint"),
)

items = Table(
    "items",
    metadata,
    Column("id", Text, primary_key=True),
    Column("seq", BigInteger, Identity(always=True), nullable=False),
    Column("kind", Text, nullable=False),
    Column("uid", Text, ForeignKey("assistants.uid"), nullable=False),
    Column("assistant", Text, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'Queued'")),
    words("reason"),
    words("message"),
    Column("fingerprint", Text, nullable=False),
    Column("model_version", Integer),
    number("priority", 0),
    number("attempt", 0),
    flag("stop_requested"),
    words("stop_reason"),
    Column("holder", Text),
    Column("fence", BigInteger, nullable=False, server_default=text("0")),
    moment("lease_until"),
    moment("requested_at", nullable=False, now=True),
    moment("started_at"),
    moment("ready_at"),
    moment("finished_at"),
    moment("retry_at"),
    Column("spec", JSONB, nullable=False),
    Column("spec_digest", Text, nullable=False),
    Column("log_key", Text),
    Column("report", JSONB),
    # With which words its stop was requested; what ends it keeps them.
    words("stop_message"),
    # What whoever holds it last said of how far it is; null: nothing.
    Column("progress", JSONB),
    CheckConstraint("kind in ('training', 'run')", name="kind"),
    CheckConstraint(
        f"case kind when 'training' then state in ({quoted(TRAINING_STATES)}) else state in ({quoted(RUN_STATES)}) end",
        name="state",
    ),
    CheckConstraint(f"(finished_at is not null) = (state in ({quoted(FINAL_STATES)}))", name="finished"),
    CheckConstraint("finished_at is null or holder is null", name="released"),
    # One training of an assistant runs, at most one more (the newest wish) waits for it to end.
    Index(
        "uq_items_training_running",
        "uid",
        unique=True,
        postgresql_where=text("kind = 'training' and state = 'Running'"),
    ),
    Index(
        "uq_items_training_queued", "uid", unique=True, postgresql_where=text("kind = 'training' and state = 'Queued'")
    ),
    Index("ix_items_active", "kind", "state", postgresql_where=text("finished_at is null")),
    Index("ix_items_started", "kind", "started_at"),
    Index("ix_items_uid", "uid", "kind", "seq"),
    # The line in its order but for fair share, and what that is reckoned from.
    Index(
        "ix_items_line", "kind", text("priority desc"), "requested_at", "seq", postgresql_where=text("state = 'Queued'")
    ),
    Index("ix_items_share", "uid", "kind", "started_at"),
)

transitions = Table(
    "transitions",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("item", Text, ForeignKey("items.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("from_state", Text),
    Column("to_state", Text, nullable=False),
    words("reason"),
    words("message"),
    Column("attempt", Integer, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    moment("at", nullable=False, now=True),
)

# Idle consumers say here that they are there; busy ones are known by their leases.
consumers = Table(
    "consumers",
    metadata,
    Column("holder", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    moment("seen_at", nullable=False, now=True),
)

# Objects in the store that no row speaks for, to be deleted once due. A key is written here before its bytes are
# stored and taken out by the transaction that adopts it, so nothing is orphaned by a crash between the two.
garbage = Table(
    "garbage",
    metadata,
    Column("object_key", Text, primary_key=True),
    moment("due_at", nullable=False),
    Index("ix_garbage_due_at", "due_at"),
)
