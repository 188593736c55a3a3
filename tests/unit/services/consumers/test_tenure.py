"""What a holder learns about its item, and when; and what time it is for it."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.patience import STUCK_SECONDS
from tests.unit.services.consumers.scenery import FakeQueue, Stage, ended, item, running, training_pod, until

from studio.model_service.consumers import log_tail, stopwatch, training_strategy
from studio.model_service.consumers.tenure import Tenure

NEVER = 3600.0


async def test_a_stop_that_the_answer_to_a_write_brings_is_heard_at_once() -> None:
    """The heartbeat finds nothing new then, and the notification may be lost: who waits would wait to its end."""
    queue = FakeQueue(item("run"))
    async with Tenure(queue, queue.lease(), beat=NEVER) as tenure:  # type: ignore[arg-type]
        queue.request_stop("Replaced")
        assert not tenure.wake.is_set()
        await tenure.say("Loading", "the engine loads the model")
        assert tenure.item.stop_requested
        assert tenure.wake.is_set()


async def test_what_the_holder_says_itself_does_not_wake_it() -> None:
    queue = FakeQueue(item("run"))
    async with Tenure(queue, queue.lease(), beat=NEVER) as tenure:  # type: ignore[arg-type]
        await tenure.say("Loading", "the engine loads the model")
        assert not tenure.wake.is_set()


@pytest.mark.parametrize("off", [timedelta(hours=-1), timedelta(0), timedelta(hours=1)], ids=str)
async def test_the_time_is_that_of_the_database(off: timedelta) -> None:
    """Whatever this machine's clock says: it may be wrong, and it may jump."""
    there = datetime.now(UTC) + off
    queue = FakeQueue(item("training", lease_until=there + timedelta(seconds=20)))
    async with Tenure(queue, queue.lease(), ttl=20.0, beat=NEVER) as tenure:  # type: ignore[arg-type]
        assert timedelta(0) <= tenure.now() - there < timedelta(seconds=10)
        later = there + timedelta(hours=3)
        queue.item = item("training", lease_until=later + timedelta(seconds=20))
        tenure.poke()
        await tenure.wait(10)
        assert timedelta(0) <= tenure.now() - later < timedelta(seconds=10)


@pytest.mark.parametrize(
    ("off", "trained", "late"),
    [(-3600, 60, False), (3600, 60, False), (3600, 3700, False), (-3600, 3700, True), (0, 3700, True)],
)
async def test_what_a_training_has_trained_before_it_is_adopted_is_what_both_clocks_grant(
    off: float, trained: float, late: bool
) -> None:
    """The deadline is an hour; by the database, which is `off` seconds ahead of this machine, it has `trained`."""
    there = datetime.now(UTC) + timedelta(seconds=off)
    stage = Stage(lease_until=there + timedelta(seconds=20))
    async with stage.play() as work:
        await until(stage.job)
        started = there - timedelta(seconds=trained)
        stage.pod(training_pod(ended("fetch", 0), running("train", started), phase="Pending"))
        await until(lambda: stage.queue.item.reason in ("Training", "DeadlineExceeded"))
        assert (stage.queue.item.reason == "DeadlineExceeded") == late
        if late:
            await asyncio.wait_for(work, STUCK_SECONDS)


@pytest.mark.parametrize("jump", [timedelta(hours=-2), timedelta(hours=2)], ids=str)
async def test_a_clock_that_jumps_while_a_training_is_held_neither_ends_it_nor_lets_it_go_on(
    monkeypatch: pytest.MonkeyPatch, jump: timedelta
) -> None:
    monkeypatch.setattr(training_strategy, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(log_tail, "LOOK_SECONDS", 0.0)
    passed = 0.0
    monkeypatch.setattr(stopwatch, "monotonic", lambda: passed)
    now = datetime.now(UTC)
    stage = Stage(lease_until=now + timedelta(seconds=20))
    async with stage.play() as work:
        await until(stage.job)
        stage.pod(training_pod(ended("fetch", 0), running("train", now), phase="Pending"))
        await until(lambda: stage.queue.item.reason == "Training")
        stage.queue.item = replace(stage.queue.item, lease_until=now + jump + timedelta(seconds=20))
        await until(lambda: stage.tenure and abs(stage.tenure.now() - now) > timedelta(hours=1))
        stage.log("train", "Starting to train component 'DIETClassifier'.\n")
        await until(lambda: work.done() or stage.queue.item.message.endswith("DIETClassifier"))
        assert stage.queue.item.state == "Running"
        passed = 3601.0
        await asyncio.wait_for(work, STUCK_SECONDS)
    assert (stage.queue.item.state, stage.queue.item.reason) == ("Failed", "DeadlineExceeded")


async def test_a_training_that_is_adopted_has_trained_before() -> None:
    stage = Stage()
    began = datetime.now(UTC)
    async with stage.play():
        await until(stage.job)
        stage.pod(training_pod(ended("fetch", 0), running("train", began), phase="Pending"))
        await until(lambda: stage.queue.item.reason == "Training")
    stage.queue.steal()
    hour = timedelta(seconds=3601)  # passes while nobody holds it
    stage.pod(training_pod(ended("fetch", 0), running("train", began - hour), phase="Pending"))
    async with stage.play() as work:
        await asyncio.wait_for(work, STUCK_SECONDS)
    assert stage.queue.item.reason == "DeadlineExceeded"
