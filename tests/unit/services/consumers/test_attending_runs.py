"""A run that does not get on: its slot is given back, its engine's words are told at each attempt."""

import asyncio
from typing import Any

import pytest
from tests.support.patience import STUCK_SECONDS
from tests.unit.services.consumers.scenery import Stage, ended, run_pod, running, until, waiting

from studio.kube import Forbidden
from studio.model_service.consumers import attempts, attendant, running_plan

HELPER, ENGINE = running("run-helper"), running("engine")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "LONGEST_DELAY", 0.0)
    monkeypatch.setattr(attendant, "_CREATION_PAUSE", 0.01)


def impatient(monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    monkeypatch.setitem(running_plan.PATIENCE, reason, 0.05)


async def test_a_run_without_a_node_gives_its_slot_back(monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch, "Unschedulable")
    stage = Stage("run")
    scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes: memory"}
    async with stage.play() as work:
        await until(stage.job)
        stage.pod(run_pod(phase="Pending", conditions=[scheduled]))
        await asyncio.wait_for(work, STUCK_SECONDS)
    item = stage.queue.item
    assert (item.state, item.reason, item.attempt, item.holder) == ("Queued", "Unschedulable", 2, None)
    assert item.message == "0/1 nodes: memory; it is tried again in 15 s"
    assert item.retry_at is not None
    assert stage.jobs() == []


async def test_a_run_whose_job_is_forbidden_gives_its_slot_back(monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch, "QuotaExceeded")
    stage = Stage("run")
    stage.kube.fail(Forbidden(403, "Forbidden", "exceeded quota: jobs"), verb="create", times=1000)
    async with stage.play() as work:
        await asyncio.wait_for(work, STUCK_SECONDS)
    assert (stage.queue.item.state, stage.queue.item.reason) == ("Queued", "QuotaExceeded")


@pytest.mark.parametrize("attempt", [1, 5, 40])
async def test_a_helper_without_its_store_is_tried_again_for_ever(attempt: int) -> None:
    stage = Stage("run", attempt=attempt)
    helper = {**waiting("run-helper", "CrashLoopBackOff"), "restartCount": 3}
    helper["lastState"] = {"terminated": {"exitCode": 1, "message": "object storage answered 503"}}
    async with stage.play() as work:
        await until(stage.job)
        stage.pod(run_pod(helper, phase="Pending"))
        await asyncio.wait_for(work, STUCK_SECONDS)
    item = stage.queue.item
    assert (item.state, item.reason, item.attempt) == ("Queued", "HelperFailed", attempt + 1)
    assert item.message.startswith("object storage answered 503; it is tried again in ")
    assert stage.jobs() == []


async def test_an_engine_that_does_not_answer_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch, "NotAnswering")
    stage = Stage("run")
    async with stage.play():
        await until(stage.job)
        stage.pod(run_pod(HELPER, ENGINE, ready=True))
        await until(lambda: stage.queue.item.state == "Ready")
        stage.log("engine", "\x1b[91mthe event loop stands\x1b[0m\n")
        stage.pod(run_pod(HELPER, ENGINE))
        await until(lambda: stage.job(2))
        await until(lambda: stage.job(1) is None)
        assert stage.queue.item.state == "Starting"
    assert ("Ready", "NotAnswering") in stage.queue.said


async def test_an_engine_that_never_gets_ready_is_a_crash_with_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch, "Loading")
    stage = Stage("run")
    async with stage.play() as work:
        for attempt in range(1, 6):
            await until(lambda attempt=attempt: stage.job(attempt))
            stage.log("engine", "\x1b[91mno such table\x1b[0m\n", attempt)
            stage.pod(run_pod(HELPER, ENGINE), attempt=attempt)
        await asyncio.wait_for(work, STUCK_SECONDS)
    item = stage.queue.item
    assert (item.state, item.reason) == ("Failed", "CrashLoop")
    assert item.message == "the engine was not ready within 0 min\nno such table"
    assert stage.jobs() == []


async def test_each_attempt_says_why_the_one_before_was_lost() -> None:
    stage = Stage("run")
    lost: list[Any] = []
    update = stage.queue.update

    async def remember(lease: Any, **changes: Any) -> Any:
        if changes.get("attempt"):
            lost.append((changes["reason"], changes["message"]))
        return await update(lease, **changes)

    stage.queue.update = remember  # type: ignore[method-assign]
    async with stage.play():
        await until(stage.job)
        stage.log("engine", "\x1b[91mModelNotFound: broken\x1b[0m")
        stage.pod(run_pod(ended("engine", 1), phase="Failed"))
        stage.end_job(complete=False)
        await until(lambda: stage.job(2))
        stage.pod(run_pod(HELPER, ENGINE), attempt=2)
        words = "the engine ended with exit code 1\nModelNotFound: broken"
        await until(lambda: stage.queue.item.message == f"the engine loads the model; attempt 1: {words}")
        stage.pod(run_pod(HELPER, ENGINE, ready=True), attempt=2)
        await until(lambda: stage.queue.item.state == "Ready")
        assert stage.queue.item.message == "the engine answers with the intended model"
    assert lost == [("EngineEnded", f"{words}; attempt 2 follows")]
