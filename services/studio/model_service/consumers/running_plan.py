"""What to do next for a run. Pure."""

from studio.contract import labels
from studio.contract.model_service import RunState
from studio.contract.reasons import Reason
from studio.model_service.consumers.attempts import Ending
from studio.model_service.consumers.plan import (
    Action,
    Create,
    Fail,
    Lose,
    Scene,
    Stop,
    Wait,
    conflict,
    lost_to_cluster,
    paced,
)
from studio.model_service.consumers.pod_facts import JobFacts, PodFacts
from studio.model_service.consumers.training_plan import REFUSED
from studio.model_service.jobs.run import ENGINE, HELPER

_HELPER_RESTARTS = 3
_MORE_MEMORY = "the engine needs more memory than its limit allows: raise spec.running.resources.limits.memory"


def plan_run(scene: Scene) -> Action:
    """The next action for the scene. A run has no good end but the one that was asked for."""
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
        or _helper_failed(scene.pod)
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


def _helper_failed(pod: PodFacts | None) -> Action | None:
    """A native sidecar is restarted for ever by the kubelet: the Job would never end."""
    if pod is None:
        return None
    helper = pod.container(HELPER)
    message = (helper.message if helper.exit_code is not None else helper.last_message).strip()
    if REFUSED in (helper.exit_code, helper.last_exit_code):
        return Fail(Reason.MODEL_REFUSED, message)
    if helper.restarts >= _HELPER_RESTARTS and not helper.running:
        return Lose(Ending.PROBLEM, Reason.HELPER_FAILED, message or "the helper of the engine does not start")
    return None


def _obstacle(scene: Scene) -> Wait | None:
    if scene.pod is None:
        return Wait(*scene.creation_problem, seconds=30) if scene.creation_problem else None
    if scene.pod.obstacle is None:
        return None
    return Wait(scene.pod.obstacle, scene.pod.obstacle_message)


def _progress(scene: Scene) -> Wait:  # noqa: PLR0911 - a table of stages
    pod = scene.pod
    if pod is None:
        return Wait(Reason.STARTING, "the Job is created, its pod is not there yet", seconds=5)
    if pod.deleting:
        return Wait(Reason.TERMINATING, f"the pod {pod.name} is being deleted")
    if pod.ready:
        return Wait(Reason.READY, "the engine answers with the intended model", state=RunState.READY)
    if scene.item.state == RunState.READY:
        return Wait(Reason.NOT_ANSWERING, "the engine does not answer for the moment")
    if pod.container(ENGINE).running:
        return Wait(Reason.LOADING, "the engine loads the model")
    if pod.container(HELPER).running:
        return Wait(Reason.FETCHING, "the model is downloaded and verified")
    return Wait(Reason.PULLING, "images are pulled and containers started")
