"""The tables of database `studio` as SQLAlchemy metadata: what the migrations lead to, and nothing that runs.

Services use asyncpg with SQL; this metadata exists for Alembic and for the tools that read a schema.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Sequence,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

TRAINING_STATES = ("Queued", "Running", "Succeeded", "Failed", "Cancelled", "Superseded")
RUN_STATES = ("Queued", "Starting", "Ready", "Draining", "Stopped", "Failed")
FINAL_STATES = ("Succeeded", "Failed", "Cancelled", "Superseded", "Stopped")


def _quoted(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{value}'" for value in values)


def _moment(name: str, *, nullable: bool = True, now: bool = False) -> Column[object]:
    return Column(name, TIMESTAMP(timezone=True), nullable=nullable, server_default=text("now()") if now else None)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=text("false"))


def _number(name: str, default: int) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=text(str(default)))


def _words(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default=text("''"))


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
    _flag("removing"),
    _flag("delete_data"),
    _moment("removing_since"),
    _moment("removed_at"),
    # What the Service of the assistant was last seen to select: a run, and why it could not be written.
    Column("serving", Text),
    _words("service_reason"),
    _words("service_message"),
    _number("next_training", 1),
    _number("next_run", 1),
    _number("next_model", 1),
    _moment("created_at", nullable=False, now=True),
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
    _moment("stored_at", nullable=False, now=True),
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
    _moment("trained_at", nullable=False, now=True),
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
    _words("reason"),
    _words("message"),
    Column("fingerprint", Text, nullable=False),
    Column("model_version", Integer),
    _number("priority", 0),
    _number("attempt", 0),
    _flag("stop_requested"),
    _words("stop_reason"),
    Column("holder", Text),
    Column("fence", BigInteger, nullable=False, server_default=text("0")),
    _moment("lease_until"),
    _moment("requested_at", nullable=False, now=True),
    _moment("started_at"),
    _moment("ready_at"),
    _moment("finished_at"),
    _moment("retry_at"),
    Column("spec", JSONB, nullable=False),
    Column("spec_digest", Text, nullable=False),
    Column("log_key", Text),
    Column("report", JSONB),
    CheckConstraint("kind in ('training', 'run')", name="kind"),
    CheckConstraint(
        f"case kind when 'training' then state in ({_quoted(TRAINING_STATES)}) "
        f"else state in ({_quoted(RUN_STATES)}) end",
        name="state",
    ),
    CheckConstraint(f"(finished_at is not null) = (state in ({_quoted(FINAL_STATES)}))", name="finished"),
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
)

transitions = Table(
    "transitions",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("item", Text, ForeignKey("items.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("from_state", Text),
    Column("to_state", Text, nullable=False),
    _words("reason"),
    _words("message"),
    Column("attempt", Integer, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    _moment("at", nullable=False, now=True),
)

# Objects in the store that no row speaks for, to be deleted once due. A key is written here before its bytes are
# stored and taken out by the transaction that adopts it, so nothing is orphaned by a crash between the two.
garbage = Table(
    "garbage",
    metadata,
    Column("object_key", Text, primary_key=True),
    _moment("due_at", nullable=False),
    Index("ix_garbage_due_at", "due_at"),
)
