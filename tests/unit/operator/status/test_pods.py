"""What pods tell of a workload that does not get ready."""

import json
from typing import Any

import pytest

from studio.kube import Manifest
from studio_operator.status.health import Health, JobHealth
from studio_operator.status.pods import explained, explained_job

ROLLING = Health(
    ready=False, available=False, desired=1, count=0, reason="RollingOut", message="web: 0 of 1 ready, 1 of 1 updated"
)
UNSCHEDULABLE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/3 nodes: small",
}


def pod(*, made: str = "2026-11-22T04:00:00Z", deleted: bool = False, **status: Any) -> Manifest:
    gone = {"deletionTimestamp": made} if deleted else {}
    return {"metadata": {"name": "web-1", "creationTimestamp": made, **gone}, "status": status}


def waiting(reason: str, message: str = "", /, **ended: Any) -> Manifest:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"name": "web", "image": "example.com/web:9", "state": state, "lastState": {"terminated": ended}}


def crashed(message: str) -> Manifest:
    return pod(containerStatuses=[waiting("CrashLoopBackOff", "back-off 40s", exitCode=1, message=message)])


@pytest.mark.parametrize(
    ("seen", "reason", "said"),
    [
        (pod(conditions=[UNSCHEDULABLE]), "Unschedulable", "0/3 nodes: small"),
        (
            pod(containerStatuses=[waiting("ImagePullBackOff", "not found")]),
            "ImagePullFailed",
            "the image example.com/web:9 of container web cannot be pulled",
        ),
        (
            pod(initContainerStatuses=[waiting("CreateContainerConfigError", 'secret "s" not found')]),
            "ContainerConfigError",
            'container web: secret "s" not found',
        ),
        (crashed("started\nno such database\n\n"), "CrashLoop", "again and again with exit code 1: no such database"),
        (
            crashed(json.dumps({"event": "ended", "error": "no route", "timestamp": "2026-11-22T04:00:00Z"})),
            "CrashLoop",
            "exit code 1: ended: no route",
        ),
        (
            pod(containerStatuses=[waiting("CrashLoopBackOff", reason="OOMKilled", exitCode=137)]),
            "CrashLoop",
            "container web ends again and again with OOMKilled",
        ),
    ],
)
def test_a_workload_says_what_its_pods_meet(seen: Manifest, reason: str, said: str) -> None:
    health = explained(ROLLING, [seen])
    assert (health.reason, health.ready, health.count) == (reason, False, 0)
    assert health.message.startswith("web: 0 of 1 ready, 1 of 1 updated: ")
    assert health.message.endswith(said) or said in health.message


def test_the_newest_pod_that_stays_is_heard() -> None:
    old = pod(made="2026-11-22T03:00:00Z", conditions=[UNSCHEDULABLE])
    gone = pod(made="2026-11-22T05:00:00Z", deleted=True, conditions=[UNSCHEDULABLE])
    assert explained(ROLLING, [old, gone, crashed("no")]).reason == "CrashLoop"


@pytest.mark.parametrize("seen", [[], [pod()], [pod(containerStatuses=[waiting("ContainerCreating")])]])
def test_pods_on_their_way_change_nothing(seen: list[Manifest]) -> None:
    assert explained(ROLLING, seen) == ROLLING


def test_a_job_under_way_says_it_and_one_that_has_ended_does_not() -> None:
    running = JobHealth(succeeded=False, failed=False, message="Job migration is running")
    told = explained_job(running, [pod(conditions=[UNSCHEDULABLE])])
    assert told.message == "Job migration is running: 0/3 nodes: small"
    failed = JobHealth(succeeded=False, failed=True, message="Job migration failed")
    assert explained_job(failed, [pod(conditions=[UNSCHEDULABLE])]) == failed


def test_long_last_words_are_cut() -> None:
    assert len(explained(ROLLING, [crashed("x" * 4000)]).message) < 400
