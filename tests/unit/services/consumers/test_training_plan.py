"""What the plan of a training does with what it sees."""

from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest
from tests.unit.services.consumers.scenery import START, UID, desired, item

from studio.contract import labels
from studio.contract.model_service import DesiredTraining, Progress
from studio.kube.obstacles import Obstacle
from studio.model_service.consumers.plan import Fail, Lose, Requeue, Scene, Wait
from studio.model_service.consumers.pod_facts import ContainerFacts, JobFacts, PodFacts
from studio.model_service.consumers.training_plan import plan_training

DESIRED = cast("DesiredTraining", desired("training"))
JOB = JobFacts(name="j", uid="u", attempt=1, owner=UID, labels={labels.TRAINING: item().id})
TRAINING = PodFacts("p", "v", "Pending", containers={"train": ContainerFacts("train", started_at=START)})


@pytest.mark.parametrize(
    ("obstacle", "blocked", "kind"),
    [
        (Obstacle.IMAGE_PULL_FAILED, 44, Wait),
        (Obstacle.IMAGE_PULL_FAILED, 45, Requeue),
        (Obstacle.INVALID_IMAGE_NAME, 0, Fail),
        (Obstacle.CONTAINER_CONFIG, 45, Requeue),
        (Obstacle.UNSCHEDULABLE, 299, Wait),  # an autoscaler takes minutes to bring a node
        (Obstacle.UNSCHEDULABLE, 300, Requeue),
        (Obstacle.QUOTA_EXCEEDED, 299, Wait),
    ],
)
def test_a_blocked_training_gives_its_slot_to_others(
    obstacle: Obstacle, blocked: float, kind: type[Wait | Requeue | Fail]
) -> None:
    pod = PodFacts(name="p", uid="v", phase="Pending", obstacle=obstacle, obstacle_message="why")
    scene = Scene(item(), START + timedelta(seconds=1), job=JOB, pod=pod, job_seen=True, blocked_seconds=blocked)
    action = plan_training(scene, DESIRED)
    assert isinstance(action, kind)
    assert (action.reason, action.message) == (obstacle, "why")


@pytest.mark.parametrize(("silent", "limit", "stalled"), [(899, 900, False), (900, 900, True), (9999, 0, False)])
def test_an_engine_that_writes_nothing_has_stalled(silent: float, limit: int, stalled: bool) -> None:
    scene = Scene(item(), START + timedelta(seconds=1), job=JOB, pod=TRAINING, job_seen=True, silent_seconds=silent)
    action = plan_training(scene, DESIRED.model_copy(update={"stall_seconds": limit}))
    assert (action.reason if isinstance(action, Lose | Wait) else None) == ("Stalled" if stalled else "Training")


def test_the_silence_before_the_engine_began_is_no_stall() -> None:
    pod = PodFacts("p", "v", "Pending", containers={"fetch": ContainerFacts("fetch", started_at=START)})
    scene = Scene(item(), START, job=JOB, pod=pod, job_seen=True, silent_seconds=9999)
    assert plan_training(scene, DESIRED) == Wait("Fetching", "fetching the content")


def test_how_far_the_engine_is() -> None:
    far = Progress(step="DIETClassifier", percent=40)
    scene = Scene(item(), START, job=JOB, pod=TRAINING, job_seen=True, progress=far)
    assert plan_training(scene, DESIRED) == Wait("Training", "the engine trains: DIETClassifier, 40 %", progress=far)


@pytest.mark.parametrize("pod", [None, replace(TRAINING, deleting=True)], ids=["not admitted yet", "taken back"])
def test_a_suspended_job_is_waited_for_without_a_clock(pod: PodFacts | None) -> None:
    job = replace(JOB, suspended=True)
    scene = Scene(item(), START + timedelta(days=2), job=job, pod=pod, job_seen=True, silent_seconds=9999)
    action = plan_training(scene, DESIRED.model_copy(update={"queue_name": "batch"}))
    assert action == Wait("Suspended", "the Job j waits for the queue batch of Kueue to let it start")


@pytest.mark.parametrize(("trained", "late"), [(3599.0, False), (3600.0, True)])
def test_the_deadline_is_about_the_time_that_the_engine_has_trained(trained: float, late: bool) -> None:
    """Whatever the clock says, which may have jumped meanwhile."""
    for now in (START - timedelta(days=1), START, START + timedelta(days=1)):
        action = plan_training(
            Scene(item(), now, job=JOB, pod=TRAINING, job_seen=True, trained_seconds=trained), DESIRED
        )
        assert (action.reason if isinstance(action, Fail | Wait) else None) == (
            "DeadlineExceeded" if late else "Training"
        )
