"""Queue and registry: assistants, contents, models, items with their transitions, garbage."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of the model service."""
    op.execute("create sequence fence as bigint")
    op.create_table(
        "assistants",
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("studio", sa.Text(), nullable=False),
        sa.Column("training", JSONB),
        sa.Column("running", JSONB),
        sa.Column("removing", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("delete_data", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("removed_at", TIMESTAMP(timezone=True)),
        sa.Column("serving", sa.Text()),
        sa.Column("service_reason", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("service_message", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("next_training", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("next_run", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("next_model", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("uid", name="pk_assistants"),
    )
    op.create_index("uq_assistants_name", "assistants", ["name"], unique=True, postgresql_where=sa.text("not removing"))
    op.create_table(
        "garbage",
        sa.Column("object_key", sa.Text(), nullable=False),
        sa.Column("due_at", TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("object_key", name="pk_garbage"),
    )
    op.create_index("ix_garbage_due_at", "garbage", ["due_at"])
    op.create_table(
        "contents",
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("object_key", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("stored_at", TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["uid"], ["assistants.uid"], name="fk_contents_uid"),
        sa.PrimaryKeyConstraint("uid", "fingerprint", name="pk_contents"),
    )
    op.create_table(
        "items",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("assistant", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'Queued'"), nullable=False),
        sa.Column("reason", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("message", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Integer()),
        sa.Column("priority", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("stop_requested", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("stop_reason", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("holder", sa.Text()),
        sa.Column("fence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_until", TIMESTAMP(timezone=True)),
        sa.Column("requested_at", TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", TIMESTAMP(timezone=True)),
        sa.Column("ready_at", TIMESTAMP(timezone=True)),
        sa.Column("finished_at", TIMESTAMP(timezone=True)),
        sa.Column("retry_at", TIMESTAMP(timezone=True)),
        sa.Column("spec", JSONB, nullable=False),
        sa.Column("spec_digest", sa.Text(), nullable=False),
        sa.Column("log_key", sa.Text()),
        sa.Column("report", JSONB),
        sa.CheckConstraint(
            "(finished_at is not null) = (state in ('Succeeded', 'Failed', 'Cancelled', 'Superseded', 'Stopped'))",
            name="finished",
        ),
        sa.CheckConstraint(
            "case kind when 'training' "
            "then state in ('Queued', 'Running', 'Succeeded', 'Failed', 'Cancelled', 'Superseded') "
            "else state in ('Queued', 'Starting', 'Ready', 'Draining', 'Stopped', 'Failed') end",
            name="state",
        ),
        sa.CheckConstraint("kind in ('training', 'run')", name="kind"),
        sa.CheckConstraint("finished_at is null or holder is null", name="released"),
        sa.ForeignKeyConstraint(["uid"], ["assistants.uid"], name="fk_items_uid"),
        sa.PrimaryKeyConstraint("id", name="pk_items"),
    )
    op.create_index("ix_items_active", "items", ["kind", "state"], postgresql_where=sa.text("finished_at is null"))
    op.create_index("ix_items_started", "items", ["kind", "started_at"])
    op.create_index("ix_items_uid", "items", ["uid", "kind", "seq"])
    op.create_index(
        "uq_items_training_queued",
        "items",
        ["uid"],
        unique=True,
        postgresql_where=sa.text("kind = 'training' and state = 'Queued'"),
    )
    op.create_index(
        "uq_items_training_running",
        "items",
        ["uid"],
        unique=True,
        postgresql_where=sa.text("kind = 'training' and state = 'Running'"),
    )
    op.create_table(
        "models",
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("members", JSONB, nullable=False),
        sa.Column("object_key", sa.Text(), nullable=False),
        sa.Column("engine_image", sa.Text(), nullable=False),
        sa.Column("training", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Float()),
        sa.Column("trained_at", TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["uid"], ["assistants.uid"], name="fk_models_uid"),
        sa.PrimaryKeyConstraint("uid", "version", name="pk_models"),
        sa.UniqueConstraint("uid", "fingerprint", name="uq_models_uid_fingerprint"),
    )
    op.create_table(
        "transitions",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("from_state", sa.Text()),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("message", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["item"], ["items.id"], name="fk_transitions_item", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("seq", name="pk_transitions"),
    )
    op.create_index("ix_transitions_item", "transitions", ["item"])


def downgrade() -> None:
    """Remove all of it."""
    op.drop_table("transitions")
    op.drop_table("models")
    op.drop_table("items")
    op.drop_table("contents")
    op.drop_table("garbage")
    op.drop_table("assistants")
    op.execute("drop sequence fence")
