"""The pass over a realm: kills, refusals, pacing."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.fakes.cluster import Crash, Lifeline
from tests.fakes.identity import FakeIdentity
from tests.fakes.realms import FakeRealms

from studio_operator.planning.realm import Administrator, DesiredRealm
from studio_operator.ports import IdentityAccess, IdentityRefused, IdentityUnreachable, SyncReport
from studio_operator.reconcile.identity import (
    MOST_AT_ONCE,
    PAUSE_AFTER_FAILURE,
    PAUSE_AFTER_REFUSAL,
    PERIOD,
    PacedIdentity,
    RealmSync,
)

ACCESS = IdentityAccess("http://keycloak", "studio-operator", "secret")
DESIRED = DesiredRealm("http://localhost:8180", Administrator("admin", "password"), "external")
KEY = ("ns", "studio")


@dataclass
class SettableClock:
    time: datetime = field(default=datetime(2026, 11, 21, tzinfo=UTC))

    def now(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_kill_at_any_step(after: bool) -> None:
    whole = FakeRealms()
    await RealmSync(whole).sync(DESIRED, ACCESS)
    for step in range(1, whole.lifeline.steps + 1):
        realms = FakeRealms(Lifeline(dies_at=step, after=after))
        with pytest.raises(Crash):
            await RealmSync(realms).sync(DESIRED, ACCESS)
        realms.lifeline = Lifeline()
        report = await RealmSync(realms).sync(DESIRED, ACCESS)
        assert report.repaired == (), "what a kill left undone is nobody's drift"
        assert await RealmSync(realms).sync(DESIRED, ACCESS) == SyncReport()
        assert realms.clients.keys() == whole.clients.keys()
        assert realms.verify_profile["enabled"] is False


async def test_a_realm_that_does_not_become_what_is_written() -> None:
    realms = FakeRealms()
    await RealmSync(realms).sync(DESIRED, ACCESS)
    realms.clients["studio-web"]["webOrigins"] = ["*"]
    realms.stubborn = True
    with pytest.raises(IdentityRefused, match="webOrigins"):
        await RealmSync(realms).sync(DESIRED, ACCESS)


async def test_once_a_minute() -> None:
    identity, clock = FakeIdentity(), SettableClock()
    paced = PacedIdentity(identity, clock)
    assert paced.due(KEY) is None
    paced.want(KEY, DESIRED, ACCESS)
    assert (paced.due(KEY), paced.found(KEY)) == (0, None)
    identity.report = SyncReport(updated=("realm studio",))
    first = await paced.keep(KEY)
    assert first is not None
    assert first.report.updated == ("realm studio",)
    clock.advance(PERIOD - 1)
    assert await paced.keep(KEY) is None
    paced.want(KEY, DESIRED, ACCESS)
    assert (paced.due(KEY), paced.found(KEY)) == (1, first)
    assert len(identity.passes) == 1
    clock.advance(1)
    assert await paced.keep(KEY) is not None
    assert len(identity.passes) == 2


async def test_a_changed_wish_does_not_wait() -> None:
    identity, clock = FakeIdentity(), SettableClock()
    paced = PacedIdentity(identity, clock)
    paced.want(KEY, DESIRED, ACCESS)
    await paced.keep(KEY)
    for changed in (
        replace(DESIRED, registration=True),
        replace(DESIRED, registration=True, external_client_secret="rotated"),
    ):
        paced.want(KEY, changed, ACCESS)
        assert paced.found(KEY) is None, "what was found was of another wish"
        assert paced.due(KEY) == 0
        assert await paced.keep(KEY) is not None
    paced.want(("ns", "other"), DESIRED, ACCESS)
    await paced.keep(("ns", "other"))
    assert len(identity.passes) == 4


async def test_what_is_forgotten_is_not_looked_at() -> None:
    identity = FakeIdentity()
    paced = PacedIdentity(identity, SettableClock())
    assert await paced.keep(KEY) is None, "nothing was wanted yet"
    paced.want(KEY, DESIRED, ACCESS)
    paced.forget(KEY)
    assert await paced.keep(KEY) is None
    assert identity.passes == []


async def test_a_failure_is_kept_and_soon_tried_again() -> None:
    identity, clock = FakeIdentity(error=IdentityUnreachable("away")), SettableClock()
    paced = PacedIdentity(identity, clock)
    paced.want(KEY, DESIRED, ACCESS)
    failed = await paced.keep(KEY)
    assert failed is not None
    assert str(failed.error) == "away"
    assert paced.found(KEY) == failed
    assert await paced.keep(KEY) is None
    identity.error = None
    clock.advance(PAUSE_AFTER_FAILURE)
    healed = await paced.keep(KEY)
    assert healed is not None
    assert healed.error is None
    assert len(identity.passes) == 2


async def test_what_is_refused_is_refused_again_in_a_second() -> None:
    identity, clock = FakeIdentity(error=IdentityRefused("unknown policy")), SettableClock()
    paced = PacedIdentity(identity, clock)
    paced.want(KEY, DESIRED, ACCESS)
    await paced.keep(KEY)
    assert paced.due(KEY) == PAUSE_AFTER_REFUSAL


async def test_a_bug_is_found_to_be_a_failure_and_tried_again() -> None:
    identity, clock = FakeIdentity(), SettableClock()
    paced = PacedIdentity(identity, clock)
    paced.want(KEY, DESIRED, ACCESS)
    await paced.keep(KEY)
    clock.advance(PERIOD)
    identity.error = ValueError("no JSON")
    failed = await paced.keep(KEY)
    assert failed is not None
    assert isinstance(failed.error, IdentityUnreachable)
    assert "ValueError: no JSON" in str(failed.error)
    assert paced.due(KEY) == PAUSE_AFTER_FAILURE


async def test_a_clock_that_is_set_back_keeps_nobody_waiting_for_longer() -> None:
    clock = SettableClock()
    paced = PacedIdentity(FakeIdentity(), clock)
    paced.want(KEY, DESIRED, ACCESS)
    await paced.keep(KEY)
    clock.advance(-3600)
    assert paced.due(KEY) == PERIOD


async def test_so_many_passes_at_once_and_no_more() -> None:
    identity = FakeIdentity()
    identity.answers.clear()
    paced = PacedIdentity(identity, SettableClock())
    async with asyncio.TaskGroup() as group:
        for number in range(MOST_AT_ONCE):
            assert not paced.busy
            key = ("ns", f"studio-{number}")
            paced.want(key, DESIRED, ACCESS)
            identity.asked.clear()
            group.create_task(paced.keep(key))
            await identity.asked.wait()
        assert paced.busy
        identity.answers.set()
    assert not paced.busy
