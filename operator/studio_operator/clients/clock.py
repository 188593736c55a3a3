"""The time, as the reconcile gets it."""

from datetime import UTC, datetime


class SystemClock:
    """The `Clock` of the reconcile."""

    def now(self) -> datetime:
        """The current time in UTC."""
        return datetime.now(UTC)
