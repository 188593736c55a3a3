"""What the plan of a training does with what it sees."""

from datetime import timedelta
from typing import cast

import pytest
from tests.unit.services.consumers.scenery import START, UID, desired, item

from studio.contract import labels
from studio.contract.model_service import DesiredTraining
from studio.model_service.consumers.plan import Requeue, Scene, Wait
from studio.model_service.consumers.pod_facts import JobFacts, Obstacle, PodFacts
from studio.model_service.consumers.training_plan import plan_training

DESIRED = cast("DesiredTraining", desired("training"))


@pytest.mark.parametrize(
    ("obstacle", "blocked", "gives_way"),
    [
        (Obstacle.IMAGE_PULL_FAILED, 44, False),
        (Obstacle.IMAGE_PULL_FAILED, 45, True),
        (Obstacle.CONTAINER_CONFIG, 45, True),
        (Obstacle.UNSCHEDULABLE, 299, False),  # an autoscaler takes minutes to bring a node
        (Obstacle.UNSCHEDULABLE, 300, True),
        (Obstacle.QUOTA_EXCEEDED, 299, False),
    ],
)
def test_a_blocked_training_gives_its_slot_to_others(obstacle: Obstacle, blocked: float, gives_way: bool) -> None:
    waiting = item()
    job = JobFacts(name="j", uid="u", attempt=1, owner=UID, labels={labels.TRAINING: waiting.id})
    pod = PodFacts(name="p", uid="v", phase="Pending", obstacle=obstacle, obstacle_message="why")
    scene = Scene(waiting, START + timedelta(seconds=1), job=job, pod=pod, job_seen=True, blocked_seconds=blocked)
    action = plan_training(scene, DESIRED)
    assert isinstance(action, Requeue if gives_way else Wait)
    assert (action.reason, action.message) == (obstacle, "why")
