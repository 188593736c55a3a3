"""What runs on demand: nothing by itself, and not for longer than somebody uses it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.kube import FakeKube
from tests.unit.services.orchestrators.running_stage import (
    FakeTrackers,
    add_model,
    age_the_flip,
    make_ready,
    put,
    served,
)
from tests.unit.services.orchestrators.world import UID, World, desired_running

from studio.model_service.items import Item, Lease
from studio.model_service.orchestrators.running.idleness import rest
from studio.model_service.orchestrators.running.reconciler import UNUSED, Reconciler

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
DESIRED = desired_running(mode="OnDemand", idle_seconds=600)
MOMENTS = st.none() | st.datetimes(NOW.replace(tzinfo=None) - timedelta(hours=2), NOW.replace(tzinfo=None)).map(
    lambda time: time.replace(tzinfo=UTC)
)


@given(MOMENTS, MOMENTS)
def test_the_later_of_readiness_and_the_last_message_counts(ready: datetime | None, heard: datetime | None) -> None:
    ages = [(NOW - time).total_seconds() for time in (ready, heard) if time]
    assert rest(DESIRED, ready, heard, NOW) == 600 - min(ages, default=0)


@pytest.mark.parametrize(
    ("ready", "heard", "left"),
    [(-700, None, -100), (-700, -60, 540), (-30, -700, 570), (-700, 3600, 600)],
    ids=["nobody spoke", "used", "just started", "a clock ahead"],
)
def test_rest(ready: int, heard: int | None, left: int) -> None:
    def at(seconds: int | None) -> datetime | None:
        return None if seconds is None else NOW + timedelta(seconds=seconds)

    assert rest(DESIRED, at(ready), at(heard), NOW) == left


async def start(world: World) -> dict[str, Any]:
    status, run = await world.operator("POST", "/v1/assistants/concierge/run/start", json={"who": "ann"})
    assert status == 200, run
    return dict(run)


async def in_use(world: World, reconciler: Reconciler, *, durable: bool = True, ready: str = "1 hour") -> Lease:
    """A run that somebody started, and that has been ready for a while."""
    await put(world, mode="OnDemand", idle_seconds=600)
    await add_model(world, 1)
    await start(world)
    lease = await make_ready(world, "c0")
    await reconciler.reconcile(UID)
    await world.made.pool.execute(
        "update items set ready_at = now() - $2::text::interval, report = $3 where id = $1",
        lease.item.id, ready, {"attempt": 1, "trackers_durable": durable},
    )  # fmt: skip
    return lease


async def item(world: World, lease: Lease) -> Item:
    found = await world.queue.get(lease.item.id)
    assert found is not None
    return found


async def runs(world: World) -> int:
    return int(await world.made.pool.fetchval("select count(*) from items where kind = 'run'"))


async def test_nothing_starts_by_itself(studio: World, reconciler: Reconciler) -> None:
    await put(studio, mode="OnDemand")
    await add_model(studio, 1)
    await reconciler.reconcile(UID)
    assert await runs(studio) == 0
    run = await start(studio)
    await reconciler.reconcile(UID)
    assert ((await start(studio))["id"], await runs(studio)) == (run["id"], 1)


async def test_what_nobody_uses_ends_and_starts_again_by_hand(
    studio: World, reconciler: Reconciler, trackers: FakeTrackers
) -> None:
    lease = await in_use(studio, reconciler)
    trackers.last = datetime.now(UTC) - timedelta(seconds=700)
    await reconciler.reconcile(UID)
    ended = await item(studio, lease)
    assert (ended.stop_requested, ended.stop_reason, ended.stop_message) == (True, "Halted", UNUSED)
    await studio.queue.finish(lease, "Stopped", "Halted")
    await reconciler.reconcile(UID)
    assert await runs(studio) == 1
    assert (await start(studio))["id"] != lease.item.id


async def test_what_is_used_is_looked_at_again_when_it_may_have_become_idle(
    studio: World, reconciler: Reconciler, trackers: FakeTrackers, kube: FakeKube
) -> None:
    lease = await in_use(studio, reconciler)
    trackers.last = datetime.now(UTC) - timedelta(seconds=100)
    age_the_flip(kube)
    again = await reconciler.reconcile(UID)
    assert not (await item(studio, lease)).stop_requested
    assert again is not None
    assert 490 < again <= 500


@pytest.mark.parametrize(
    ("durable", "last"),
    [(False, None), (True, OSError("the database is away"))],
    ids=["conversations in memory", "nobody can tell"],
)
async def test_what_may_be_used_goes_on(
    studio: World, reconciler: Reconciler, trackers: FakeTrackers, *, durable: bool, last: Exception | None
) -> None:
    lease = await in_use(studio, reconciler, durable=durable)
    trackers.last = last
    await reconciler.reconcile(UID)
    assert not (await item(studio, lease)).stop_requested


async def test_a_newer_model_takes_over_while_it_is_used(
    studio: World, reconciler: Reconciler, kube: FakeKube, trackers: FakeTrackers
) -> None:
    await in_use(studio, reconciler, ready="1 minute")
    trackers.last = datetime.now(UTC)
    await put(studio, content="b", mode="OnDemand", idle_seconds=600)
    await add_model(studio, 2, "b")
    await reconciler.reconcile(UID)
    newer = await make_ready(studio, "c1")
    await reconciler.reconcile(UID)
    assert (newer.item.model_version, served(kube)) == (2, newer.item.id)


async def test_what_was_started_against_never_ends_when_unused_on_demand(
    studio: World, reconciler: Reconciler, trackers: FakeTrackers
) -> None:
    await put(studio, mode="Never")
    await add_model(studio, 1)
    await start(studio)
    lease = await make_ready(studio, "c0")
    await reconciler.reconcile(UID)
    await put(studio, mode="OnDemand", idle_seconds=600)
    await studio.made.pool.execute(
        "update items set ready_at = now() - interval '1 hour', report = $2 where id = $1",
        lease.item.id, {"attempt": 1, "trackers_durable": True},
    )  # fmt: skip
    trackers.last = None
    await reconciler.reconcile(UID)
    assert (await item(studio, lease)).stop_requested
