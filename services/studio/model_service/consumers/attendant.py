"""What attending a training and attending a run have in common: observe, decide, one action, wait for a change.

Level-triggered: every turn looks at the whole scene, so it does not matter who did the steps before this one.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import ClassVar

import asyncpg
import structlog

from studio.contract import labels, names
from studio.contract.reasons import Reason
from studio.kube import AlreadyExists, Forbidden, Invalid, Kube, KubeError, Manifest, NotFound
from studio.kube.kinds import EVENT, JOB
from studio.kube.obstacles import Obstacle
from studio.model_service import engine_log
from studio.model_service.consumers.archiving import Archive
from studio.model_service.consumers.attempts import Again, Ending, GiveUp, History, Lost, decode, encode
from studio.model_service.consumers.item_watch import ItemWatch
from studio.model_service.consumers.plan import Action, Fail, Lose, Requeue, Scene, Wait
from studio.model_service.consumers.pod_facts import (
    JobFacts,
    PodFacts,
    creation_problem,
    job_facts,
    newest_pod,
    refusal,
)
from studio.model_service.consumers.tenure import Tenure
from studio.model_service.items import LeaseLost
from studio.model_service.jobs.parts import HISTORY, Attempt, Site
from studio.model_service.orchestrator_client import OrchestratorClient, OrchestratorError

log = structlog.get_logger(__name__)

# Of runs; trainings have settings of their own.
FAILURE_TTL = 3600
# On a Job whose attempt was lost: the history with that loss, for whoever makes the next attempt.
HISTORY_AFTER = f"{labels.GROUP}/history-after"
_LONGEST_PAUSE = 30.0
_CREATION_PAUSE = 10.0
_CREATION_PATIENCE = 3.0
# A Job that was created just now shows nothing yet; whatever it does shows in a watch.
_FIRST_LOOK_SECONDS = 1.0
# Absence is believed only after both watches have listed.
_SYNC_SECONDS = 10.0


class Attendant(ABC):
    """One item in the hands of one consumer. `attend` returns when the item needs no holder any more."""

    item_label: ClassVar[str]
    path: ClassVar[str]
    engine_container: ClassVar[str]
    # Seconds for which the Job of a lost attempt stays, once its log is archived.
    failure_ttl = FAILURE_TTL

    def __init__(
        self,
        *,
        kube: Kube,
        orchestrator: OrchestratorClient,
        tenure: Tenure,
        site: Site,
        namespace: str,
        tidies: Callable[[], bool] = lambda: True,
    ) -> None:
        """`tidies` is asked at the end whether to look for what others have left untidied."""
        self.kube = kube
        self.orchestrator = orchestrator
        self.tenure = tenure
        self.site = site
        self.namespace = namespace
        self.logs = Archive(kube, orchestrator, namespace, self.path, self.engine_container)
        self.watch = ItemWatch(kube, namespace, f"{self.item_label}={tenure.item.id}", tenure.wake)
        self._seen: set[str] = set()
        self._carried: dict[int, tuple[Lost, ...]] = {}
        self._job_without_pod_since: float | None = None
        self._obstacle: tuple[str, float] | None = None
        self._failures = 0
        self._archive_answers = True
        self._verdict: Fail | Requeue | None = None
        self._tidies = tidies

    @abstractmethod
    async def step(self, scene: Scene) -> float | None:
        """Decide and act once; the seconds after which to look again, None when the item is done with."""

    @abstractmethod
    def build(self, attempt: Attempt, history: History) -> Manifest:
        """The Job of an attempt after `history`."""

    @abstractmethod
    def next_attempt(self, history: History) -> Again | GiveUp:
        """What follows the last loss of `history`."""

    async def attend(self) -> None:
        """Raises LeaseLost; then nothing more has been, nor may be, done for the item."""
        try:
            pause = await self._guarded(self._create_at_once) if self._is_new() else 0.0
            if pause is not None:
                await self._attend_to_its_end(pause)
        except LeaseLost:
            # What was asked for before may have come to pass after the item's end.
            await self._tidy()
            raise
        if self._archive_answers and self._tidies():
            await self._tidy()

    async def _tidy(self) -> None:
        await self.logs.tidy(self.item_label, self.site.studio, find=self.tenure.find, ttl=self.failure_ttl)

    async def _attend_to_its_end(self, pause: float | None) -> None:
        async with self.watch:
            while pause is not None:
                await self.tenure.wait(pause)
                self.tenure.wake.clear()
                self.tenure.ensure()
                pause = await self._turn()

    def _is_new(self) -> bool:
        """Whether nobody can have made a Job for the item yet, as far as its row tells."""
        item = self.tenure.item
        return item.attempt == 1 and item.reason == Reason.CLAIMED and not item.stop_requested

    async def _create_at_once(self) -> float | None:
        """The first Job needs no look at the cluster before: if it is there against all odds, the creation says so."""
        item = self.tenure.item
        pause = await self.create(Scene(item=item, now=self.tenure.now()))
        name = names.job(item.id, item.attempt)
        if name in self._seen:
            self.watch.begin_with(self.watch.jobs[name])
        return pause

    async def _turn(self) -> float | None:
        return await self._guarded(self._look_and_act) if self.watch.synced else _SYNC_SECONDS

    async def _look_and_act(self) -> float | None:
        if await self._remove_strays():
            return 0.0
        return await self.step(await self.observe())

    async def _guarded(self, work: Callable[[], Awaitable[float | None]]) -> float | None:
        """What `work` answers, or the pause after which to try again what failed."""
        try:
            pause = await work()
        except (KubeError, OrchestratorError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            self._failures += 1
            pause = random.uniform(0.5, 1) * min(_LONGEST_PAUSE, 2.0**self._failures)  # noqa: S311
            log.warning("a step failed, trying again", item=self.tenure.item.id, pause=pause, error=str(error))
        else:
            self._failures = 0
        return pause

    def stands(self, action: Action) -> Action:
        """What to do once an end was decided: that. The Job that was deleted for it is not taken for a lost one."""
        if isinstance(action, Fail | Requeue):
            self._verdict = action
        deleted = isinstance(action, Lose) and action.reason == Reason.JOB_DELETED
        return self._verdict if self._verdict and deleted else action

    async def observe(self) -> Scene:
        """The scene as it is now."""
        item = self.tenure.item
        name = names.job(item.id, item.attempt)
        manifest = self.watch.jobs.get(name)
        if manifest is None and name in self._seen:
            # An absence has consequences, so it is not taken from a watch that may have begun before the creation.
            manifest = await self.kube.get(JOB, self.namespace, name)
            self.watch.note_job(name, manifest)
        job = job_facts(manifest) if manifest else None
        if job:
            self._seen.add(name)
        pod = newest_pod(list(self.watch.pods.values()), name) or newest_pod(list(self.watch.departed.values()), name)
        problem = await self._creation_problem(job, pod)
        return Scene(
            item=item,
            now=self.tenure.now(),
            job=job,
            pod=pod,
            job_seen=name in self._seen,
            creation_problem=problem,
            blocked_seconds=self._blocked(pod.obstacle if pod else problem[0] if problem else None),
            history=self._history(job),
        )

    async def create(self, scene: Scene) -> float | None:
        """Create the Job of the attempt; one that is there already is looked at in the next turn."""
        item = scene.item
        attempt = Attempt(item.id, item.attempt, self.tenure.lease.fence, encode(scene.history))
        try:
            async with self.tenure.guard():
                created = await self.kube.create(JOB, self.build(attempt, scene.history))
        except AlreadyExists:
            self.watch.note_job(attempt.job, await self.kube.get(JOB, self.namespace, attempt.job))
            return 0.0
        except Forbidden as error:
            await self.tenure.say(refusal(error.message), error.message)
            return _CREATION_PAUSE
        except Invalid as error:
            await self.fail(scene, Fail(Reason.INVALID_SPEC, f"Kubernetes refuses the Job: {error.message}"))
            return None
        self.watch.note_job(attempt.job, created)
        self._seen.add(attempt.job)
        log.info("job created", job=attempt.job, fence=attempt.fence)
        return _FIRST_LOOK_SECONDS

    async def lose(self, scene: Scene, loss: Lose, *, ready_seconds: float = 0.0, state: str | None = None) -> bool:
        """Go on to the next attempt, or give up; whether the item goes on."""
        history = (*scene.history, Lost(loss.ending, ready_seconds))
        verdict = self.next_attempt(history)
        text = await self.read_log(scene.pod)
        if isinstance(verdict, GiveUp):
            # Who was killed for memory had no time to say so: the end of the log would only mislead.
            if loss.reason == Ending.OUT_OF_MEMORY:
                failure = Fail(loss.reason, loss.message)
            else:
                words = _words(loss.ending, text)
                failure = Fail(verdict.reason, "\n".join(part for part in (loss.message, words) if part))
            await self.fail(scene, failure, log_text=text)
            return False
        archived = await self.archive(scene, text)
        await self.retire(scene.job, ttl=self.failure_ttl if archived else None, history=history)
        words = engine_log.last_lines(text) if loss.ending is Ending.STALLED else ""
        number = scene.item.attempt + 1
        self._carried[number] = history
        after = f" in {verdict.delay:.0f} s" if verdict.delay else ""
        await self.tenure.update(
            state=None if state == scene.item.state else state,
            attempt=number,
            reason=loss.reason,
            message="\n".join(filter(None, (f"{loss.message}; attempt {number} follows{after}", words))),
            retry_in=verdict.delay,
        )
        return True

    async def fail(self, scene: Scene, failure: Fail, *, log_text: str | None = None) -> None:
        """End the item as Failed, its log archived and its Job left for a while to be looked at."""
        text = await self.read_log(scene.pod) if log_text is None else log_text
        words = engine_log.extract(text) if failure.engine_words else ""
        archived = await self.archive(scene, text)
        if failure.reason != Reason.CONFLICT:
            await self.retire(scene.job, ttl=self.failure_ttl if archived else None, history=scene.history)
            if scene.job and not scene.job.ended and not (scene.pod and scene.pod.ended):
                await self.delete(scene.job)
        await self.tenure.finish("Failed", failure.reason, words or failure.message)

    async def read_log(self, pod: PodFacts | None) -> str:
        """What the engine of a pod wrote, or else its helpers."""
        return await self.logs.read(pod)

    async def archive(self, scene: Scene, text: str) -> bool:
        """Store the log of the attempt; whether it has arrived.

        Until it has, a Job that ended and its pod keep it. With one that is deleted while it runs, it is lost: nothing
        ends a pod and leaves its log but a right to change pods, which consumers do not have.
        """
        self._archive_answers = await self.logs.store(scene.item.id, scene.item.attempt, text)
        return self._archive_answers

    async def retire(self, job: JobFacts | None, *, ttl: int | None, history: History = ()) -> None:
        """Let the cluster remove a Job `ttl` seconds after its end; None: it stays, for its log is nowhere else yet."""
        noted = encode(history)
        if job is None or job.deleting or (job.ttl == ttl and job.annotations.get(HISTORY_AFTER) == noted):
            return
        patch: Manifest = {"metadata": {"annotations": {HISTORY_AFTER: noted}}}
        if ttl is not None:
            patch["spec"] = {"ttlSecondsAfterFinished": ttl}
        try:
            async with self.tenure.guard():
                await self.kube.patch(JOB, self.namespace, job.name, patch)
        except NotFound:
            pass

    async def delete(self, job: JobFacts, *, propagation: str = "Background") -> None:
        """Delete this very Job, not a later one of its name."""
        async with self.tenure.guard():
            await self.kube.delete(JOB, self.namespace, job.name, uid=job.uid, propagation=propagation)

    def own_jobs(self) -> list[JobFacts]:
        """All Jobs of the item that are its own, of any attempt."""
        jobs = (job_facts(job) for job in self.watch.jobs.values())
        return [job for job in jobs if job.owner == self.tenure.item.uid]

    async def wait(self, action: Wait) -> float:
        """Tell what happens."""
        await self.tenure.say(action.reason, action.message, action.state, progress=action.progress)
        return action.seconds

    async def _remove_strays(self) -> bool:
        """Delete what a predecessor that did not know it was one has left running.

        The row's attempt moves before its Job is made: a Job of a later attempt is a successor's.
        """
        current = self.tenure.item.attempt
        strays = [job for job in self.own_jobs() if job.attempt < current and not job.ended and not job.deleting]
        for job in strays:
            log.warning("deleting a stray job", job=job.name, attempt=current)
            await self.delete(job)
            self.watch.note_job(job.name, await self.kube.get(JOB, self.namespace, job.name))
        return bool(strays)

    async def _creation_problem(self, job: JobFacts | None, pod: PodFacts | None) -> tuple[Obstacle, str] | None:
        """Why the Job was refused, or has no pod once it should have one. It does not say itself: its events do."""
        item = self.tenure.item
        if job is None and item.reason in frozenset(Obstacle):
            return Obstacle(item.reason), item.message
        if job is None or pod is not None or job.ended or job.suspended:
            self._job_without_pod_since = None
            return None
        self._job_without_pod_since = self._job_without_pod_since or monotonic()
        if monotonic() - self._job_without_pod_since < _CREATION_PATIENCE:
            return None
        try:
            events = await self.kube.list(EVENT, self.namespace, fields=f"involvedObject.uid={job.uid}")
        except Forbidden:
            return Obstacle.POD_REFUSED, f"Kubernetes makes no pod for the Job {job.name}: see its events"
        return creation_problem(events)

    def _blocked(self, obstacle: Obstacle | None) -> float:
        """For how long the same obstacle stands in the way, as far as this consumer has seen."""
        if obstacle is None:
            self._obstacle = None
            return 0.0
        if self._obstacle is None or self._obstacle[0] != obstacle:
            self._obstacle = (obstacle, monotonic())
        return monotonic() - self._obstacle[1]

    def _history(self, job: JobFacts | None) -> tuple[Lost, ...]:
        """How the attempts before the current one ended."""
        if job is not None:
            return decode(job.annotations.get(HISTORY))
        current = self.tenure.item.attempt
        if current in self._carried:
            return self._carried[current]
        before = [job for job in self.own_jobs() if job.attempt < current]
        newest = max(before, key=lambda job: job.attempt, default=None)
        return decode(newest.annotations.get(HISTORY_AFTER)) if newest else ()


def _words(ending: Ending, text: str) -> str:
    """What the log tells of the last attempt's end."""
    if ending is Ending.STALLED:
        return engine_log.last_lines(text)
    return engine_log.extract(text) if ending is Ending.CRASHED else ""
