"""What to do next for a training. Pure."""

from studio.contract import labels
from studio.contract.model_service import DesiredTraining
from studio.contract.reasons import Reason
from studio.kube.obstacles import Obstacle
from studio.model_service.consumers.attempts import Ending
from studio.model_service.consumers.plan import (
    BLOCKED_SECONDS,
    Action,
    Create,
    Fail,
    Lose,
    Requeue,
    Scene,
    Stop,
    Succeed,
    Wait,
    conflict,
    lost_to_cluster,
    paced,
)
from studio.model_service.consumers.pod_facts import SIGTERMED, ContainerFacts, JobFacts, PodFacts
from studio.model_service.jobs.training import FETCH, TRAIN, UPLOAD

# sh: a command that cannot be executed, and one that is not there.
_NOT_RUNNABLE = (126, 127)
# A helper that ends with this code has found data that no further attempt will change.
REFUSED = 3
# What no autoscaler will mend does not keep others waiting for long.
_PATIENCE = {Obstacle.IMAGE_PULL_FAILED: 45.0, Obstacle.CONTAINER_CONFIG: 45.0}
_MORE_MEMORY = "the training needs more memory than its limit allows: raise spec.training.resources.limits.memory"
_DOING = {
    FETCH: (Reason.FETCHING, "fetching the content"),
    TRAIN: (Reason.TRAINING, "the engine trains"),
    UPLOAD: (Reason.UPLOADING, "storing the model"),
}


def plan_training(scene: Scene, desired: DesiredTraining) -> Action:
    """The next action for the scene. A model that was made counts, whatever else happened to its Job."""
    if scene.model is not None:
        return Succeed()
    if scene.item.stop_requested:
        return Stop()
    if scene.job is None:
        if scene.job_seen:
            return Lose(Ending.DISRUPTED, Reason.JOB_DELETED, "the Job of the training was deleted")
        return paced(scene) or _gives_way(scene) or Create()
    return (
        conflict(scene, labels.TRAINING)
        or lost_to_cluster(scene.job, scene.pod)
        or _ending(scene.job, scene.pod)
        or _suspended(scene.job, desired)
        or _deadline(scene, desired)
        or _stalled(scene, desired)
        or _obstacle(scene)
        or _progress(scene)
    )


def _ending(job: JobFacts, pod: PodFacts | None) -> Action | None:  # noqa: PLR0911 - a table of endings
    """What an attempt that ended by itself, yet without a model, means."""
    if pod is None or not job.ended:
        return None
    fetch, train, upload = (pod.container(name) for name in (FETCH, TRAIN, UPLOAD))
    if train.failed:
        return _engine_failed(train)
    for helper, reason in ((fetch, Reason.FETCH_FAILED), (upload, Reason.UPLOAD_FAILED)):
        if helper.exit_code == REFUSED:
            return Fail(reason, helper.message.strip())
        if helper.failed:
            message = helper.message.strip() or f"the step {helper.name} ended with exit code {helper.exit_code}"
            return Lose(Ending.PROBLEM, reason, message)
    if job.failure == "DeadlineExceeded":
        return Fail(Reason.DEADLINE_EXCEEDED, "the training was never finished and its Job was ended by the cluster")
    if upload.exit_code == 0:
        return Lose(Ending.PROBLEM, Reason.RESULT_MISSING, "the Job ended well, but its model was not registered")
    return Lose(Ending.DISRUPTED, Reason.POD_LOST, f"the pod {pod.name} ended, and nothing says why")


def _engine_failed(train: ContainerFacts) -> Action:
    if train.out_of_memory:
        return Lose(Ending.OUT_OF_MEMORY, Reason.OUT_OF_MEMORY, _MORE_MEMORY)
    if train.exit_code == SIGTERMED:
        return Lose(Ending.DISRUPTED, Reason.POD_DELETED, "the engine was told to end before it had finished")
    if train.exit_code in _NOT_RUNNABLE or train.reason in ("StartError", "ContainerCannotRun"):
        return Fail(Reason.ENGINE_NOT_RUNNABLE, f"the engine image cannot run `rasa train`: {train.message.strip()}")
    return Fail(Reason.INVALID_CONTENT, f"the engine ended with exit code {train.exit_code}", engine_words=True)


def _suspended(job: JobFacts, desired: DesiredTraining) -> Wait | None:
    """A Job that is not admitted has no pod, or loses it: no clock of the training runs."""
    if not job.suspended:
        return None
    queue = f"the queue {desired.queue_name} of Kueue" if desired.queue_name else "whoever suspended it"
    return Wait(Reason.SUSPENDED, f"the Job {job.name} waits for {queue} to let it start")


def _stalled(scene: Scene, desired: DesiredTraining) -> Lose | None:
    if not desired.stall_seconds or scene.silent_seconds < desired.stall_seconds or not engine_trains(scene):
        return None
    return Lose(
        Ending.STALLED,
        Reason.STALLED,
        f"the engine has written nothing for {desired.stall_seconds} s: "
        "raise spec.training.stallSeconds if this is usual for the content",
    )


def _deadline(scene: Scene, desired: DesiredTraining) -> Action | None:
    rest = deadline_in(scene, desired)
    if rest is None or rest > 0:
        return None
    return Fail(
        Reason.DEADLINE_EXCEEDED,
        f"the engine trained for more than {desired.deadline_seconds} s: "
        "raise spec.training.deadlineSeconds or make the content smaller",
    )


def _obstacle(scene: Scene) -> Action | None:
    pod = scene.pod
    found = scene.creation_problem if pod is None else (pod.obstacle, pod.obstacle_message) if pod.obstacle else None
    if found is None or found[0] is None:
        return None
    obstacle, message = found
    if obstacle is Obstacle.INVALID_IMAGE_NAME:
        return Fail(obstacle, message)
    patience = _PATIENCE.get(obstacle, BLOCKED_SECONDS)
    if scene.blocked_seconds >= patience:
        return Requeue(obstacle, message)
    return Wait(obstacle, message, seconds=max(1.0, patience - scene.blocked_seconds))


def _gives_way(scene: Scene) -> Requeue | None:
    """A Job that is refused is asked for again and again, and lets others go first after a while."""
    if scene.creation_problem is None or scene.blocked_seconds < BLOCKED_SECONDS:
        return None
    return Requeue(*scene.creation_problem)


def _progress(scene: Scene) -> Wait:
    pod = scene.pod
    if pod is None:
        return Wait(Reason.STARTING, "the Job is created, its pod is not there yet", seconds=5)
    if pod.deleting:
        return Wait(Reason.TERMINATING, f"the pod {pod.name} is being deleted")
    for name in (UPLOAD, TRAIN, FETCH):
        container = pod.container(name)
        if container.running:
            reason, message = _DOING[name]
            if name == TRAIN and scene.progress.words:
                return Wait(reason, f"{message}: {scene.progress.words}", progress=scene.progress)
            return Wait(reason, message)
        if container.exit_code == 0:
            break
    return Wait(Reason.PULLING, "images are pulled and containers started")


def engine_trains(scene: Scene) -> bool:
    """Whether the engine of the attempt is at work; what a pod that is going was last seen to do does not count."""
    return scene.pod is not None and not scene.pod.deleting and scene.pod.container(TRAIN).running


def deadline_in(scene: Scene, desired: DesiredTraining) -> float | None:
    """Seconds until the deadline of a training whose engine runs; None while it does not."""
    return desired.deadline_seconds - scene.trained_seconds if engine_trains(scene) else None
