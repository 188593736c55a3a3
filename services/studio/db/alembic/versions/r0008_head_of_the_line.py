"""The head of the line is read from an index, and so is the share that an assistant has had."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index both."""
    op.create_index(
        "ix_items_line",
        "items",
        ["kind", sa.text("priority desc"), "requested_at", "seq"],
        postgresql_where=sa.text("state = 'Queued'"),
    )
    op.create_index("ix_items_share", "items", ["uid", "kind", "started_at"])


def downgrade() -> None:
    """Sort and count again."""
    op.drop_index("ix_items_share", "items")
    op.drop_index("ix_items_line", "items")
