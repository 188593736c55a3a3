"""${message}."""

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand: the previous version of the services must be able to go on beside this."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Back to the previous revision."""
    ${downgrades if downgrades else "pass"}
