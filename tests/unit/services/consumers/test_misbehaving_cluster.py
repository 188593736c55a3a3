"""Whatever the cluster and other consumers do, in any order: nothing is left running, and the item ends truthfully."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support import virtual_time
from tests.unit.services.consumers.scenery import NAMESPACE, Stage, ended, run_pod, running, training_pod, until

from studio.kube import Conflict, TooManyRequests, Unavailable
from studio.kube.kinds import JOB, POD
from studio.model_service.consumers import attempts, attendant
from studio.model_service.consumers.pod_facts import job_facts
from studio.model_service.items import Kind, LeaseLost

# Nobody waits for so long while there is news: the shortest of the consumer's own pauses is longer.
STUCK_SECONDS = 4.0
ERRORS = (Unavailable(503, "x", "x"), TooManyRequests(429, "x", "x"), Conflict(409, "x", "x"))


def _live(stage: Stage) -> Any:
    """The newest Job that has not ended."""
    facts = [job_facts(job) for job in stage.jobs()]
    return max((job for job in facts if not job.ended), key=lambda job: job.attempt, default=None)


def _pod(stage: Stage, *statuses: dict[str, Any], **more: Any) -> None:
    job = _live(stage)
    if job:
        make = training_pod if stage.kind == "training" else run_pod
        stage.pod(make(*statuses, **more), attempt=job.attempt)


def _end(stage: Stage, *statuses: dict[str, Any], complete: bool = False, **more: Any) -> None:
    job = _live(stage)
    if job:
        _pod(stage, *statuses, phase="Succeeded" if complete else "Failed", **more)
        stage.end_job(complete=complete, attempt=job.attempt)


def _fault(verb: str, error: Exception, *, after: bool) -> Callable[[Stage], None]:
    return lambda stage: stage.kube.fail(error, verb=verb, after=after)


def _remove_job(stage: Stage) -> None:
    job = _live(stage)
    if job:
        stage.kube.remove(JOB, NAMESPACE, job.name)


def _remove_pods(stage: Stage) -> None:
    for kind, _, name in list(stage.kube.objects):
        if kind == POD:
            stage.kube.remove(POD, NAMESPACE, name)
            job = name.removesuffix("-xxxxx")
            if (JOB, NAMESPACE, job) in stage.kube.objects:
                stage.end_job(complete=False, attempt=int(job.rsplit("-", 1)[1]))


def _gap(stage: Stage) -> None:
    stage.kube.compact()
    stage.kube.close_watches()


EVICTED: dict[str, Any] = {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "Evicted"}]}
MISCHIEF: dict[str, Callable[[Stage], None]] = {
    "fetching": lambda s: _pod(s, running("fetch")),
    "training": lambda s: _pod(s, ended("fetch", 0), running("train", datetime.now(UTC))),
    "engine": lambda s: _pod(s, running("run-helper"), running("engine"), ready=True) if s.kind == "run" else None,
    "out of memory": lambda s: _end(s, ended("train", 137, "OOMKilled"), ended("engine", 137, "OOMKilled")),
    "evicted": lambda s: _end(s, ended("train", 143), ended("engine", 0), **EVICTED),
    "fetch failed": lambda s: _end(s, ended("fetch", 1)),
    "ended well, no model": lambda s: _end(s, ended("upload", 0), ended("engine", 0), complete=True),
    "job deleted": _remove_job,
    "pods deleted": _remove_pods,
    "gap": _gap,
    "watches end": lambda s: s.kube.close_watches(),
    **{
        f"{verb} {error.status}{' after' if after else ''}": _fault(verb, error, after=after)
        for verb in ("create", "patch", "delete", "list", "watch", "get")
        for error in ERRORS
        for after in (False, True)
    },
}


async def _live_through(stage: Stage, steps: list[str], takeovers: set[int]) -> None:
    position = 0
    while position < len(steps):
        async with stage.play() as work:
            while position < len(steps) and not work.done():
                MISCHIEF[steps[position]](stage)
                for _ in range(5):
                    await asyncio.sleep(0)
                position += 1
                if position in takeovers and not stage.queue.item.final:
                    stage.queue.steal()
                    break
        if stage.queue.item.final:
            return
        if stage.queue.item.holder is None:
            stage.queue.steal()


async def _come_to_an_end(stage: Stage) -> None:
    """Now everybody behaves: the training makes its model, the run is stopped."""
    stage.kube._faults.clear()
    if stage.queue.item.final:
        return
    stage.queue.steal()
    async with stage.play() as work:
        if stage.kind == "run":
            stage.queue.request_stop("Replaced")
            await until(lambda: not stage.jobs() or work.done())
            for kind, _, name in list(stage.kube.objects):
                if kind == POD:
                    stage.kube.remove(POD, NAMESPACE, name)
        else:
            await until(lambda: _live(stage) or work.done())
            if not work.done():
                stage.queue.model = 1
                _end(stage, ended("upload", 0), complete=True)
        try:
            await work
        except LeaseLost:
            pytest.fail("nobody took the lease")


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    kind=st.sampled_from(["training", "run"]),
    steps=st.lists(st.sampled_from(sorted(MISCHIEF)), min_size=1, max_size=14),
    takeovers=st.sets(st.integers(1, 14), max_size=3),
)
def test_it_ends_well(kind: Kind, steps: list[str], takeovers: set[int]) -> None:
    async def play() -> Stage:
        stage = Stage(kind)
        async with asyncio.timeout(STUCK_SECONDS):
            await _live_through(stage, steps, takeovers)
            await _come_to_an_end(stage)
        return stage

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attempts, "LONGEST_DELAY", 0.0)
        patch.setattr(attendant, "_LONGEST_PAUSE", 0.01)
        patch.setattr("studio.model_service.consumers.item_watch._LONGEST_PAUSE", 0.01)
        stage = virtual_time.run(play())
    item = stage.queue.item
    assert item.state in (("Succeeded", "Failed") if kind == "training" else ("Stopped", "Failed"))
    if item.state == "Failed":
        assert item.reason in ("OutOfMemory", "AttemptsExhausted", "TooManyLosses", "CrashLoop")
    assert [job.name for job in map(job_facts, stage.jobs()) if not job.ended] == [], "nothing is left running"
    created = [request.name for request in stage.kube.requests if request.verb == "create"]
    assert len({job.name for job in map(job_facts, stage.jobs())} - set(created)) == 0
