"""What to do next for a run. Pure.

Nothing is waited for without an end but a ready engine: a run that does not get on gives its slot back, or is replaced.
Nor is an engine that is warmed tried twice: whatever is in its way, the run that follows its model starts a cold one.
"""

import math
from dataclasses import replace

from studio.contract import labels
from studio.contract.model_service import RunState
from studio.contract.reasons import Reason
from studio.kube.obstacles import Obstacle
from studio.model_service.consumers.attempts import Ending
from studio.model_service.consumers.plan import (
    Action,
    Create,
    Fail,
    Lose,
    Requeue,
    Scene,
    Stop,
    Wait,
    conflict,
    lost_to_cluster,
    paced,
)
from studio.model_service.consumers.pod_facts import ContainerFacts, JobFacts, PodFacts
from studio.model_service.consumers.training_plan import REFUSED
from studio.model_service.jobs.run import ENGINE, HELPER, WARM

_HELPER_RESTARTS = 3
_MORE_MEMORY = "the engine needs more memory than its limit allows: raise spec.running.resources.limits.memory"


# For how many seconds one and the same thing may keep a run from being ready. A node may have to be made first; an
# image of some GiB takes minutes to pull; an engine that does not listen in 15 min is ended by its startup probe, one
# that does not answer at all in 2 min by its liveness probe.
PATIENCE: dict[str, float] = {
    Reason.CONTAINER_CONFIG_ERROR: 60.0,
    Reason.UNSCHEDULABLE: 300.0,
    Reason.QUOTA_EXCEEDED: 300.0,
    Reason.POD_REFUSED: 300.0,
    Reason.IMAGE_PULL_FAILED: 600.0,
    Reason.STARTING: 300.0,
    Reason.PULLING: 1800.0,
    Reason.FETCHING: 1800.0,
    Reason.LOADING: 1200.0,
    Reason.NOT_ANSWERING: 180.0,
    Reason.TERMINATING: 60.0,
}


def plan_run(scene: Scene, *, stood: float = 0.0) -> Action:
    """The next action for the scene; `stood` is for how many seconds the item has had its present reason.

    A run has no good end but the one that was asked for.
    """
    action, told = _next(scene), scene.item.reason
    reason = _waits_for(action, told)
    if reason != told:
        stood = 0.0
    if scene.item.state == RunState.WARMING:
        return _or_given_up(scene, action, stood)
    if reason not in PATIENCE:
        return action
    left = PATIENCE[reason] - stood
    if left <= 0:
        return _given_up(reason, scene.item.message, PATIENCE[reason])
    return replace(action, seconds=min(action.seconds, left)) if isinstance(action, Wait) else action


def _or_given_up(scene: Scene, action: Action, stood: float) -> Action:
    """The action for an engine without a model: that is what it waits for, and for nothing else for long."""
    match action:
        case Create() if scene.item.reason in frozenset(Obstacle):
            return Fail(scene.item.reason, scene.item.message)
        case Lose(reason=reason, message=message) | Requeue(reason=reason, message=message):
            return Fail(reason, message)
        case Wait(reason=reason, message=message):
            left = PATIENCE.get(reason, math.inf) - stood
            if reason in frozenset(Obstacle) or left <= 0:
                return Fail(reason, message)
            return replace(action, seconds=min(action.seconds, left))
    return action


def _waits_for(action: Action, told: str) -> str:
    """The reason why it is not ready yet; a Job that is not admitted is asked for again and again."""
    if isinstance(action, Wait):
        return action.reason
    return told if isinstance(action, Create) and told in frozenset(Obstacle) else ""


def _given_up(reason: str, message: str, seconds: float) -> Action:
    """What follows when a run has stood still for too long."""
    minutes = f"{seconds / 60:.0f} min"
    match reason:
        case Reason.LOADING:
            return Lose(Ending.CRASHED, Reason.START_TIMEOUT, f"the engine was not ready within {minutes}")
        case Reason.NOT_ANSWERING:
            return Lose(Ending.CRASHED, Reason.NOT_ANSWERING, f"the engine has not answered for {minutes}")
        case Reason.TERMINATING:
            return Lose(Ending.DISRUPTED, Reason.POD_DELETED, f"{message}, and is still there after {minutes}")
    return Requeue(reason, message)


def _next(scene: Scene) -> Action:
    if scene.item.stop_requested:
        return Stop()
    if scene.job is None:
        if scene.job_seen:
            return Lose(Ending.DISRUPTED, Reason.JOB_DELETED, "the Job of the run was deleted")
        return paced(scene) or Create()
    return (
        conflict(scene, labels.RUN)
        or lost_to_cluster(scene.job, scene.pod)
        or _ending(scene.job, scene.pod)
        or _helper_failed(scene)
        or _model_not_taken(scene)
        or _obstacle(scene)
        or _progress(scene)
    )


def _ending(job: JobFacts, pod: PodFacts | None) -> Lose | None:
    """An engine that ended by itself: with exit code 0 as well, for Rasa ends so when it is told to."""
    if pod is None or not job.ended:
        return None
    engine = pod.container(ENGINE)
    if engine.out_of_memory:
        return Lose(Ending.CRASHED, Reason.OUT_OF_MEMORY, _MORE_MEMORY)
    if engine.exit_code is None:
        return Lose(Ending.DISRUPTED, Reason.POD_LOST, f"the pod {pod.name} ended, and nothing says why")
    return Lose(Ending.CRASHED, Reason.ENGINE_ENDED, f"the engine ended with exit code {engine.exit_code}")


def _helper_failed(scene: Scene) -> Action | None:
    """A native sidecar is restarted for ever by the kubelet: the Job would never end.

    What keeps a helper from its work, a store or an orchestrator that is away, is no fault of the run: it is tried
    again for ever. Its restarts are counted for as long as the pod lives, so they say nothing about an engine that has
    got ready: that one has the patience for engines that do not answer.
    """
    if scene.pod is None:
        return None
    helper = scene.pod.container(HELPER)
    message = _last_words(helper)
    if REFUSED in (helper.exit_code, helper.last_exit_code):
        return Fail(Reason.MODEL_REFUSED, message)
    starts = scene.item.state != RunState.READY
    if starts and helper.restarts >= _HELPER_RESTARTS and not helper.running:
        return Requeue(Reason.HELPER_FAILED, message or "the helper of the engine does not start")
    return None


def _model_not_taken(scene: Scene) -> Lose | None:
    """A warm engine that refused its model: another one starts with it."""
    if refused := scene.item.reported.get("refused"):
        return Lose(Ending.CRASHED, Reason.MODEL_NOT_TAKEN, f"the warm engine did not take its model: {refused}")
    return None


def _hands_over(scene: Scene) -> bool:
    """Whether a warm engine, which counts as ready all the time, has yet to take its model."""
    warmed = scene.job is not None and WARM in scene.job.annotations
    return warmed and scene.item.reported.get("loaded") != scene.item.spec.get("model_sha256")


def _last_words(helper: ContainerFacts) -> str:
    return (helper.message if helper.exit_code is not None else helper.last_message).strip()


def _obstacle(scene: Scene) -> Action | None:
    if scene.pod is None:
        return Wait(*scene.creation_problem, seconds=30) if scene.creation_problem else None
    if scene.pod.obstacle is None:
        return None
    if scene.pod.obstacle is Obstacle.INVALID_IMAGE_NAME:
        return Fail(scene.pod.obstacle, scene.pod.obstacle_message)
    return Wait(scene.pod.obstacle, scene.pod.obstacle_message)


def _progress(scene: Scene) -> Wait:  # noqa: PLR0911 - a table of stages
    pod = scene.pod
    if pod is None:
        return Wait(Reason.STARTING, "the Job is created, its pod is not there yet", seconds=5)
    if pod.deleting:
        return Wait(Reason.TERMINATING, f"the pod {pod.name} is being deleted")
    if pod.ready and scene.item.state == RunState.WARMING:
        return Wait(Reason.WARM, "the engine is started, and waits for its model")
    if pod.ready and _hands_over(scene):
        return Wait(Reason.LOADING, "the model goes into the warm engine")
    if pod.ready:
        return Wait(Reason.READY, "the engine answers with the intended model", state=RunState.READY)
    if scene.item.state == RunState.READY:
        return Wait(Reason.NOT_ANSWERING, "the engine does not answer for the moment")
    if pod.container(ENGINE).running:
        return Wait(Reason.LOADING, "the engine loads the model")
    helper = pod.container(HELPER)
    if helper.running or helper.restarts:
        before = f"; it is tried again: {_last_words(helper)}" if _last_words(helper) else ""
        return Wait(Reason.FETCHING, f"the model is downloaded and verified{before}")
    return Wait(Reason.PULLING, "images are pulled and containers started")
