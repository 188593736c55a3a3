"""Attending a run: acts out the decisions of `running_plan`."""

from dataclasses import replace
from time import monotonic
from typing import Any

from prometheus_client import Counter

from studio.contract import labels
from studio.contract.model_service import DesiredRunning, RunState
from studio.contract.reasons import Reason
from studio.model_service import engine_log
from studio.model_service.consumers import attempts
from studio.model_service.consumers.attempts import Again, Ending, GiveUp, History, Lost
from studio.model_service.consumers.attendant import Attendant
from studio.model_service.consumers.plan import Create, Fail, Lose, Requeue, Scene, Stop, Wait
from studio.model_service.consumers.pod_facts import JobFacts
from studio.model_service.consumers.running_plan import plan_run
from studio.model_service.items import Item
from studio.model_service.jobs.parts import Attempt, Manifest
from studio.model_service.jobs.run import ENGINE, run_job

WARM_LOST = Counter(
    "studio_run_warmings_lost_total", "Engines that ended before their model came, by reason.", ["reason"]
)
# Longer than the pod's grace: after it the slot is free, whatever a dead node still says about the pod.
DRAIN_SECONDS = 60.0
# After how many seconds a run that could not start is taken up again; twice as long each time.
FIRST_PAUSE, LONGEST_PAUSE = 15.0, 120.0


class RunAttendant(Attendant):
    """One run: its Job is made, kept, replaced when it is lost, and taken away when the stop is requested."""

    item_label = labels.RUN
    path = "runs"
    engine_container = ENGINE

    def __init__(self, **rest: Any) -> None:
        super().__init__(**rest)
        self._drain_until: float | None = None
        self._standing: tuple[int, str, float] | None = None
        # Why the attempt before was lost, in the engine's words.
        self._before = ""

    async def step(self, scene: Scene) -> float | None:
        """One action of the plan."""
        match self.stands(plan_run(scene, stood=self._stood(scene.item))):
            case Wait() as action:
                seconds = await self.wait(self._with_history(scene, action))
                self._stood(self.tenure.item)
                return seconds
            case Create():
                if scene.item.state == RunState.READY:
                    await self.tenure.say(Reason.STARTING, "the Job of the run is made anew", RunState.STARTING)
                return await self.create(scene)
            case Lose() as loss:
                return await self._replace(scene, loss)
            case Requeue() as action:
                await self._requeue(scene, action)
            case Fail() as failure if scene.item.state == RunState.WARMING:
                return await self._give_up(scene, failure)
            case Fail() as failure:
                await self.fail(scene, failure)
            case Stop():
                return await self._drain(scene)
        return None

    def build(self, attempt: Attempt, history: History) -> Manifest:  # noqa: ARG002 - trainings need it
        """The Job of an attempt. A model may have been assigned since the item was claimed."""
        item = self.tenure.item
        desired = DesiredRunning.model_validate(item.spec)
        return run_job(desired, attempt, self.site, warm=item.state == RunState.WARMING)

    def next_attempt(self, history: History) -> Again | GiveUp:
        """Paced; five fast failures are a crash loop."""
        return attempts.next_run_attempt(history)

    def _stood(self, item: Item) -> float:
        """For how many seconds the item has had its reason in this attempt, as far as this consumer has seen."""
        if self._standing is None or self._standing[:2] != (item.attempt, item.reason):
            self._standing = (item.attempt, item.reason, monotonic())
        return monotonic() - self._standing[2]

    def _with_history(self, scene: Scene, action: Wait) -> Wait:
        """What happens, and while it is no better than before, why the attempt before was lost."""
        if not self._before or RunState.READY in (action.state, scene.item.state):
            return action
        if scene.job is None and action.reason == scene.item.reason:
            # The pause before this attempt: the message is that of the loss itself.
            return action
        return replace(action, message=f"{action.message}; attempt {scene.item.attempt - 1}: {self._before}")

    async def _replace(self, scene: Scene, loss: Lose) -> float | None:
        """The next attempt, with the engine's words about this one; or the end, which has them anyway."""
        ready_seconds = _ready_seconds(scene)
        goes_on = isinstance(self.next_attempt((*scene.history, Lost(loss.ending, ready_seconds))), Again)
        if goes_on and loss.ending is Ending.CRASHED and loss.reason != Reason.OUT_OF_MEMORY:
            words = engine_log.extract(await self.read_log(scene.pod))
            loss = replace(loss, message="\n".join(part for part in (loss.message, words) if part))
        self._before = loss.message
        if not await self.lose(scene, loss, ready_seconds=ready_seconds, state=RunState.STARTING):
            return None
        await self._take_away(scene.job)
        return 0.0

    async def _requeue(self, scene: Scene, action: Requeue) -> None:
        """Let others have the slot for a while. It comes back with the next attempt, for ever."""
        await self.archive(scene, await self.read_log(scene.pod))
        await self._take_away(scene.job)
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(scene.item.attempt - 1, 10))
        await self.tenure.update(
            state=RunState.QUEUED,
            attempt=scene.item.attempt + 1,
            reason=action.reason,
            message=f"{action.message}; it is tried again in {pause:.0f} s",
            retry_in=pause,
        )

    async def _take_away(self, job: JobFacts | None) -> None:
        if job and not job.ended and not job.deleting:
            await self.delete(job)

    async def _give_up(self, scene: Scene, failure: Fail) -> float | None:
        """End a run that has no model yet, unless it was given one meanwhile: then this is the loss of an attempt."""
        archived = await self.archive(scene, await self.read_log(scene.pod))
        await self.retire(scene.job, ttl=self.failure_ttl if archived else None, history=scene.history)
        await self._take_away(scene.job)
        item = await self.tenure.finish(RunState.FAILED, failure.reason, failure.message, expected=RunState.WARMING)
        if not item.final:
            return 0.0
        WARM_LOST.labels(failure.reason).inc()
        return None

    async def _drain(self, scene: Scene) -> float | None:
        """Stopped means that the pod is gone: then the slot, and what it took of the cluster, is free.

        An engine without a model is in nobody's service: whoever needs its slot does not wait for its end.
        """
        if scene.item.warm:
            for job in self.own_jobs():
                await self._take_away(job)
            await self.tenure.finish(RunState.STOPPED, scene.item.stop_reason, scene.item.stop_message)
            return None
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
