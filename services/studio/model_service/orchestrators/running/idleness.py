"""For how long a run of an assistant that runs on demand may still be silent. Pure."""

from datetime import datetime

from studio.contract.model_service import DesiredRunning, RunState
from studio.model_service.items import Item


def may_idle(serving: Item | None, desired: DesiredRunning | None) -> bool:
    """Whether silence ends it: it runs on demand, is ready, and its conversations are where they can be looked at."""
    on_demand = desired is not None and desired.mode == "OnDemand"
    return on_demand and serving is not None and serving.state == RunState.READY and bool(durable(serving))


def rest(desired: DesiredRunning, ready_at: datetime | None, heard: datetime | None, now: datetime) -> float:
    """Seconds that are left since it was ready, or heard something; 0 or less: nobody uses it.

    A time to come counts as now: another machine's clock is ahead.
    """
    last = max((min(time, now) for time in (ready_at, heard) if time is not None), default=now)
    return desired.idle_seconds - (now - last).total_seconds()


def durable(serving: Item | None) -> bool | None:
    """Whether its conversations are kept in PostgreSQL, as its current attempt reported; None: not known yet."""
    found: bool | None = serving.reported.get("trackers_durable") if serving else None
    return found
