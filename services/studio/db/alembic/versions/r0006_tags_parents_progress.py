"""Which model another one follows, what people call it, and how far an item is."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them; models that are there already have no known parent."""
    op.add_column("models", sa.Column("parent", sa.Integer()))
    op.add_column("models", sa.Column("tags", ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False))
    op.add_column("items", sa.Column("progress", JSONB()))


def downgrade() -> None:
    """Forget it."""
    op.drop_column("items", "progress")
    op.drop_column("models", "tags")
    op.drop_column("models", "parent")
