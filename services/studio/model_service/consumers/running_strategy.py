"""Attending a run: acts out the decisions of `running_plan`."""

from time import monotonic
from typing import Any

from studio.contract import labels
from studio.contract.model_service import DesiredRunning, RunState
from studio.contract.reasons import Reason
from studio.model_service.consumers import attempts
from studio.model_service.consumers.attempts import Again, GiveUp, History
from studio.model_service.consumers.attendant import Attendant
from studio.model_service.consumers.plan import Create, Fail, Lose, Scene, Stop, Wait
from studio.model_service.consumers.running_plan import plan_run
from studio.model_service.jobs.parts import Attempt, Manifest
from studio.model_service.jobs.run import ENGINE, run_job

# Longer than the pod's grace: after it the slot is free, whatever a dead node still says about the pod.
DRAIN_SECONDS = 60.0


class RunAttendant(Attendant):
    """One run: its Job is made, kept, replaced when it is lost, and taken away when the stop is requested."""

    item_label = labels.RUN
    path = "runs"
    engine_container = ENGINE

    def __init__(self, **rest: Any) -> None:
        super().__init__(**rest)
        self._desired = DesiredRunning.model_validate(self.tenure.item.spec)
        self._drain_until: float | None = None

    async def step(self, scene: Scene) -> float | None:
        """One action of the plan."""
        match plan_run(scene):
            case Wait() as action:
                return await self.wait(action)
            case Create():
                if scene.item.state == RunState.READY:
                    await self.tenure.say(Reason.STARTING, "the Job of the run is made anew", RunState.STARTING)
                return await self.create(scene)
            case Lose() as loss:
                going_on = await self.lose(scene, loss, ready_seconds=_ready_seconds(scene), state=RunState.STARTING)
                if going_on and scene.job and not scene.job.ended and not scene.job.deleting:
                    await self.delete(scene.job)
                return 0.0 if going_on else None
            case Fail() as failure:
                await self.fail(scene, failure)
            case Stop():
                return await self._drain(scene)
        return None

    def build(self, attempt: Attempt, history: History) -> Manifest:  # noqa: ARG002 - trainings need it
        """The Job of an attempt."""
        return run_job(self._desired, attempt, self.site)

    def next_attempt(self, history: History) -> Again | GiveUp:
        """Paced; five fast failures are a crash loop."""
        return attempts.next_run_attempt(history)

    async def _drain(self, scene: Scene) -> float | None:
        """Stopped means that the pod is gone: then the slot, and what it took of the cluster, is free."""
        if self._drain_until is None:
            await self.tenure.say(scene.item.stop_reason or Reason.STOPPED, "the engine ends", RunState.DRAINING)
            await self.archive(scene, await self.read_log(scene.pod))
            self._drain_until = monotonic() + DRAIN_SECONDS
        jobs = self.own_jobs()
        for job in jobs:
            if not job.deleting:
                await self.delete(job, propagation="Foreground")
        if (jobs or self.watch.pods) and monotonic() < self._drain_until:
            return max(0.1, self._drain_until - monotonic())
        await self.tenure.finish(RunState.STOPPED, scene.item.stop_reason or Reason.STOPPED, "")
        return None


def _ready_seconds(scene: Scene) -> float:
    item = scene.item
    if item.state != RunState.READY or item.ready_at is None:
        return 0.0
    return max(0.0, (scene.now - item.ready_at).total_seconds())
