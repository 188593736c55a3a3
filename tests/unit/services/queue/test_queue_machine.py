"""The queue under everything that can happen, in any order: nothing is lost, doubled, or untold."""

import asyncio
import functools
from collections.abc import Coroutine
from typing import Any, TypeVar

import asyncpg
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from studio.contract.model_service import DesiredTraining, EnginePod
from studio.db import pool
from studio.model_service import claiming
from studio.model_service import queue as q
from studio.model_service.items import Lease, LeaseLost, stopped_state
from studio.model_service.leasing import Queue
from studio.model_service.orchestrators import registry
from studio.model_service.orchestrators.training.requests import request_training
from studio.settings import DatabaseSettings

T = TypeVar("T")
ASSISTANTS = ("a", "b", "c")
HOLDERS = ("c0", "c1")


class Machine(RuleBasedStateMachine):
    """Operator, users, two consumers and time, against one database."""

    database: DatabaseSettings
    runner: asyncio.Runner
    pool: asyncpg.Pool

    def __init__(self) -> None:
        super().__init__()
        self.leases: list[Lease] = []
        self.requested = 0
        self.fences: dict[str, int] = {}

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @property
    def queue(self) -> Queue:
        return Queue(self.pool, connect=functools.partial(pool.connect, self.database, application_name="test"))

    @initialize()
    def begin(self) -> None:
        self.do(self.pool.execute("truncate assistants, contents, models, items, transitions, garbage"))

    @rule(
        name=st.sampled_from(ASSISTANTS),
        content=st.sampled_from("xyz"),
        manual=st.booleans(),
        priority=st.integers(0, 1),
        deadline=st.integers(1, 2),
    )
    def request(self, name: str, content: str, manual: bool, priority: int, deadline: int) -> None:
        desired = DesiredTraining(
            uid=f"uid-{name}", name=name, namespace="ns", studio="studio", fingerprint=content, priority=priority,
            deadline_seconds=deadline, engine=EnginePod(image="engine"),
        )  # fmt: skip

        async def work() -> None:
            async with self.pool.acquire() as conn, conn.transaction():
                await registry.put_desired(conn, "training", desired)
                once = await request_training(conn, desired, manual=manual, who="test")
                self.requested += once.outcome == "Queued"
                if once.item is not None and once.item.state == "Queued":
                    assert once.item.spec["deadline_seconds"] == deadline
                again = await request_training(conn, desired, who="test")
                assert again.item is None or once.item is None or again.item.id == once.item.id

        self.do(work())

    @rule(name=st.sampled_from(ASSISTANTS))
    def cancel(self, name: str) -> None:
        async def work() -> None:
            async with self.pool.acquire() as conn, conn.transaction():
                for item in await registry.items(conn, f"uid-{name}", "training", active=True, lock=True):
                    await q.request_stop(conn, item, who="user", reason="Cancelled", message="cancelled by Ann")

        self.do(work())

    @rule(name=st.sampled_from(ASSISTANTS), priority=st.integers(-2, 2))
    def prioritise(self, name: str, priority: int) -> None:
        async def work() -> None:
            async with self.pool.acquire() as conn, conn.transaction():
                for item in await registry.items(conn, f"uid-{name}", "training", active=True, lock=True):
                    if item.state == "Queued":
                        assert (await q.reprioritise(conn, item, priority, who="user")).priority == priority

        self.do(work())

    @rule(holder=st.sampled_from(HOLDERS))
    def claim(self, holder: str) -> None:
        async def first() -> str | None:
            async with self.pool.acquire() as conn:
                line = await claiming.waiting(conn, "training")
            return line[0].id if line else None

        ahead = self.do(first())
        lease = self.do(self.queue.claim("training", holder, ttl=1000))
        if lease is None:
            return
        assert lease.fence > self.fences.get(lease.item.id, 0)
        self.fences[lease.item.id] = lease.fence
        assert lease.item.attempt >= 1
        if lease.item.reason == "Claimed" and lease.item.started_at and lease.item.attempt == 1 and ahead:
            row = self.do(self.pool.fetchrow("select count(*) from transitions where item = $1", lease.item.id))
            assert lease.item.id == ahead or row["count"] > 2  # the first in line, unless it was left behind
        self.leases.append(lease)

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), end=st.sampled_from(["Succeeded", "Failed", "Requeue", "Release", "Beat", "Retry"]))
    def hold(self, data: st.DataObject, end: str) -> None:
        lease = data.draw(st.sampled_from(self.leases))
        mine = self.do(self.queue.get(lease.item.id))
        assert mine is not None
        held = not mine.final and mine.holder == lease.holder and mine.fence == lease.fence
        try:
            if end == "Requeue":
                item = self.do(self.queue.update(lease, state="Queued", attempt=mine.attempt + 1, retry_in=0))
                assert item.final == mine.stop_requested
            elif end == "Release":
                self.do(self.queue.release(lease))
                return
            elif end == "Beat":
                assert (self.do(self.queue.heartbeat(lease)) is not None) == held
                return
            elif end == "Retry":
                self.do(self.queue.update(lease, attempt=mine.attempt + 1, reason="Evicted", retry_in=1))
            else:
                state = end if not mine.stop_requested else stopped_state(mine)
                repeated = mine.final and mine.fence == lease.fence and mine.state == state
                self.do(self.queue.finish(lease, state, end))
                held = held or repeated
        except LeaseLost:
            assert not held
        except asyncpg.UniqueViolationError:
            pytest.fail("two trainings of one assistant wait")
        else:
            assert held

    @rule()
    def time_passes(self) -> None:
        self.do(
            self.pool.execute("update items set lease_until = now() - interval '1 s' where lease_until is not null")
        )

    @invariant()
    def one_at_a_time(self) -> None:
        rows = self.do(
            self.pool.fetch(
                """select uid, count(*) filter (where state = 'Running') as running,
                          count(*) filter (where state = 'Queued') as queued
                   from items where finished_at is null group by uid"""
            )
        )
        assert all(row["running"] <= 1 and row["queued"] <= 1 for row in rows)

    @invariant()
    def nothing_is_lost(self) -> None:
        assert self.do(self.pool.fetchval("select count(*) from items")) == self.requested

    @invariant()
    def the_audit_tells_all(self) -> None:
        rows = self.do(self.pool.fetch("select * from transitions order by item, seq"))
        state: dict[str, str] = {}
        fence: dict[str, int] = {}
        for row in rows:
            assert row["from_state"] == state.get(row["item"])
            assert row["fence"] >= fence.get(row["item"], 0)
            state[row["item"]], fence[row["item"]] = row["to_state"], row["fence"]
        items = self.do(self.pool.fetch("select id, state from items"))
        assert state == {row["id"]: row["state"] for row in items}

    @invariant()
    def what_was_cancelled_says_by_whom(self) -> None:
        rows = self.do(self.pool.fetch("select message from items where state = 'Cancelled'"))
        assert {row["message"] for row in rows} <= {"cancelled by Ann"}

    @invariant()
    def everything_ends(self) -> None:
        """Two consumers that live bring every item to its end; rolled back afterwards."""
        stuck = self.do(
            self.pool.fetchval(
                """select count(*) from items i where finished_at is null and lease_until is null
                     and state <> 'Queued' and holder is not null"""
            )
        )
        assert stuck == 0

    def teardown(self) -> None:
        async def drain() -> None:
            await self.pool.execute(
                "update items set lease_until = now() - interval '1 s' where lease_until is not null"
            )
            await self.pool.execute("update items set retry_at = null where retry_at is not null")
            while (lease := await self.queue.claim("training", "last")) is not None:
                await self.queue.finish(lease, "Succeeded" if not lease.item.stop_requested else "Cancelled", "Done")
            assert await self.pool.fetchval("select count(*) from items where finished_at is null") == 0

        self.do(drain())


def test_machine(studio_database: DatabaseSettings) -> None:
    with asyncio.Runner() as runner:
        Machine.database, Machine.runner = studio_database, runner
        Machine.pool = runner.run(pool.open_pool(studio_database, application_name="test", max_size=4))
        try:
            run_state_machine_as_test(
                Machine, settings=settings(max_examples=40, stateful_step_count=30, deadline=None)
            )
        finally:
            runner.run(Machine.pool.close())
