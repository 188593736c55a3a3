"""From Kubernetes objects to facts."""

from typing import Any

import pytest
from tests.unit.services.consumers.scenery import ended, running, training_pod, waiting

from studio.kube.obstacles import Obstacle
from studio.model_service.consumers.pod_facts import creation_problem, job_facts, newest_pod, pod_facts

UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}


def _pod(status: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p", "uid": "u", **metadata}, "status": status}


CANNOT_BE_PULLED = (
    "the image bot:1 of container train cannot be pulled: correct its name, or name a pull secret of its registry in "
    "the Studio"
)


@pytest.mark.parametrize(
    ("status", "obstacle", "message"),
    [
        (training_pod(conditions=[UNSCHEDULABLE]), Obstacle.UNSCHEDULABLE, "0/3 nodes"),
        (
            training_pod(waiting("train", "ErrImagePull", "no such")),
            Obstacle.IMAGE_PULL_FAILED,
            f"{CANNOT_BE_PULLED} (no such)",
        ),
        (
            training_pod(waiting("train", "ImagePullBackOff")),
            Obstacle.IMAGE_PULL_FAILED,
            f"{CANNOT_BE_PULLED} (ImagePullBackOff)",
        ),
        (
            training_pod(waiting("train", "InvalidImageName", "invalid reference format")),
            Obstacle.INVALID_IMAGE_NAME,
            "bot:1 of container train cannot be the name of an image: correct it (invalid reference format)",
        ),
        (
            training_pod(waiting("train", "CreateContainerConfigError", "couldn't find key x in Secret")),
            Obstacle.CONTAINER_CONFIG,
            "container train: couldn't find key x in Secret",
        ),
        (training_pod(waiting("fetch", "PodInitializing")), None, ""),
        ({}, None, ""),
    ],
)
def test_obstacles(status: dict[str, Any], obstacle: Obstacle | None, message: str) -> None:
    facts = pod_facts(_pod(status))
    assert (facts.obstacle, facts.obstacle_message) == (obstacle, message)


@pytest.mark.parametrize(
    ("status", "disrupted"),
    [
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
        ({"phase": "Failed", "reason": "UnexpectedAdmissionError"}, "UnexpectedAdmissionError"),
        ({"phase": "Failed", "reason": "DeadlineExceeded"}, ""),
        ({"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]},
         "PreemptionByScheduler"),
        ({"conditions": [{"type": "DisruptionTarget", "status": "False"}]}, ""),
    ],
)  # fmt: skip
def test_disruptions(status: dict[str, Any], disrupted: str) -> None:
    assert pod_facts(_pod(status)).disrupted == disrupted


@pytest.mark.parametrize(
    ("reason", "before"),
    [("ErrImagePull", ""), ("ImagePullBackOff", 'Back-off pulling image "bot:1": ErrImagePull: ')],
)
def test_an_image_that_cannot_be_pulled_is_one_message_in_all_phases_of_the_retries(reason: str, before: str) -> None:
    """Texts of containerd 2: each change of the message would be another write of the status."""
    text = (
        f'{before}failed to pull and unpack image "docker.io/library/bot:1": '
        'failed to resolve reference "docker.io/library/bot:1": not found'
    )
    facts = pod_facts(_pod(training_pod(waiting("train", reason, text))))
    assert facts.obstacle_message.endswith("in the Studio (not found)")


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        (ended("train", 137, "OOMKilled"), True),
        (ended("train", 1, "OOMKilled"), True),
        (ended("train", 137, "Error"), True),
        (ended("train", 137, "ContainerStatusUnknown"), False),
        (ended("train", 1), False),
        (running("train"), False),
    ],
)
def test_out_of_memory(container: dict[str, Any], expected: bool) -> None:
    assert pod_facts(_pod(training_pod(container))).container("train").out_of_memory is expected


@pytest.mark.parametrize(
    ("conditions", "ended_", "failure"),
    [
        ([], False, ""),
        ([{"type": "Complete", "status": "True"}], True, ""),
        ([{"type": "SuccessCriteriaMet", "status": "True"}], True, ""),
        ([{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}], True, "BackoffLimitExceeded"),
        ([{"type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded"}], True, "BackoffLimitExceeded"),
        ([{"type": "Failed", "status": "False", "reason": "x"}], False, ""),
    ],
)
def test_jobs(conditions: list[dict[str, str]], ended_: bool, failure: str) -> None:
    facts = job_facts({"metadata": {"name": "j"}, "status": {"conditions": conditions}})
    assert (facts.ended, facts.failure, facts.attempt, facts.owner) == (ended_, failure, 0, "")


def test_newest_pod_of_a_job() -> None:
    def pod(name: str, job: str, time: str) -> dict[str, Any]:
        return _pod({}, name=name, ownerReferences=[{"name": job}], creationTimestamp=time)

    pods = [pod("b", "j-1", "2026-01-02T00:00:00Z"), pod("a", "j-1", "2026-01-01T00:00:00Z"), pod("c", "j-2", "")]
    newest = newest_pod(pods, "j-1")
    assert newest is not None
    assert newest.name == "b"
    assert newest_pod(pods, "j-3") is None


def test_why_there_is_no_pod() -> None:
    def event(reason: str, message: str, time: str) -> dict[str, Any]:
        return {"metadata": {}, "reason": reason, "message": message, "lastTimestamp": time}

    old = event("FailedCreate", "exceeded quota: q", "1")
    new = event("FailedCreate", 'violates PodSecurity "restricted:latest"', "2")
    assert creation_problem([]) is None
    assert creation_problem([event("SuccessfulCreate", "", "3")]) is None
    assert creation_problem([old]) == (Obstacle.QUOTA_EXCEEDED, "exceeded quota: q")
    assert creation_problem([new, old]) == (Obstacle.POD_REFUSED, 'violates PodSecurity "restricted:latest"')
