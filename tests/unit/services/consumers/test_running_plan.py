"""How long a run may stand still, and what follows."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.services.consumers.scenery import START, UID, ended, item, run_pod, running, waiting

from studio.contract import labels
from studio.kube.obstacles import Obstacle
from studio.model_service.consumers.attempts import Ending
from studio.model_service.consumers.plan import Action, Create, Fail, Lose, Requeue, Scene, Wait
from studio.model_service.consumers.pod_facts import JobFacts, PodFacts, pod_facts
from studio.model_service.consumers.running_plan import PATIENCE, plan_run
from studio.model_service.jobs.run import WARM

JOB = JobFacts("kiosk-r1-abcde-1", "u", 1, UID, has_pods=True, labels={labels.RUN: "kiosk-r1-abcde"})
HELPER, ENGINE = running("run-helper"), running("engine")
UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}


def pod(status: dict[str, Any], **metadata: Any) -> PodFacts:
    return pod_facts({"metadata": {"name": "p", **metadata}, "status": status})


def scene(seen: PodFacts | None, *, state: str = "Starting", **changes: Any) -> Scene:
    return Scene(**{"item": item("run", state=state), "now": START, "job": JOB, "pod": seen, **changes})


PULLING = run_pod(waiting("run-helper", "PodInitializing"), phase="Pending")
NO_IMAGE = run_pod(waiting("engine", "ImagePullBackOff", "no such host"), phase="Pending")
NO_SECRET = run_pod(waiting("engine", "CreateContainerConfigError", "no secret"), phase="Pending")
STANDSTILLS: dict[str, tuple[Scene, Action]] = {
    "no pod": (scene(None), Requeue("Starting", "why")),
    "pulling": (scene(pod(PULLING)), Requeue("Pulling", "why")),
    "no node": (scene(pod(run_pod(conditions=[UNSCHEDULABLE]))), Requeue("Unschedulable", "why")),
    "no image": (scene(pod(NO_IMAGE)), Requeue("ImagePullFailed", "why")),
    "no secret": (scene(pod(NO_SECRET)), Requeue("ContainerConfigError", "why")),
    "no quota": (scene(None, creation_problem=(Obstacle.QUOTA_EXCEEDED, "quota")), Requeue("QuotaExceeded", "why")),
    "refused": (scene(None, creation_problem=(Obstacle.POD_REFUSED, "no")), Requeue("PodRefused", "why")),
    "fetching": (scene(pod(run_pod(HELPER, phase="Pending"))), Requeue("Fetching", "why")),
    "loading": (
        scene(pod(run_pod(HELPER, ENGINE))),
        Lose(Ending.CRASHED, "StartTimeout", "the engine was not ready within 20 min"),
    ),
    "silent": (
        scene(pod(run_pod(HELPER, ENGINE)), state="Ready"),
        Lose(Ending.CRASHED, "NotAnswering", "the engine has not answered for 3 min"),
    ),
    "leaving": (
        scene(pod(run_pod(HELPER, ENGINE), deletionTimestamp="2026-11-21T00:00:00Z"), state="Ready"),
        Lose(Ending.DISRUPTED, "PodDeleted", "why, and is still there after 1 min"),
    ),
}


def stood_still(seen: Scene) -> Scene:
    """The same after the item was told about it."""
    action = plan_run(seen)
    assert isinstance(action, Wait)
    return replace(seen, item=replace(seen.item, reason=action.reason, message="why"))


@pytest.mark.parametrize("case", STANDSTILLS)
def test_nothing_but_a_ready_engine_stands_still_for_ever(case: str) -> None:
    seen, expected = STANDSTILLS[case]
    told = stood_still(seen)
    patience = PATIENCE[told.item.reason]
    action = plan_run(told, stood=patience - 2)
    assert isinstance(action, Wait)
    assert action.seconds <= 2, "it looks again when patience ends"
    assert plan_run(told, stood=patience) == expected
    assert isinstance(plan_run(seen, stood=patience), Wait), "what has just changed is waited for anew"


def test_every_patience_has_its_case() -> None:
    assert {stood_still(seen).item.reason for seen, _ in STANDSTILLS.values()} == set(PATIENCE)


def test_a_ready_engine_is_never_given_up() -> None:
    ready = stood_still(scene(pod(run_pod(HELPER, ENGINE, ready=True))))
    assert isinstance(plan_run(replace(ready, item=replace(ready.item, state="Ready")), stood=1e9), Wait)


def test_an_engine_that_serves_outlives_the_crashes_of_its_helper() -> None:
    """The kubelet restarts the helper, and counts for as long as the pod lives: two months may lie between two."""
    killed = {"exitCode": 137, "reason": "OOMKilled"}
    crashed = {**waiting("run-helper", "CrashLoopBackOff"), "restartCount": 4, "lastState": {"terminated": killed}}
    silent = scene(pod(run_pod(crashed, ENGINE)), state="Ready")
    told = stood_still(silent)
    assert told.item.reason == "NotAnswering"
    assert isinstance(plan_run(told, stood=PATIENCE["NotAnswering"]), Lose), "another engine takes its place"
    again = {**HELPER, "restartCount": 4, "lastState": {"terminated": killed}}
    assert stood_still(scene(pod(run_pod(again, ENGINE, ready=True)), state="Ready")).item.reason == "Ready"
    assert isinstance(plan_run(scene(pod(run_pod(crashed, ENGINE)))), Requeue), "while it starts, others go first"


def test_a_job_that_is_not_admitted_gives_the_slot_back() -> None:
    refused = scene(None, job=None)
    refused = replace(refused, item=replace(refused.item, reason="QuotaExceeded", message="exceeded quota"))
    assert plan_run(refused, stood=299) == Create()
    assert plan_run(refused, stood=300) == Requeue("QuotaExceeded", "exceeded quota")
    lost = replace(refused, item=replace(refused.item, reason="NotAnswering"))
    assert plan_run(lost, stood=1e9) == Create()


def test_the_name_of_an_image_that_cannot_be_one_fails_at_once() -> None:
    words = 'Failed to apply default image tag "Bot": couldn\'t parse image name "Bot": invalid reference format'
    bad = run_pod(waiting("engine", "InvalidImageName", words), phase="Pending")
    action = plan_run(scene(pod(bad)))
    assert isinstance(action, Fail)
    assert words in action.message


@pytest.mark.parametrize("restarts", [1, 2])
def test_a_helper_that_was_restarted_says_why(restarts: int) -> None:
    helper = {**waiting("run-helper", "CrashLoopBackOff"), "restartCount": restarts}
    helper["lastState"] = {"terminated": {"exitCode": 1, "message": "object storage answered 503"}}
    action = plan_run(scene(pod(run_pod(helper, phase="Pending"))))
    assert isinstance(action, Wait)
    assert action.reason == "Fetching"
    assert "object storage answered 503" in action.message


WARM_JOB = replace(JOB, annotations={WARM: "true"})
WARM_POD = pod(run_pod(HELPER, ENGINE, ready=True))


def assigned(**report: Any) -> Scene:
    """A warm engine that has been given a model."""
    told = {"attempt": 1, **report} if report else None
    seen = scene(WARM_POD, job=WARM_JOB)
    return replace(seen, item=replace(seen.item, spec={**seen.item.spec, "model_sha256": "ab"}, report=told))


def test_an_engine_without_a_model_is_never_ready() -> None:
    action = plan_run(scene(WARM_POD, state="Warming", job=WARM_JOB))
    assert isinstance(action, Wait)
    assert (action.reason, action.state) == ("Warm", None)


@pytest.mark.parametrize(
    ("report", "reason", "state"),
    [
        ({}, "Loading", None),
        ({"loaded": None, "trackers_durable": True}, "Loading", None),
        ({"loaded": "other"}, "Loading", None),
        ({"loaded": "ab", "attempt": 0}, "Loading", None),
        ({"loaded": "ab"}, "Ready", "Ready"),
    ],
)
def test_a_warm_engine_is_ready_once_its_helper_says_so(report: dict[str, Any], reason: str, state: str | None) -> None:
    action = plan_run(assigned(**report))
    assert isinstance(action, Wait)
    assert (action.reason, action.state) == (reason, state)


def test_a_warm_engine_that_does_not_take_its_model_is_replaced() -> None:
    assert plan_run(assigned(refused="400 bad zip")) == Lose(
        Ending.CRASHED, "ModelNotTaken", "the warm engine did not take its model: 400 bad zip"
    )


@pytest.mark.parametrize("case", STANDSTILLS)
def test_a_warm_engine_that_meets_an_obstacle_is_given_up(case: str) -> None:
    seen, _ = STANDSTILLS[case]
    if seen.item.state == "Ready":
        return
    warming = replace(seen, item=replace(seen.item, state="Warming"))
    action = plan_run(warming)
    if isinstance(action, Wait):
        assert action.reason not in frozenset(Obstacle)
        told = replace(warming, item=replace(warming.item, reason=action.reason))
        action = plan_run(told, stood=PATIENCE[action.reason])
    assert isinstance(action, Fail)


@pytest.mark.parametrize(
    "lost",
    [
        scene(None, state="Warming", job=None, job_seen=True),
        scene(None, state="Warming", job=replace(WARM_JOB, complete=True)),
        scene(pod(run_pod(HELPER, ended("engine", 1))), state="Warming", job=replace(WARM_JOB, failure="x")),
    ],
)
def test_a_warm_engine_that_is_lost_is_not_tried_again(lost: Scene) -> None:
    assert isinstance(plan_run(lost), Fail)


def test_a_refused_job_of_a_warm_engine_is_not_tried_again() -> None:
    seen = scene(None, state="Warming", job=None)
    assert plan_run(seen) == Create()
    refused = replace(seen, item=replace(seen.item, reason="QuotaExceeded", message="exceeded quota"))
    assert plan_run(refused) == Fail("QuotaExceeded", "exceeded quota")
