"""Attending a training: acts out the decisions of `training_plan`."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from studio.contract import labels
from studio.contract.model_service import DesiredTraining, TrainingState
from studio.contract.reasons import Reason
from studio.model_service.consumers import attempts
from studio.model_service.consumers.attempts import Again, GiveUp, History
from studio.model_service.consumers.attendant import Attendant
from studio.model_service.consumers.log_tail import LOOK_SECONDS, LogTail
from studio.model_service.consumers.plan import Create, Fail, Lose, Requeue, Scene, Stop, Succeed, Wait
from studio.model_service.consumers.pod_facts import PodFacts
from studio.model_service.consumers.stopwatch import Stopwatch
from studio.model_service.consumers.training_plan import deadline_in, engine_trains, plan_training
from studio.model_service.items import stopped_state
from studio.model_service.jobs.parts import Attempt, Manifest
from studio.model_service.jobs.training import TRAIN, training_job
from studio.model_service.leasing import Queue

# A training that could not start is tried again after this time, or when its assistant asks for another one.
REQUEUE_SECONDS = 60.0


class TrainingAttendant(Attendant):
    """One training: its Job is made, watched, archived, and followed by another attempt if it was lost."""

    item_label = labels.TRAINING
    path = "trainings"
    engine_container = TRAIN

    def __init__(self, *, queue: Queue, **rest: Any) -> None:
        super().__init__(**rest)
        self._queue = queue
        self._desired = DesiredTraining.model_validate(self.tenure.item.spec)
        self._tail = LogTail(self.kube, self.namespace, TRAIN)
        self._stopwatch = Stopwatch()
        self.failure_ttl = self._desired.failed_job_seconds

    async def observe(self) -> Scene:
        """The scene with the training's model, read last: a Job that ended well has registered it before its end."""
        scene = await super().observe()
        if engine_trains(scene) and scene.pod:
            await self._tail.look(scene.pod.name)
            scene = replace(
                scene,
                silent_seconds=self._tail.silent_seconds,
                trained_seconds=self._trained(scene.pod, scene.now),
                progress=self._tail.progress,
            )
        return replace(scene, model=await self._queue.model_of(scene.item))

    async def step(self, scene: Scene) -> float | None:
        """One action of the plan."""
        match self.stands(plan_training(scene, self._desired)):
            case Wait() as action:
                await self.wait(action)
                deadline = deadline_in(scene, self._desired)
                return action.seconds if deadline is None else min(LOOK_SECONDS, max(deadline, 0.1))
            case Create():
                return await self.create(scene)
            case Lose() as loss:
                return 0.0 if await self.lose(scene, loss) else None
            case Fail() as failure:
                await self.fail(scene, failure)
            case Requeue() as action:
                await self._requeue(scene, action)
            case Succeed():
                await self.retire(scene.job, ttl=self._desired.succeeded_job_seconds)
                await self.tenure.finish(TrainingState.SUCCEEDED, Reason.TRAINED, "")
            case Stop():
                await self._stop(scene)
        return None

    def build(self, attempt: Attempt, history: History) -> Manifest:
        """The Job of an attempt, with more memory after it ran out."""
        return training_job(self._desired, attempt, self.site, memory_factor=attempts.memory_factor(history))

    def next_attempt(self, history: History) -> Again | GiveUp:
        """As the training's own settings allow."""
        return attempts.next_training_attempt(history, attempts=self._desired.attempts)

    def _trained(self, pod: PodFacts, now: datetime) -> float:
        """For how long the engine of a pod has trained; `now` is the database's time.

        Both that clock and this machine's may be wrong, and a jump of the database's ends leases: it is then that
        trainings are adopted. What is ended too early is lost for good, so the clock that tells less counts: after an
        adoption a deadline may come late, by as much as that one is behind.
        """
        started = pod.container(TRAIN).started_at
        return self._stopwatch.seconds(pod.name, started, now=min(now, datetime.now(UTC))) if started else 0.0

    async def _requeue(self, scene: Scene, action: Requeue) -> None:
        if scene.job:
            await self.delete(scene.job)
        await self.tenure.update(
            state=TrainingState.QUEUED,
            attempt=scene.item.attempt + 1,
            reason=action.reason,
            message=action.message,
            retry_in=REQUEUE_SECONDS,
        )

    async def _stop(self, scene: Scene) -> None:
        await self.archive(scene, await self.read_log(scene.pod))
        for job in self.own_jobs():
            if not job.ended and not job.deleting:
                await self.delete(job)
        item = scene.item
        await self.tenure.finish(stopped_state(item), item.stop_reason or Reason.CANCELLED, "")
