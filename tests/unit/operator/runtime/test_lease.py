"""Leadership with two contenders, each with a monotonic clock of its own."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from tests.fakes.kube import FakeKube

from studio.kube import LEASE, Conflict, Kind, Manifest, Unavailable
from studio_operator.runtime.gate import NotLeader, WriteGate
from studio_operator.runtime.lease import (
    DURATION_SECONDS,
    HOLD_SECONDS,
    RENEW_SECONDS,
    LeaderElection,
    LeaseLost,
)

AWAY = Unavailable(0, "Unreachable", "no route")


class Time:
    """A clock that sleeping moves on."""

    def __init__(self, start: float = 1000.0) -> None:
        self.now = start
        self.wall = timedelta(0)

    def __call__(self) -> float:
        return self.now

    def utc(self) -> datetime:
        return datetime(2026, 11, 21, tzinfo=UTC) + timedelta(seconds=self.now) + self.wall

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


class Contender:
    def __init__(self, kube: FakeKube, identity: str, time: Time | None = None) -> None:
        self.time = time or Time()
        self.gate = WriteGate(self.time)
        self.election = LeaderElection(
            kube,
            self.gate,
            namespace="n",
            name="operator",
            identity=identity,
            clock=self.time,
            now=self.time.utc,
            sleep=self.time.sleep,
        )


@pytest.fixture
def kube() -> FakeKube:
    return FakeKube()


async def test_the_first_one_leads(kube: FakeKube) -> None:
    one = Contender(kube, "one")
    await one.election.acquire()
    assert 0 < one.gate.remaining <= HOLD_SECONDS
    lease = await kube.get(LEASE, "n", "operator")
    assert lease is not None
    assert lease["spec"]["holderIdentity"] == "one"
    assert lease["spec"]["renewTime"].endswith("Z")


async def test_a_lease_whose_answer_came_too_late_is_taken_again(
    kube: FakeKube, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, create = Contender(kube, "one"), kube.create

    async def slowly(kind: Kind, body: Manifest) -> Manifest:
        one.time.now += HOLD_SECONDS
        return await create(kind, body)

    monkeypatch.setattr(kube, "create", slowly)
    await one.election.acquire()
    assert one.gate.remaining > RENEW_SECONDS


async def test_a_renewal_is_one_write_and_nothing_else(kube: FakeKube) -> None:
    one = Contender(kube, "one")
    await one.election.acquire()
    kube.requests.clear()
    holding = asyncio.create_task(one.election.hold())
    while len(kube.requests) < 3:  # noqa: ASYNC110 the fake clock moves on as it sleeps
        await asyncio.sleep(0)
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)
    assert set(kube.count()) == {"update"}
    assert one.gate.remaining < 0, "who stops holding stops writing"


async def test_a_follower_takes_over_only_after_the_whole_duration(kube: FakeKube) -> None:
    one, two = Contender(kube, "one"), Contender(kube, "two", Time(5.0))
    await one.election.acquire()
    began = two.time.now
    await two.election.acquire()
    assert two.time.now - began > DURATION_SECONDS
    lease = await kube.get(LEASE, "n", "operator")
    assert lease is not None
    assert lease["spec"]["leaseTransitions"] == 1


async def test_the_old_leader_stops_before_the_new_one_starts(kube: FakeKube) -> None:
    time = Time()
    one, two = Contender(kube, "one", time), Contender(kube, "two", time)
    await one.election.acquire()
    await two.election.acquire()
    with pytest.raises(NotLeader):
        async with one.gate.guard():
            pytest.fail("the gate let a write pass")
    with pytest.raises(LeaseLost):
        await one.election.hold()


async def test_wall_clocks_do_not_matter(kube: FakeKube) -> None:
    one, two = Contender(kube, "one"), Contender(kube, "two")
    two.time.wall = timedelta(days=30)
    await one.election.acquire()
    following = asyncio.create_task(two.election.acquire())
    for _ in range(60):
        await one.time.sleep(5)
        await one.election._renew()
    assert not following.done()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_release_hands_over_at_once(kube: FakeKube) -> None:
    one, two = Contender(kube, "one"), Contender(kube, "two")
    await one.election.acquire()
    await one.election.release()
    began = two.time.now
    await two.election.acquire()
    assert two.time.now == began


async def test_a_restarted_container_leads_at_once(kube: FakeKube) -> None:
    await Contender(kube, "one").election.acquire()
    again = Contender(kube, "one")
    began = again.time.now
    await again.election.acquire()
    assert again.time.now == began


async def test_a_lease_that_cannot_be_renewed_is_lost_in_time(kube: FakeKube) -> None:
    one = Contender(kube, "one")
    await one.election.acquire()
    began = one.time.now
    kube.fail(AWAY, verb="update", times=1000)
    with pytest.raises(LeaseLost, match="not be renewed in time"):
        await one.election.hold()
    assert one.time.now - began < DURATION_SECONDS


async def test_a_short_outage_is_survived(kube: FakeKube) -> None:
    one = Contender(kube, "one")
    await one.election.acquire()
    kube.fail(AWAY, verb="update", times=1)
    kube.requests.clear()
    holding = asyncio.create_task(one.election.hold())
    while kube.count()["update"] < 4:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert not holding.done()
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)


async def test_a_renewal_whose_answer_was_lost_is_recognised(kube: FakeKube) -> None:
    one = Contender(kube, "one")
    await one.election.acquire()
    kube.fail(AWAY, verb="update", after=True)
    with pytest.raises(Unavailable):
        await one.election._renew()
    await one.election._renew()
    assert one.gate.remaining > 0


async def test_somebody_elses_lease_is_noticed_at_the_renewal(kube: FakeKube) -> None:
    one = Contender(kube, "one")
    await one.election.acquire()
    await kube.patch(LEASE, "n", "operator", {"spec": {"holderIdentity": "two"}})
    with pytest.raises(LeaseLost, match="two holds the lease"):
        await one.election.hold()


async def test_of_two_that_are_equally_fast_one_leads(kube: FakeKube) -> None:
    one, two = Contender(kube, "one"), Contender(kube, "two")
    await one.election.acquire()
    await one.election.release()
    live = await kube.get(LEASE, "n", "operator")
    assert await one.election._take(live, one.time.now)
    with pytest.raises(Conflict):
        await two.election._take(live, two.time.now)


async def test_a_clock_that_jumps_closes_the_gate(kube: FakeKube) -> None:
    one = Contender(kube, "one")
    await one.election.acquire()
    async with one.gate.guard():
        pass
    one.time.now += 90  # stopped and continued
    with pytest.raises(NotLeader):
        async with one.gate.guard():
            pytest.fail("the gate let a write pass")


async def test_an_unreachable_server_is_complained_of(kube: FakeKube) -> None:
    one = Contender(kube, "one")
    one.time.now += 61
    assert one.election.complaints(60)
    await one.election.acquire()
    assert one.election.complaints(60) == []


async def test_a_write_is_cut_off_at_the_deadline() -> None:
    gate = WriteGate()
    gate.open_until(asyncio.get_running_loop().time() + 0.01)
    with pytest.raises(NotLeader, match="during a write"):
        async with gate.guard():
            await asyncio.Event().wait()
