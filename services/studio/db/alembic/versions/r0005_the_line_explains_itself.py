"""Which consumers are there, with which words an item was stopped, and since when an assistant wants its content."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them; what is wanted already counts as wanted before its model was made."""
    op.create_table(
        "consumers",
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("seen_at", TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("holder", name="pk_consumers"),
    )
    op.add_column("items", sa.Column("stop_message", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("assistants", sa.Column("wanted_since", TIMESTAMP(timezone=True)))


def downgrade() -> None:
    """Forget it."""
    op.drop_column("assistants", "wanted_since")
    op.drop_column("items", "stop_message")
    op.drop_table("consumers")
