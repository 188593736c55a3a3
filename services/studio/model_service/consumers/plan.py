"""What a consumer may do next for its item: the answers of the pure plans of trainings and runs."""

from dataclasses import dataclass, field
from datetime import datetime

from studio.contract.model_service import Progress
from studio.contract.reasons import Reason
from studio.kube.obstacles import Obstacle
from studio.model_service.consumers.attempts import LONGEST_DELAY, Ending, Lost
from studio.model_service.consumers.pod_facts import JobFacts, PodFacts
from studio.model_service.items import Item

# A training gives its slot back when it could not start for so long; its place in the queue says why.
BLOCKED_SECONDS = 300.0


@dataclass(frozen=True)
class Scene:
    """All that a decision depends on, observed at `now` (UTC).

    `job` is the Job of the item's attempt, `job_seen` whether this consumer has seen it before, `creation_problem` why
    there is no pod of the Job, or no Job, `model` the version of the model that the training made, `blocked_seconds`
    for how long the same obstacle stands in the way, `silent_seconds` for how long the engine of a training has written
    nothing, `trained_seconds` for how long it has run, `progress` how far it is.
    """

    item: Item
    now: datetime
    job: JobFacts | None = None
    pod: PodFacts | None = None
    job_seen: bool = False
    creation_problem: tuple[Obstacle, str] | None = None
    model: int | None = None
    blocked_seconds: float = 0.0
    silent_seconds: float = 0.0
    trained_seconds: float = 0.0
    progress: Progress = field(default=Progress())
    history: tuple[Lost, ...] = field(default=())


@dataclass(frozen=True)
class Create:
    """Create the Job of this attempt."""


@dataclass(frozen=True)
class Wait:
    """Say what happens and wait for a change, at most `seconds`."""

    reason: str
    message: str = ""
    state: str | None = None
    seconds: float = 60.0
    progress: Progress | None = None


@dataclass(frozen=True)
class Lose:
    """The attempt is lost; whether another one follows depends on the history."""

    ending: Ending
    reason: str
    message: str


@dataclass(frozen=True)
class Fail:
    """The item has failed for good; with `engine_words` the engine's log says why, else `message` does."""

    reason: str
    message: str = ""
    engine_words: bool = False


@dataclass(frozen=True)
class Requeue:
    """Give the slot back and try again later."""

    reason: str
    message: str


@dataclass(frozen=True)
class Succeed:
    """The training has made its model."""


@dataclass(frozen=True)
class Stop:
    """The stop was requested: take the Job away and end the item."""


Action = Create | Wait | Lose | Fail | Requeue | Succeed | Stop


def conflict(scene: Scene, item_label: str) -> Fail | None:
    """A Job of the wanted name that is not the item's own must not be touched."""
    job, item = scene.job, scene.item
    if job is None or (job.owner == item.uid and job.labels.get(item_label) == item.id):
        return None
    return Fail(Reason.CONFLICT, f"a Job named {job.name} exists that is not ours: delete or rename it")


def paced(scene: Scene) -> Wait | None:
    """The pause before the next attempt. The clocks of the database and ours may differ: it is never long."""
    if scene.item.retry_at is None:
        return None
    seconds = min((scene.item.retry_at - scene.now).total_seconds(), LONGEST_DELAY)
    return Wait(scene.item.reason, scene.item.message, seconds=seconds) if seconds > 0 else None


def lost_to_cluster(job: JobFacts, pod: PodFacts | None) -> Lose | None:
    """The loss of an attempt that the cluster, or somebody with access to it, has ended."""
    if job.deleting:
        return Lose(Ending.DISRUPTED, Reason.JOB_DELETED, f"the Job {job.name} was deleted")
    if pod is None:
        return Lose(Ending.DISRUPTED, Reason.POD_LOST, f"the pod of the Job {job.name} is gone") if job.ended else None
    if not job.ended:
        return None
    if pod.disrupted:
        return Lose(Ending.DISRUPTED, Reason.DISRUPTED, f"the cluster ended the pod {pod.name}: {pod.disrupted}")
    if pod.deleting:
        return Lose(Ending.DISRUPTED, Reason.POD_DELETED, f"the pod {pod.name} was deleted")
    return None
