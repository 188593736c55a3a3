"""A run may be warmed: begun before its model is there."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TRAINING = "'Queued', 'Running', 'Succeeded', 'Failed', 'Cancelled', 'Superseded'"
RUN = "'Queued', 'Starting', 'Ready', 'Draining', 'Stopped', 'Failed'"


def upgrade() -> None:
    """Allow the state."""
    _allow(f"{RUN}, 'Warming'")


def downgrade() -> None:
    """End what is being warmed, and forbid it."""
    op.execute(
        "update items set state = 'Stopped', finished_at = now(), holder = null, lease_until = null "
        "where state = 'Warming'"
    )
    _allow(RUN)


def _allow(states: str) -> None:
    op.execute("alter table items drop constraint ck_items_state")
    op.execute(
        f"""alter table items add constraint ck_items_state
            check (case kind when 'training' then state in ({TRAINING}) else state in ({states}) end)"""
    )
