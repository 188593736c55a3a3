"""Both strategies against a cluster and a queue in memory."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.patience import STUCK_SECONDS
from tests.unit.services.consumers.scenery import (
    ID,
    NAMESPACE,
    Stage,
    desired,
    ended,
    foreign_job,
    item,
    run_pod,
    running,
    training_pod,
    until,
    waiting,
)

from studio.contract import labels
from studio.kube import Forbidden, Invalid, KubeError, Unavailable
from studio.kube.kinds import EVENT, JOB, POD
from studio.model_service.consumers import attempts, attendant, item_watch, log_tail, training_strategy
from studio.model_service.items import LeaseLost
from studio.model_service.jobs.resources import in_bytes

ENGINE_LOGS = Path(__file__).parents[3] / "data" / "engine_logs"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "LONGEST_DELAY", 0.0)
    monkeypatch.setattr(attendant, "_CREATION_PATIENCE", 0.0)
    monkeypatch.setattr(attendant, "_CREATION_PAUSE", 0.01)
    monkeypatch.setattr(attendant, "_LONGEST_PAUSE", 0.02)


def _memory(job: Any) -> int:
    [train] = [c for c in job["spec"]["template"]["spec"]["initContainers"] if c["name"] == "train"]
    return in_bytes(train["resources"]["limits"]["memory"])


async def test_a_training_from_its_job_to_its_model() -> None:
    stage = Stage()
    async with stage.play() as work:
        await until(stage.job)
        for status, reason in (
            (training_pod(waiting("fetch", "PodInitializing")), "Pulling"),
            (training_pod(running("fetch")), "Fetching"),
            (training_pod(ended("fetch", 0), running("train", datetime.now(UTC))), "Training"),
            (training_pod(ended("fetch", 0), ended("train", 0), running("upload"), phase="Running"), "Uploading"),
        ):
            stage.pod(status)
            await until(lambda reason=reason: stage.queue.item.reason == reason)
        stage.queue.model = 1
        stage.end_job(complete=True)
        await asyncio.wait_for(work, STUCK_SECONDS)
    assert (stage.queue.item.state, stage.queue.item.reason) == ("Succeeded", "Trained")
    assert stage.job()["spec"]["ttlSecondsAfterFinished"] == 60


async def test_how_far_the_engine_is_goes_with_the_words() -> None:
    stage = Stage()
    async with stage.play():
        await until(stage.job)
        stage.log("train", "Starting to train component 'DIETClassifier'.\nEpochs:  43%|█▏ | 43/100 [00:03<00:26]\n")
        stage.pod(training_pod(ended("fetch", 0), running("train", datetime.now(UTC))))
        await until(lambda: stage.queue.item.progress == {"step": "DIETClassifier", "percent": 40})
        assert stage.queue.item.message == "the engine trains: DIETClassifier, 40 %"
        stage.pod(training_pod(ended("fetch", 0), ended("train", 0), running("upload"), phase="Running"))
        await until(lambda: stage.queue.item.progress is None)


async def test_bad_content_fails_with_the_engines_words_and_the_whole_log() -> None:
    stage = Stage()
    async with stage.play() as work:
        await until(stage.job)
        stage.log("train", (ENGINE_LOGS / "spacy.log").read_text())
        stage.pod(training_pod(ended("fetch", 0), ended("train", 1), phase="Failed"))
        stage.end_job(complete=False)
        await asyncio.wait_for(work, STUCK_SECONDS)
    item = stage.queue.item
    assert (item.state, item.reason, item.attempt) == ("Failed", "InvalidContent", 1)
    assert "'SpacyNLP' requires the following packages which are currently not installed: spacy" in item.message
    [text] = stage.orchestrator.logs.values()
    assert "Traceback" in text
    assert stage.job()["spec"]["ttlSecondsAfterFinished"] == 3600


async def test_out_of_memory_gets_more_memory_once() -> None:
    stage = Stage()
    async with stage.play() as work:
        for attempt in (1, 2):
            await until(lambda attempt=attempt: stage.job(attempt))
            stage.pod(
                training_pod(ended("fetch", 0), ended("train", 137, "OOMKilled"), phase="Failed"), attempt=attempt
            )
            stage.end_job(complete=False, attempt=attempt)
        await asyncio.wait_for(work, STUCK_SECONDS)
    assert (stage.queue.item.state, stage.queue.item.reason) == ("Failed", "OutOfMemory")
    assert [_memory(job) for job in stage.jobs()] == [2 << 30, 3 << 30]


async def test_eviction_is_free_and_problems_are_counted() -> None:
    stage = Stage()
    evicted = {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}]}
    async with stage.play() as work:
        for attempt in range(1, 6):
            await until(lambda attempt=attempt: stage.job(attempt))
            if attempt <= 3:
                stage.pod(training_pod(ended("train", 143), phase="Failed", **evicted))
            else:
                stage.pod(training_pod(ended("fetch", 1, message="no store"), phase="Failed"))
            stage.end_job(complete=False)
        await asyncio.wait_for(work, STUCK_SECONDS)
    item = stage.queue.item
    assert (item.state, item.reason, item.message) == ("Failed", "AttemptsExhausted", "no store")
    assert item.attempt == 5


@pytest.mark.parametrize("what", ["job", "job silently", "pod"])
async def test_what_somebody_deletes_is_made_again(what: str) -> None:
    stage = Stage()
    async with stage.play():
        await until(stage.job)
        stage.pod(training_pod(running("fetch")))
        await until(lambda: stage.queue.item.reason == "Fetching")
        if what == "pod":
            stage.kube.remove(POD, NAMESPACE, f"{stage.job_name()}-xxxxx")
            stage.end_job(complete=False)
        else:
            stage.kube.remove(JOB, NAMESPACE, stage.job_name(), silently=what.endswith("silently"))
            stage.kube.compact()
            stage.kube.close_watches()
        await until(lambda: stage.job(2))
        assert ("Running", "PodDeleted" if what == "pod" else "JobDeleted") in stage.queue.said


async def test_a_foreign_job_is_not_touched() -> None:
    stage = Stage()
    stage.kube.put(foreign_job(f"{ID['training']}-1"))
    before = stage.job()
    async with stage.play() as work:
        await asyncio.wait_for(work, STUCK_SECONDS)
    assert (stage.queue.item.state, stage.queue.item.reason) == ("Failed", "Conflict")
    assert stage.job() == before


@pytest.mark.parametrize(("reason", "state"), [("Superseded", "Superseded"), ("Cancelled", "Cancelled")])
async def test_a_stop_takes_the_job_away(reason: str, state: str) -> None:
    stage = Stage()
    async with stage.play() as work:
        await until(stage.job)
        stage.queue.request_stop(reason)
        await asyncio.wait_for(work, STUCK_SECONDS)
    assert (stage.queue.item.state, stage.queue.item.reason) == (state, reason)
    assert stage.jobs() == []


async def test_the_deadline_runs_from_the_start_of_the_engine() -> None:
    stage = Stage()
    async with stage.play() as work:
        await until(stage.job)
        stage.pod(training_pod(ended("fetch", 0), running("train", datetime.now(UTC) - timedelta(hours=2))))
        stage.log("train", "still at it\n")
        await asyncio.wait_for(work, STUCK_SECONDS)
    assert (stage.queue.item.state, stage.queue.item.reason) == ("Failed", "DeadlineExceeded")
    assert stage.jobs() == []
    assert list(stage.orchestrator.logs.values()) == ["still at it\n"]


async def test_a_pod_that_cannot_be_scheduled_is_said_and_gives_the_slot_back(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    unschedulable: dict[str, Any] = {
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]
    }
    async with stage.play() as work:
        await until(stage.job)
        stage.pod(training_pod(**unschedulable))
        await until(lambda: stage.queue.item.reason == "Unschedulable")
        assert stage.queue.item.message == "0/1 nodes"
        monkeypatch.setattr("studio.model_service.consumers.training_plan.BLOCKED_SECONDS", 0.0)
        stage.pod(training_pod(waiting("fetch", "PodInitializing"), **unschedulable))
        await asyncio.wait_for(work, STUCK_SECONDS)
    assert (stage.queue.item.state, stage.queue.item.reason) == ("Queued", "Unschedulable")
    assert stage.jobs() == []
    assert training_strategy.REQUEUE_SECONDS == 60


async def test_quota_is_said() -> None:
    stage = Stage()
    event = {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": NAMESPACE},
        "reason": "FailedCreate", "message": 'pods "x" is forbidden: exceeded quota: small',
    }  # fmt: skip
    async with stage.play():
        await until(stage.job)
        uid = stage.job()["metadata"]["uid"]
        stage.kube.put({**event, "involvedObject": {"uid": uid}})
        stage.kube.set_status(JOB, NAMESPACE, stage.job_name(), {"active": 0})
        await until(lambda: stage.queue.item.reason == "QuotaExceeded")
    assert any(request.kind == EVENT.kind for request in stage.kube.requests)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Forbidden(403, "Forbidden", "exceeded quota: jobs"), "QuotaExceeded"),
        (Forbidden(403, "Forbidden", "namespace is being terminated"), "PodRefused"),
    ],
)
async def test_a_refused_job_is_said_and_tried_again(error: KubeError, reason: str) -> None:
    stage = Stage()
    stage.kube.fail(error, verb="create", times=2)
    async with stage.play():
        await until(stage.job)
    assert ("Running", reason) in stage.queue.said


async def test_a_job_that_is_refused_for_long_lets_others_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.model_service.consumers.training_plan.BLOCKED_SECONDS", 0.05)
    stage = Stage()
    stage.kube.fail(Forbidden(403, "Forbidden", "exceeded quota: jobs"), verb="create", times=1000)
    async with stage.play() as work:
        await asyncio.wait_for(work, STUCK_SECONDS)
    assert (stage.queue.item.state, stage.queue.item.reason) == ("Queued", "QuotaExceeded")


async def test_a_job_that_kubernetes_cannot_take_fails_the_training() -> None:
    stage = Stage()
    stage.kube.fail(Invalid(422, "Invalid", "spec.template.spec.tolerations[0].effect: nope"), verb="create")
    async with stage.play() as work:
        await asyncio.wait_for(work, STUCK_SECONDS)
    assert (stage.queue.item.state, stage.queue.item.reason) == ("Failed", "InvalidSpec")


async def test_an_api_server_that_is_away_is_waited_for() -> None:
    stage = Stage()
    for verb in ("list", "watch", "create", "get"):
        stage.kube.fail(Unavailable(503, "x", "away"), verb=verb, times=2)
    async with stage.play():
        await until(stage.job)


async def test_a_create_whose_answer_was_lost_makes_one_job() -> None:
    stage = Stage()
    stage.kube.fail(Unavailable(0, "x", "cut"), verb="create", after=True)
    async with stage.play():
        await until(stage.job)
        stage.pod(training_pod(running("fetch")))
        await until(lambda: stage.queue.item.reason == "Fetching")
    assert len(stage.jobs()) == 1


async def test_adoption_goes_on_where_the_predecessor_was() -> None:
    stage = Stage()
    async with stage.play():
        await until(stage.job)
        stage.pod(training_pod(ended("fetch", 0), ended("train", 137, "OOMKilled"), phase="Failed"))
        stage.end_job(complete=False)
        await until(lambda: stage.queue.item.attempt == 2)
    stage.kube.remove(JOB, NAMESPACE, stage.job_name(2)) if stage.job(2) else None
    stage.queue.steal()
    async with stage.play():
        await until(lambda: stage.job(2))
        assert _memory(stage.job(2)) == 3 << 30
        assert stage.job(2)["metadata"]["annotations"][labels.FENCE] == str(stage.queue.item.fence)


async def test_after_losing_the_lease_nothing_is_written() -> None:
    stage = Stage()
    async with stage.play() as work:
        await until(stage.job)
        stage.queue.steal()
        with pytest.raises(LeaseLost):
            await asyncio.wait_for(work, STUCK_SECONDS)
    assert len(stage.kube.writes()) == 1


async def test_a_lease_that_cannot_be_renewed_ends_by_the_clock() -> None:
    stage = Stage()
    async with stage.play(ttl=2.2) as work:
        await until(stage.job)
        stage.queue.down = True
        with pytest.raises(LeaseLost):
            await asyncio.wait_for(work, STUCK_SECONDS)
    assert len(stage.kube.writes()) == 1


async def test_a_strays_job_is_deleted() -> None:
    stage = Stage(attempt=3)
    async with stage.play():
        await until(stage.job)
    stray = {**stage.job(), "metadata": {**stage.job()["metadata"], "name": stage.job_name(2), "uid": "stray"}}
    stray["metadata"]["labels"] = {**stray["metadata"]["labels"], labels.ATTEMPT: "2"}
    stage.kube.put(stray)
    stage.queue.steal()
    async with stage.play():
        await until(lambda: not stage.job(2))
        await until(lambda: stage.queue.item.reason == "Starting")
    assert stage.job(3)


async def test_a_stale_holder_leaves_the_jobs_of_its_successor() -> None:
    stage = Stage(attempt=2)
    async with stage.play():
        await until(stage.job)
    newer = {**stage.job(), "metadata": {**stage.job()["metadata"], "name": stage.job_name(3), "uid": "newer"}}
    newer["metadata"]["labels"] = {**newer["metadata"]["labels"], labels.ATTEMPT: "3"}
    stage.kube.put(newer)
    async with stage.play():
        stage.pod(training_pod(running("fetch")))
        await until(lambda: stage.queue.item.reason == "Fetching")
    assert stage.job(3)


async def test_the_first_job_is_created_without_a_look_at_the_cluster() -> None:
    stage = Stage()
    for verb in ("list", "watch"):
        stage.kube.fail(Unavailable(503, "x", "away"), verb=verb, times=1000)
    async with stage.play():
        await until(stage.job)
    assert [request.verb for request in stage.kube.requests][:1] == ["create"]


async def test_of_a_training_that_has_just_begun_nothing_is_listed() -> None:
    stage = Stage()
    async with stage.play(tidies=lambda: False) as work:
        await until(stage.job)
        stage.pod(training_pod(running("fetch")))
        await until(lambda: stage.queue.item.reason == "Fetching")
        stage.queue.request_stop()
        await asyncio.wait_for(work, STUCK_SECONDS)
    assert "list" not in stage.kube.count()
    assert stage.jobs() == []


async def test_a_pod_that_cannot_be_seen_is_not_taken_for_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_watch, "_LONGEST_PAUSE", 0.02)
    stage = Stage()
    stage.kube.fail(Unavailable(503, "x", "away"), verb="watch", kind=POD)
    stage.kube.fail(Unavailable(503, "x", "away"), verb="list", kind=POD, times=5)
    async with stage.play() as work:
        await until(stage.job)
        stage.log("train", "InvalidRule: no\n")
        stage.pod(training_pod(ended("train", 1), phase="Failed"))
        stage.end_job(complete=False)
        await asyncio.wait_for(work, STUCK_SECONDS)
    assert (stage.queue.item.reason, stage.queue.item.attempt) == ("InvalidContent", 1)


@pytest.mark.parametrize("changes", [{"attempt": 2}, {"reason": "Training"}], ids=["not the first", "adopted"])
async def test_what_somebody_may_have_begun_is_looked_at_first(changes: dict[str, Any]) -> None:
    stage = Stage(**changes)
    async with stage.play():
        await until(stage.job)
    assert [request.verb for request in stage.kube.requests].index("create") >= 2


async def test_a_first_job_that_is_there_already_is_taken_over() -> None:
    stage = Stage()
    async with stage.play():
        await until(stage.job)
    uid = stage.job()["metadata"]["uid"]
    stage.queue.steal()
    stage.queue.item = replace(stage.queue.item, reason="Claimed")
    async with stage.play():
        await until(stage.job)
        stage.pod(training_pod(running("fetch")))
        await until(lambda: stage.queue.item.reason == "Fetching")
    assert [job["metadata"]["uid"] for job in stage.jobs()] == [uid]


async def _fail_without_archive(stage: Stage) -> None:
    stage.orchestrator.down = True
    async with stage.play() as work:
        await until(stage.job)
        stage.log("train", "\x1b[91mInvalidRule: no\x1b[0m\n")
        stage.pod(training_pod(ended("train", 1), phase="Failed"))
        stage.end_job(complete=False)
        await asyncio.wait_for(work, STUCK_SECONDS)


async def test_a_job_stays_until_its_log_is_archived() -> None:
    stage = Stage()
    await _fail_without_archive(stage)
    assert "ttlSecondsAfterFinished" not in stage.job()["spec"]
    stage.orchestrator.down = False
    logs = stage.attendant(stage.tenure).logs  # type: ignore[arg-type]
    for _ in range(2):
        await logs.tidy(labels.TRAINING, "studio", find=stage.queue.get, ttl=77)
    assert list(stage.orchestrator.logs.values()) == ["InvalidRule: no\n"]
    assert stage.job()["spec"]["ttlSecondsAfterFinished"] == 77


@pytest.mark.parametrize("trouble", ["archive", "list", "patch", "database"])
async def test_what_cannot_be_tidied_is_left_for_another_time(trouble: str) -> None:
    stage = Stage()
    await _fail_without_archive(stage)
    stage.orchestrator.down = trouble == "archive"
    stage.queue.down = trouble == "database"
    stage.kube.fail(Unavailable(503, "x", "away"), verb=trouble)
    logs = stage.attendant(stage.tenure).logs  # type: ignore[arg-type]
    await logs.tidy(labels.TRAINING, "studio", find=stage.queue.get, ttl=77)
    assert "ttlSecondsAfterFinished" not in stage.job()["spec"]


async def test_the_end_of_a_training_tidies_what_another_one_left() -> None:
    stage = Stage()
    await _fail_without_archive(stage)
    stage.orchestrator.down = False
    left = stage.queue.item
    stage.queue.item = item(id="kiosk-t2-fghij")
    find = stage.queue.get
    stage.queue.get = lambda item_id: find(item_id) if item_id != left.id else asyncio.sleep(0, left)  # type: ignore[method-assign]
    async with stage.play() as work:
        await until(stage.job)
        stage.queue.model = 1
        stage.end_job(complete=True)
        await asyncio.wait_for(work, STUCK_SECONDS)
    assert {job["metadata"]["name"]: job["spec"]["ttlSecondsAfterFinished"] for job in stage.jobs()} == {
        f"{left.id}-1": 3600,
        "kiosk-t2-fghij-1": 60,
    }


async def test_a_job_that_somebody_attends_is_not_tidied() -> None:
    stage = Stage()
    async with stage.play():
        await until(stage.job)
    stage.end_job(complete=False)
    logs = stage.attendant(stage.tenure).logs  # type: ignore[arg-type]
    await logs.tidy(labels.TRAINING, "studio", find=stage.queue.get, ttl=77)
    await logs.tidy(labels.TRAINING, "other", find=stage.queue.get, ttl=77)
    assert "ttlSecondsAfterFinished" not in stage.job()["spec"]


async def test_jobs_stay_as_long_as_the_studio_wants() -> None:
    spec = desired("training", succeeded_job_seconds=5).model_dump(mode="json")
    stage = Stage(spec=spec)
    async with stage.play() as work:
        await until(stage.job)
        stage.queue.model = 1
        stage.end_job(complete=True)
        await asyncio.wait_for(work, STUCK_SECONDS)
    assert stage.job()["spec"]["ttlSecondsAfterFinished"] == 5


async def test_an_engine_that_falls_silent_is_started_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_strategy, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(log_tail, "LOOK_SECONDS", 0.0)
    stage = Stage(spec=desired("training", stall_seconds=1).model_dump(mode="json"))
    async with stage.play() as work:
        for attempt in (1, 2):
            await until(lambda attempt=attempt: stage.job(attempt))
            stage.log("train", f"the last words of {attempt}\n", attempt)
            stage.pod(training_pod(ended("fetch", 0), running("train", datetime.now(UTC))), attempt=attempt)
            await until(lambda attempt=attempt: not stage.job(attempt))
        await asyncio.wait_for(work, STUCK_SECONDS)
    first = next(message for message in stage.queue.messages if "attempt 2 follows" in message)
    assert first.startswith("the engine has written nothing for 1 s")
    assert first.endswith("\nthe last words of 1")
    assert (stage.queue.item.state, stage.queue.item.reason) == ("Failed", "Stalled")
    assert stage.queue.item.message.endswith("\nthe last words of 2")


async def test_how_far_the_engine_is_can_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_strategy, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(log_tail, "LOOK_SECONDS", 0.0)
    stage = Stage()
    log = "Starting to train component 'DIETClassifier'.\n"
    async with stage.play():
        await until(stage.job)
        stage.log("train", log)
        stage.pod(training_pod(ended("fetch", 0), running("train", datetime.now(UTC))))
        for percent, told in ((11, 10), (13, 10), (52, 50)):
            log += f"Epochs:  {percent}%|█▏   | {percent}/100 [00:03<00:26, 4.0it/s]\n"
            stage.log("train", log)
            await until(lambda told=told: stage.queue.item.message.endswith(f"DIETClassifier, {told} %"))
    assert len([message for message in stage.queue.messages if "%" in message]) == 2


async def test_a_job_that_kueue_has_not_admitted_is_waited_for() -> None:
    stage = Stage(spec=desired("training", queue_name="batch").model_dump(mode="json"))
    async with stage.play():
        await until(lambda: stage.queue.item.reason == "Suspended")
        stage.kube.put({**stage.job(), "spec": {**stage.job()["spec"], "suspend": False}})
        stage.pod(training_pod(running("fetch")))
        await until(lambda: stage.queue.item.reason == "Fetching")


async def test_an_archive_that_is_away_does_not_hold_the_training_up() -> None:
    stage = Stage()
    stage.orchestrator.down = True
    async with stage.play() as work:
        await until(stage.job)
        stage.log("train", "\x1b[91mInvalidRule: no\x1b[0m\n")
        stage.pod(training_pod(ended("train", 1), phase="Failed"))
        stage.end_job(complete=False)
        await asyncio.wait_for(work, STUCK_SECONDS)
    assert stage.queue.item.message == "InvalidRule: no"


async def test_a_run_from_its_job_to_its_stop() -> None:
    stage = Stage("run")
    async with stage.play() as work:
        await until(stage.job)
        for status, reason in (
            (run_pod(running("run-helper"), phase="Pending"), "Fetching"),
            (run_pod(running("run-helper"), running("engine")), "Loading"),
            (run_pod(running("run-helper"), running("engine"), ready=True), "Ready"),
            (run_pod(running("run-helper"), running("engine")), "NotAnswering"),
            (run_pod(running("run-helper"), running("engine"), ready=True), "Ready"),
        ):
            stage.pod(status)
            await until(lambda reason=reason: stage.queue.item.reason == reason)
        assert stage.queue.item.state == "Ready"
        stage.log("engine", "bye\n")
        stage.queue.request_stop("Replaced")
        await until(lambda: stage.queue.item.state == "Draining")
        await until(lambda: not stage.jobs())
        assert not work.done(), "the slot is taken until the pod is gone"
        stage.kube.remove(POD, NAMESPACE, f"{ID['run']}-1-xxxxx")
        await asyncio.wait_for(work, STUCK_SECONDS)
    assert (stage.queue.item.state, stage.queue.item.reason) == ("Stopped", "Replaced")
    assert list(stage.orchestrator.logs.values()) == ["bye\n"]


async def test_an_evicted_engine_that_exits_with_0_is_a_loss() -> None:
    stage = Stage("run")
    async with stage.play():
        await until(stage.job)
        stage.pod(run_pod(running("engine"), ready=True))
        await until(lambda: stage.queue.item.state == "Ready")
        stage.pod(run_pod(ended("engine", 0), phase="Succeeded"), deletionTimestamp="2026-11-21T00:00:00Z")
        stage.end_job(complete=True)
        await until(lambda: stage.job(2))
        assert stage.queue.item.state == "Starting"
    # Two Jobs of one run, one of them ended: it stays for a while to be looked at.
    assert stage.job(1)["spec"]["ttlSecondsAfterFinished"] == 3600


async def test_a_crash_loop_ends_with_the_engines_words() -> None:
    stage = Stage("run")
    async with stage.play() as work:
        for attempt in range(1, 6):
            await until(lambda attempt=attempt: stage.job(attempt))
            stage.log("engine", "\x1b[91mModelNotFound: broken\x1b[0m", attempt)
            stage.pod(run_pod(ended("engine", 1), phase="Failed"), attempt=attempt)
            stage.end_job(complete=False, attempt=attempt)
        await asyncio.wait_for(work, STUCK_SECONDS)
    item = stage.queue.item
    assert (item.state, item.reason) == ("Failed", "CrashLoop")
    assert item.message == "the engine ended with exit code 1\nModelNotFound: broken"
    assert len(stage.jobs()) == 5
    assert len(stage.orchestrator.logs) == 5


async def test_a_run_without_enough_memory_says_so_and_nothing_else() -> None:
    stage = Stage("run")
    async with stage.play() as work:
        for attempt in range(1, 6):
            await until(lambda attempt=attempt: stage.job(attempt))
            stage.log("engine", "INFO Loading model\n", attempt)
            stage.pod(run_pod(ended("engine", 137, "OOMKilled"), phase="Failed"), attempt=attempt)
            stage.end_job(complete=False, attempt=attempt)
        await asyncio.wait_for(work, STUCK_SECONDS)
    item = stage.queue.item
    assert (item.state, item.reason) == ("Failed", "OutOfMemory")
    assert item.message == (
        "the engine needs more memory than its limit allows: raise spec.running.resources.limits.memory"
    )


async def test_a_model_that_is_refused_fails_the_run_at_once() -> None:
    stage = Stage("run")
    helper = {**waiting("run-helper", "CrashLoopBackOff"), "restartCount": 1}
    helper["lastState"] = {"terminated": {"exitCode": 3, "message": "the model is refused: other members"}}
    async with stage.play() as work:
        await until(stage.job)
        stage.pod(run_pod(helper, phase="Pending"))
        await asyncio.wait_for(work, STUCK_SECONDS)
    item = stage.queue.item
    assert (item.state, item.reason, item.message) == (
        "Failed", "ModelRefused", "the model is refused: other members",
    )  # fmt: skip
    assert stage.jobs() == []


async def test_an_adopted_ready_run_without_its_job_is_made_anew() -> None:
    stage = Stage("run", state="Ready", reason="Ready", ready_at=datetime.now(UTC))
    async with stage.play():
        await until(stage.job)
        assert stage.queue.item.state == "Starting"
