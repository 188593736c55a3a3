"""When workloads and Jobs count as healthy."""

import pytest

from studio.kube import Manifest
from studio_operator.status.health import job, workload


def deployment(replicas: int = 2, generation: int = 3, **status: object) -> Manifest:
    counts = {"observedGeneration": 3, "replicas": replicas, "readyReplicas": replicas, "updatedReplicas": replicas}
    return {"metadata": {"generation": generation}, "spec": {"replicas": replicas}, "status": counts | status}


@pytest.mark.parametrize(
    ("live", "ready", "available", "reason"),
    [
        (None, False, False, "Missing"),
        (deployment(), True, True, "Ready"),
        (deployment(replicas=0), True, True, "Ready"),
        (deployment(generation=4), False, True, "RollingOut"),
        (deployment(readyReplicas=1), False, True, "RollingOut"),
        (deployment(readyReplicas=0), False, False, "RollingOut"),
        (deployment(updatedReplicas=1), False, True, "RollingOut"),
        (deployment(replicas=3, readyReplicas=3) | {"spec": {"replicas": 2}}, False, True, "RollingOut"),
        ({"metadata": {"generation": 1}, "spec": {}}, False, False, "RollingOut"),
    ],
)
def test_workloads(live: Manifest | None, ready: bool, available: bool, reason: str) -> None:
    health = workload(live, name="web")
    assert (health.ready, health.available, health.reason) == (ready, available, reason)
    assert bool(health.message) is not ready


def test_pods_that_cannot_be_made_are_told_in_the_words_of_the_api_server() -> None:
    conditions = [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: few"}]
    health = workload(deployment(readyReplicas=1, conditions=conditions), name="web")
    assert (health.reason, health.message, health.available) == ("ReplicaFailure", "exceeded quota: few", True)


def test_a_roll_out_that_does_not_get_on_is_told() -> None:
    message = 'ReplicaSet "web-1" has timed out progressing.'
    conditions = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": message}]
    health = workload(deployment(readyReplicas=0, conditions=conditions), name="web")
    assert health.reason == "ProgressDeadlineExceeded"
    assert message in health.message


@pytest.mark.parametrize(
    ("status", "succeeded", "failed", "said"),
    [
        ({}, False, False, "is running"),
        ({"failed": 2}, False, False, "2 failed tries"),
        ({"conditions": [{"type": "Complete", "status": "True"}]}, True, False, ""),
        ({"conditions": [{"type": "Complete", "status": "False"}]}, False, False, "is running"),
        (
            {"conditions": [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}]},
            False,
            True,
            "DeadlineExceeded",
        ),
        ({"conditions": [{"type": "SuccessCriteriaMet", "status": "True"}]}, False, False, "is running"),
    ],
)
def test_jobs(status: Manifest, succeeded: bool, failed: bool, said: str) -> None:
    health = job({"status": status}, name="migrate")
    assert (health.succeeded, health.failed) == (succeeded, failed)
    assert said in health.message


def test_a_job_that_does_not_exist_has_not_failed() -> None:
    assert not job(None, name="migrate").failed
