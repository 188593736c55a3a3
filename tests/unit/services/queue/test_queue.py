"""The queue against a real PostgreSQL."""

import asyncio
import functools

import asyncpg
import pytest
from tests.support import postgres
from tests.support.patience import STUCK_SECONDS

from studio.contract.model_service import Progress
from studio.db import pool
from studio.db.listening import Listener
from studio.model_service import claiming, presence
from studio.model_service import queue as q
from studio.model_service.items import IllegalTransition, Item, Kind, LeaseLost, QueueError
from studio.model_service.leasing import Queue
from studio.settings import DatabaseSettings

CHANNELS = (q.QUEUE_CHANNEL, q.ITEM_CHANNEL, q.CHANGES_CHANNEL)


@pytest.fixture
def queue(studio_pool: asyncpg.Pool, studio_database: DatabaseSettings) -> Queue:
    return Queue(studio_pool, connect=functools.partial(pool.connect, studio_database, application_name="test"))


async def add_assistant(conn: asyncpg.Connection, name: str) -> str:
    uid = f"uid-{name}"
    await conn.execute(
        "insert into assistants (uid, name, namespace, studio) values ($1, $2, 'ns', 'studio') on conflict do nothing",
        uid, name,
    )  # fmt: skip
    return uid


async def add(
    studio_pool: asyncpg.Pool, item_id: str, *, kind: Kind = "training", assistant: str = "a", priority: int = 0,
    retry_in: float = 0.0,
) -> Item:  # fmt: skip
    async with studio_pool.acquire() as conn, conn.transaction():
        uid = await add_assistant(conn, assistant)
        return await q.insert(
            conn, id=item_id, kind=kind, uid=uid, assistant=assistant, fingerprint="f", spec={"n": 1},
            spec_digest="d", who="test", priority=priority, retry_in=retry_in,
        )  # fmt: skip


async def stop(studio_pool: asyncpg.Pool, item_id: str, reason: str = "Cancelled") -> Item:
    async with studio_pool.acquire() as conn, conn.transaction():
        item = await q.lock(conn, item_id)
        assert item is not None
        return await q.request_stop(conn, item, who="test", reason=reason)


async def expire(studio_pool: asyncpg.Pool, item_id: str) -> None:
    await studio_pool.execute("update items set lease_until = now() - interval '1 s' where id = $1", item_id)


async def positions(studio_pool: asyncpg.Pool) -> dict[str, int]:
    async with studio_pool.acquire() as conn:
        return {item.id: item.position for item in await claiming.waiting(conn, "training")}


async def audit(studio_pool: asyncpg.Pool, item_id: str) -> list[tuple[str | None, str, str]]:
    rows = await studio_pool.fetch("select * from transitions where item = $1 order by seq", item_id)
    return [(row["from_state"], row["to_state"], row["reason"]) for row in rows]


async def test_nothing_to_claim(queue: Queue) -> None:
    assert await queue.claim("training", "c") is None


async def test_claims_in_the_order_of_positions(queue: Queue, studio_pool: asyncpg.Pool) -> None:
    for name, priority in (("a", 0), ("b", 5), ("c", 0), ("d", -1), ("e", 5)):
        await add(studio_pool, f"{name}-t1", assistant=name, priority=priority)
    expected = sorted(await positions(studio_pool), key=(await positions(studio_pool)).__getitem__)
    assert expected == ["b-t1", "e-t1", "a-t1", "c-t1", "d-t1"]
    for n, item_id in enumerate(expected):
        lease = await queue.claim("training", f"c{n}")
        assert lease is not None
        assert lease.item.id == item_id
        assert (lease.item.state, lease.item.attempt, lease.item.holder) == ("Running", 1, f"c{n}")
    assert await queue.claim("training", "c9") is None


async def test_an_assistant_that_trained_lately_waits_behind_one_that_did_not(
    queue: Queue, studio_pool: asyncpg.Pool
) -> None:
    await add(studio_pool, "a-t1", assistant="a")
    lease = await queue.claim("training", "c")
    assert lease is not None
    await queue.finish(lease, "Failed", "InvalidContent", "no")
    await add(studio_pool, "a-t2", assistant="a")
    await add(studio_pool, "b-t1", assistant="b")
    assert await positions(studio_pool) == {"b-t1": 1, "a-t2": 2}


async def test_a_run_of_an_assistant_without_a_slot_comes_first(queue: Queue, studio_pool: asyncpg.Pool) -> None:
    await add(studio_pool, "a-r1", kind="run", assistant="a")
    assert await queue.claim("run", "c0") is not None
    await add(studio_pool, "a-r2", kind="run", assistant="a")
    await add(studio_pool, "b-r1", kind="run", assistant="b")
    lease = await queue.claim("run", "c1")
    assert lease is not None
    assert (lease.item.id, lease.item.state) == ("b-r1", "Starting")


async def test_two_consumers_never_claim_the_same(queue: Queue, studio_pool: asyncpg.Pool) -> None:
    for n in range(20):
        await add(studio_pool, f"a{n}-t1", assistant=f"a{n}")
    leases = await asyncio.gather(*(queue.claim("training", f"c{n}") for n in range(25)))
    claimed = [lease.item.id for lease in leases if lease]
    assert len(claimed) == len(set(claimed)) == 20
    assert len({lease.fence for lease in leases if lease}) == 20


async def test_the_second_training_of_an_assistant_waits_for_the_first(queue: Queue, studio_pool: asyncpg.Pool) -> None:
    await add(studio_pool, "a-t1")
    first = await queue.claim("training", "c0")
    assert first is not None
    await add(studio_pool, "a-t2")
    await add(studio_pool, "b-t1", assistant="b", priority=-9)
    assert await positions(studio_pool) == {"b-t1": 1, "a-t2": 2}
    other = await queue.claim("training", "c1")
    assert other is not None
    assert other.item.id == "b-t1"
    assert await queue.claim("training", "c2") is None
    await queue.finish(first, "Succeeded", "Trained")
    second = await queue.claim("training", "c2")
    assert second is not None
    assert second.item.id == "a-t2"


async def test_an_expired_lease_is_adopted_with_a_higher_fence(queue: Queue, studio_pool: asyncpg.Pool) -> None:
    await add(studio_pool, "a-t1")
    lost = await queue.claim("training", "c0")
    assert lost is not None
    await queue.update(lost, reason="Training", message="epoch 3", attempt=2)
    await expire(studio_pool, "a-t1")
    adopted = await queue.claim("training", "c1")
    assert adopted is not None
    assert adopted.fence > lost.fence
    assert (adopted.item.reason, adopted.item.attempt, adopted.item.state) == ("Training", 2, "Running")
    assert await queue.heartbeat(lost) is None
    with pytest.raises(LeaseLost):
        await queue.update(lost, message="late")
    with pytest.raises(LeaseLost):
        await queue.finish(lost, "Failed", "Late")
    await queue.release(lost)
    assert await queue.heartbeat(adopted) is not None
    assert ("Running", "Running", "Adopted") in await audit(studio_pool, "a-t1")


async def test_a_lease_that_no_clock_could_have_given_binds_nobody(queue: Queue, studio_pool: asyncpg.Pool) -> None:
    """The clock of the database went back by an hour, and the holder died before it could renew its lease."""
    await add(studio_pool, "a-t1")
    lost = await queue.claim("training", "c0")
    assert lost is not None
    assert await queue.claim("training", "c1") is None
    await studio_pool.execute("update items set lease_until = lease_until + interval '1 h'")
    adopted = await queue.claim("training", "c1")
    assert adopted is not None
    assert (adopted.item.id, adopted.fence > lost.fence) == ("a-t1", True)


async def test_the_same_holder_gets_its_item_again(queue: Queue, studio_pool: asyncpg.Pool) -> None:
    await add(studio_pool, "a-t1")
    await add(studio_pool, "b-t1", assistant="b", priority=9)
    first = await queue.claim("training", "c0")
    again = await queue.claim("training", "c0")
    assert first is not None
    assert again is not None
    assert (again.item.id, again.fence > first.fence) == ("b-t1", True)


async def test_released_items_are_adopted_at_once(queue: Queue, studio_pool: asyncpg.Pool) -> None:
    await add(studio_pool, "a-r1", kind="run")
    lease = await queue.claim("run", "c0")
    assert lease is not None
    await queue.update(lease, state="Ready", reason="Serving")
    await queue.release(lease)
    adopted = await queue.claim("run", "c1")
    assert adopted is not None
    assert adopted.item.state == "Ready"
    assert adopted.item.ready_at is not None


async def test_a_paced_attempt_is_not_claimable_before_its_time(queue: Queue, studio_pool: asyncpg.Pool) -> None:
    await add(studio_pool, "a-r1", kind="run")
    lease = await queue.claim("run", "c0")
    assert lease is not None
    item = await queue.update(lease, state="Queued", reason="Restarting", attempt=2, retry_in=60)
    assert (item.holder, item.retry_at is not None) == (None, True)
    assert await queue.claim("run", "c1") is None
    await studio_pool.execute("update items set retry_at = now()")
    again = await queue.claim("run", "c1")
    assert again is not None
    assert (again.item.attempt, again.item.retry_at) == (2, None)


async def test_a_stop_ends_what_waits_and_asks_who_holds(queue: Queue, studio_pool: asyncpg.Pool) -> None:
    await add(studio_pool, "a-t1")
    await add(studio_pool, "b-t1", assistant="b", priority=-1)
    lease = await queue.claim("training", "c0")
    assert lease is not None
    assert (await stop(studio_pool, "b-t1")).state == "Cancelled"
    assert (await stop(studio_pool, "a-t1", "Superseded")).state == "Running"
    fresh = await queue.heartbeat(lease)
    assert fresh is not None
    assert (fresh.stop_requested, fresh.stop_reason) == (True, "Superseded")
    ended = await queue.update(lease, state="Queued", retry_in=5)
    assert (ended.state, ended.reason) == ("Superseded", "Superseded")


async def test_finish_twice_is_harmless_and_final_is_final(queue: Queue, studio_pool: asyncpg.Pool) -> None:
    await add(studio_pool, "a-t1")
    lease = await queue.claim("training", "c0")
    assert lease is not None
    first = await queue.finish(lease, "Succeeded", "Trained")
    assert await queue.finish(lease, "Succeeded", "Trained") == first
    with pytest.raises(LeaseLost):
        await queue.finish(lease, "Failed", "No")
    async with studio_pool.acquire() as conn, conn.transaction():
        with pytest.raises(IllegalTransition, match="from Succeeded to Running"):
            await q.change(conn, first, who="test", state="Running")


async def test_illegal_transitions_change_nothing(queue: Queue, studio_pool: asyncpg.Pool) -> None:
    await add(studio_pool, "a-r1", kind="run")
    lease = await queue.claim("run", "c0")
    assert lease is not None
    await queue.update(lease, state="Draining")
    with pytest.raises(IllegalTransition):
        await queue.update(lease, state="Ready")
    item = await queue.get("a-r1")
    assert item is not None
    assert item.state == "Draining"


async def test_a_message_is_a_visible_change_without_an_audit_row(queue: Queue, studio_pool: asyncpg.Pool) -> None:
    await add(studio_pool, "a-t1")
    lease = await queue.claim("training", "c0")
    assert lease is not None
    before = await audit(studio_pool, "a-t1")
    async with queue.listen(*CHANNELS) as listener:
        await listener.wait(5)
        await queue.update(lease, message="epoch 3 of 100")
        notes = await listener.wait(5)
    assert [(note.channel, note.payload) for note in notes] == [("studio_changes", "training:a")]
    assert await audit(studio_pool, "a-t1") == before


async def test_progress_goes_with_the_message(queue: Queue, studio_pool: asyncpg.Pool) -> None:
    await add(studio_pool, "a-t1")
    lease = await queue.claim("training", "c0")
    assert lease is not None
    far = Progress(step="DIETClassifier", percent=40)
    item = await queue.update(lease, message="the engine trains: DIETClassifier, 40 %", progress=far)
    assert item.progress == far.model_dump()
    assert (await queue.update(lease, attempt=2)).progress == far.model_dump(), "nothing was said"
    assert (await queue.update(lease, message="uploading")).progress is None
    await queue.update(lease, message="the engine trains: TEDPolicy", progress=Progress(step="TEDPolicy"))
    assert (await queue.finish(lease, "Failed", "OutOfMemory")).progress is None


async def test_notifications_of_a_life(queue: Queue, studio_pool: asyncpg.Pool) -> None:
    async with queue.listen(*CHANNELS) as listener:
        first = await listener.wait(5)
        assert [note.channel for note in first] == [""]
        await add(studio_pool, "a-t1")
        lease = await queue.claim("training", "c0")
        assert lease is not None
        await stop(studio_pool, "a-t1")
        seen: set[tuple[str, str]] = set()
        while ("studio_item", "a-t1") not in seen:
            seen |= {(note.channel, note.payload) for note in await listener.wait(5)}
    assert seen == {("studio_queue", "training"), ("studio_changes", "training:a"), ("studio_item", "a-t1")}


@pytest.mark.parametrize("end", ["release", "requeue", "finish"])
async def test_what_is_given_back_is_told_to_the_idle_and_an_end_is_not(
    queue: Queue, studio_pool: asyncpg.Pool, end: str
) -> None:
    await add(studio_pool, "a-t1")
    lease = await queue.claim("training", "c0")
    assert lease is not None
    async with queue.listen(q.QUEUE_CHANNEL, q.CHANGES_CHANNEL) as listener:
        await listener.wait(5)
        if end == "release":
            await queue.release(lease)
        elif end == "requeue":
            await queue.update(lease, state="Queued", attempt=2)
        else:
            await queue.finish(lease, "Failed", "InvalidContent", "no")
        notes = [(note.channel, note.payload) for note in await listener.wait(5)]
    assert (("studio_queue", "training") in notes) == (end != "finish")


async def test_listening_goes_on_after_the_server_restarted(
    queue: Queue, postgres_server: postgres.Server, studio_pool: asyncpg.Pool
) -> None:
    await add(studio_pool, "a-t1")
    async with queue.listen(poll=0.1) as listener:
        await listener.wait(5)
        await asyncio.to_thread(postgres_server.restart)
        lease = await queue.claim("training", "c0")  # retried by itself
        assert lease is not None
        seen: list[str] = []
        while "" not in seen:  # the wake-up that stands for the gap
            seen += [note.channel for note in await listener.wait(5)]
        await stop(studio_pool, "a-t1")
        while q.ITEM_CHANNEL not in seen:
            seen += [note.channel for note in await listener.wait(5)]


async def test_listening_goes_on_after_whatever_a_broken_connection_says(studio_database: DatabaseSettings) -> None:
    broken = [asyncpg.InternalClientError("got result for unknown protocol state 3"), AttributeError("writelines")]

    async def connect() -> asyncpg.Connection:
        if broken:
            raise broken.pop()
        return await pool.connect(studio_database, application_name="test")

    async with asyncio.timeout(STUCK_SECONDS), Listener(connect, ("anything",), poll=0.1) as listener:
        while not await listener.wait(5):
            pass
    assert broken == []


async def test_another_priority_moves_what_waits_and_is_audited(queue: Queue, studio_pool: asyncpg.Pool) -> None:
    await add(studio_pool, "a-t1", assistant="a")
    await add(studio_pool, "b-t1", assistant="b")
    async with studio_pool.acquire() as conn, conn.transaction():
        item = await q.lock(conn, "b-t1")
        assert item is not None
        moved = await q.reprioritise(conn, item, 5, who="ann")
        assert await q.reprioritise(conn, moved, 5, who="ann") == moved
    assert await positions(studio_pool) == {"b-t1": 1, "a-t1": 2}
    row = await studio_pool.fetchrow("select * from transitions where item = 'b-t1' order by seq desc limit 1")
    told = (row["who"], row["from_state"], row["to_state"], row["reason"], row["message"])
    assert told == ("ann", "Queued", "Queued", "Reprioritised", "priority 0 became 5")
    lease = await queue.claim("training", "c")
    assert lease is not None
    async with studio_pool.acquire() as conn, conn.transaction():
        with pytest.raises(QueueError, match="only what is Queued"):
            await q.reprioritise(conn, lease.item, 7, who="ann")


async def test_what_is_held_is_made_of_nothing_else(queue: Queue, studio_pool: asyncpg.Pool) -> None:
    await add(studio_pool, "a-t1")
    lease = await queue.claim("training", "c")
    assert lease is not None
    async with studio_pool.acquire() as conn, conn.transaction():
        with pytest.raises(QueueError, match="only what is Queued"):
            await q.respecify(conn, lease.item, spec={}, spec_digest="e", who="ann", message="new")


@pytest.mark.parametrize("end", ["finish", "requeue"])
async def test_what_was_held_ends_with_who_stopped_it(queue: Queue, studio_pool: asyncpg.Pool, end: str) -> None:
    await add(studio_pool, "a-t1")
    lease = await queue.claim("training", "c")
    assert lease is not None
    async with studio_pool.acquire() as conn, conn.transaction():
        item = await q.lock(conn, "a-t1")
        assert item is not None
        await q.request_stop(conn, item, who="ann", reason="Cancelled", message="cancelled by ann")
    await queue.update(lease, reason="Terminating", message="its pod is being deleted")
    if end == "finish":
        item = await queue.finish(lease, "Cancelled", "Cancelled", "")
    else:
        item = await queue.update(lease, state="Queued", reason="Unschedulable", message="no node", retry_in=60)
    assert (item.state, item.message) == ("Cancelled", "cancelled by ann")
    rows = await studio_pool.fetch("select who, message from transitions where item = 'a-t1' order by seq")
    assert ("ann", "cancelled by ann") in [(row["who"], row["message"]) for row in rows]


async def test_what_succeeded_though_it_should_stop_does_not_say_that_it_was_stopped(
    queue: Queue, studio_pool: asyncpg.Pool
) -> None:
    await add(studio_pool, "a-t1")
    lease = await queue.claim("training", "c")
    assert lease is not None
    await stop(studio_pool, "a-t1")
    assert (await queue.finish(lease, "Succeeded", "Trained")).message == ""


async def test_consumers_are_there_while_they_say_so_or_hold_something(queue: Queue, studio_pool: asyncpg.Pool) -> None:
    assert await presence.alive(studio_pool, "training") == 0
    for holder in ("idle", "idle", "busy"):
        await queue.present("training", holder)
    await queue.present("run", "other")
    await add(studio_pool, "a-t1")
    assert await queue.claim("training", "busy") is not None
    assert await presence.alive(studio_pool, "training") == 2
    await studio_pool.execute("update consumers set seen_at = now() - interval '91 s'")
    assert await presence.alive(studio_pool, "training") == 1  # its lease speaks for it
    await queue.present("training", "new")
    assert [row["holder"] for row in await studio_pool.fetch("select holder from consumers")] == ["new"]
    await queue.absent("new")
    await queue.absent("new")
    assert await studio_pool.fetchval("select count(*) from consumers") == 0


async def test_the_dead_are_not_there_after_the_clock_went_back(queue: Queue, studio_pool: asyncpg.Pool) -> None:
    """All times that were written before lie an hour ahead; who lives writes the new one."""
    await queue.present("training", "dead at rest")
    await add(studio_pool, "a-t1")
    assert await queue.claim("training", "dead at work") is not None
    assert await presence.alive(studio_pool, "training") == 2
    await studio_pool.execute("update consumers set seen_at = seen_at + interval '1 h'")
    await studio_pool.execute("update items set lease_until = lease_until + interval '1 h'")
    assert await presence.alive(studio_pool, "training") == 0
    await queue.present("training", "living")
    assert await presence.alive(studio_pool, "training") == 1
    assert [row["holder"] for row in await studio_pool.fetch("select holder from consumers")] == ["living"]
