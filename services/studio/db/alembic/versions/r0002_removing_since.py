"""Since when an assistant is being removed: what nobody ends in time is ended by the orchestrators."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Removals that are under way count from now on."""
    op.add_column("assistants", sa.Column("removing_since", TIMESTAMP(timezone=True)))
    op.execute("update assistants set removing_since = now() where removing and removed_at is null")


def downgrade() -> None:
    """Forget it."""
    op.drop_column("assistants", "removing_since")
