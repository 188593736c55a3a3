"""A run that is begun before its model is there: ready by its helper's word, and ended without being missed."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from tests.support.patience import STUCK_SECONDS
from tests.unit.services.consumers.scenery import Stage, desired, ended, run_pod, running, until

from studio.model_service.consumers import attempts
from studio.model_service.jobs.run import WARM
from studio.model_service.jobs.scripts import RUN, RUN_WARM

HELPER, ENGINE = running("run-helper"), running("engine")
READY = run_pod(HELPER, ENGINE, ready=True)
SPEC = {**desired("run").model_dump(mode="json"), "warm_for": "kiosk-t1-abcde"}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "LONGEST_DELAY", 0.0)


def warming() -> Stage:
    return Stage("run", state="Warming", spec=SPEC)


def assign(stage: Stage) -> None:
    """What the orchestrator does once the model is there."""
    stage.queue.item = replace(
        stage.queue.item, state="Starting", reason="Assigned", model_version=2, spec={**SPEC, "model_sha256": "ab"}
    )


def report(stage: Stage, **told: Any) -> None:
    stage.queue.item = replace(stage.queue.item, report={"attempt": 1, **told})


def script(job: Any) -> str:
    return str(job["spec"]["template"]["spec"]["containers"][0]["command"][-1])


async def test_from_warm_to_ready() -> None:
    stage = warming()
    async with stage.play():
        await until(stage.job)
        assert WARM in stage.job()["metadata"]["annotations"]
        assert script(stage.job()) == RUN_WARM
        stage.pod(READY)
        await until(lambda: stage.queue.item.reason == "Warm")
        assert stage.queue.item.state == "Warming"
        assign(stage)
        await until(lambda: stage.queue.item.reason == "Loading")
        report(stage, loaded="ab")
        await until(lambda: stage.queue.item.state == "Ready")
    assert len(stage.jobs()) == 1


async def test_an_engine_that_does_not_take_its_model_makes_room_for_a_cold_one() -> None:
    stage = warming()
    async with stage.play():
        await until(stage.job)
        stage.pod(READY)
        assign(stage)
        report(stage, refused="400 bad zip")
        await until(lambda: stage.queue.item.attempt == 2)
        await until(stage.job)
        assert script(stage.job()) == RUN
        assert WARM not in stage.job()["metadata"]["annotations"]
        stage.pod(READY)
        await until(lambda: stage.queue.item.state == "Ready")
    assert any("400 bad zip" in message for message in stage.queue.messages)


async def test_one_that_is_given_up_gives_its_slot_back_at_once() -> None:
    stage = warming()
    async with stage.play() as work:
        await until(stage.job)
        stage.pod(READY)
        await until(lambda: stage.queue.item.reason == "Warm")
        stage.queue.request_stop("GivenUp")
        await asyncio.wait_for(work, STUCK_SECONDS)
    assert (stage.queue.item.state, stage.queue.item.reason) == ("Stopped", "GivenUp")
    assert stage.jobs() == []


async def test_one_that_dies_is_not_made_again() -> None:
    stage = warming()
    async with stage.play() as work:
        await until(stage.job)
        stage.pod(run_pod(HELPER, ended("engine", 137), phase="Failed"))
        stage.log("engine", "Killed")
        stage.end_job(complete=False)
        await asyncio.wait_for(work, STUCK_SECONDS)
    assert (stage.queue.item.state, stage.queue.item.reason) == ("Failed", "OutOfMemory")
    assert stage.orchestrator.logs
    assert stage.job()["spec"]["ttlSecondsAfterFinished"]


async def test_the_loss_of_one_that_has_just_got_its_model_is_that_of_an_attempt() -> None:
    stage = warming()

    async def archived(path: str, text: str) -> None:
        assign(stage)

    async with stage.play():
        await until(stage.job)
        stage.pod(READY)
        await until(lambda: stage.queue.item.reason == "Warm")
        stage.orchestrator.put_text = archived  # type: ignore[method-assign]
        stage.log("engine", "oops")
        stage.pod(run_pod(HELPER, ended("engine", 1), phase="Failed"))
        stage.end_job(complete=False)
        await until(lambda: stage.queue.item.attempt == 2)
        await until(stage.job)
        assert script(stage.job()) == RUN


async def test_whoever_adopts_it_goes_on() -> None:
    stage = warming()
    async with stage.play():
        await until(stage.job)
        stage.pod(READY)
        await until(lambda: stage.queue.item.reason == "Warm")
    stage.queue.steal()
    assign(stage)
    report(stage, loaded="ab")
    async with stage.play():
        await until(lambda: stage.queue.item.state == "Ready")
    assert len(stage.jobs()) == 1
