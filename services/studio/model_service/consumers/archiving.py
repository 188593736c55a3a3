"""Logs of attempts on their way from a pod to the store, and the Jobs that wait until theirs has arrived."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg
import structlog

from studio.contract import labels
from studio.contract.model_service import TrainingState
from studio.kube import Invalid, Kube, KubeError, NotFound
from studio.kube.kinds import JOB, POD
from studio.model_service import engine_log
from studio.model_service.consumers.pod_facts import JobFacts, PodFacts, job_facts, newest_pod
from studio.model_service.items import Item
from studio.model_service.orchestrator_client import OrchestratorClient, OrchestratorError

log = structlog.get_logger(__name__)

# The end, where what fails says so. It is held several times over while it is cleaned, within the consumer's memory.
LOG_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Archive:
    """Where the attempts of one kind of items have their logs; `path` is the kind's in the orchestrator's API."""

    kube: Kube
    orchestrator: OrchestratorClient
    namespace: str
    path: str
    engine_container: str

    async def read(self, pod: PodFacts | None) -> str:
        """What the engine wrote, or else what the helpers wrote; empty when nobody can tell any more."""
        if pod is None:
            return ""
        started = [name for name, container in pod.containers.items() if container.started_at]
        for name in sorted(started, key=lambda name: name != self.engine_container):
            try:
                text = await self.kube.logs(self.namespace, pod.name, name, last_bytes=LOG_BYTES)
            except (NotFound, Invalid):
                continue
            if text:
                return text
        return ""

    async def store(self, item_id: str, attempt: int, text: str) -> bool:
        """Store the log of an attempt, if there is one; whether it need not be kept any longer."""
        if not text:
            return True
        try:
            await self.orchestrator.put_text(
                f"/v1/{self.path}/{item_id}/attempts/{attempt}/log", engine_log.clean(text)
            )
        except OrchestratorError as error:
            log.warning("the log could not be archived", item=item_id, error=str(error))
            return False
        return True

    async def tidy(
        self, item_label: str, studio: str, *, find: Callable[[str], Awaitable[Item | None]], ttl: int
    ) -> None:
        """Archive what could not be archived when its Job ended, and let the cluster remove it after `ttl` seconds.

        Only Jobs that nobody attends any more, by their item's row, are touched; what fails is left for the next time.
        One that was made after the end of its item, by somebody who had lost it, is deleted.
        """
        try:
            selector = f"{item_label},{labels.PART_OF}={studio}"
            for job in map(job_facts, await self.kube.list(JOB, self.namespace, labels=selector)):
                if job.deleting or (job.ended and job.ttl is not None):
                    continue
                item = await find(job.labels[item_label])
                if not job.ended:
                    if _orphaned(item, job):
                        await self.kube.delete(JOB, self.namespace, job.name, uid=job.uid)
                    continue
                if item is not None and not item.final and job.attempt >= item.attempt:
                    continue
                if not (_superseded(item, job) or await self._arrived(item_label, job)):
                    return
                await self.kube.patch(JOB, self.namespace, job.name, {"spec": {"ttlSecondsAfterFinished": ttl}})
        except (KubeError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            log.info("ended jobs are tidied another time", error=str(error))

    async def _arrived(self, item_label: str, job: JobFacts) -> bool:
        """Whether the log of an ended Job is stored now, or is not to be had any more."""
        item_id = job.labels[item_label]
        selector = f"{item_label}={item_id},{labels.ATTEMPT}={job.attempt}"
        pod = newest_pod(await self.kube.list(POD, self.namespace, labels=selector), job.name)
        return await self.store(item_id, job.attempt, await self.read(pod))


def _orphaned(item: Item | None, job: JobFacts) -> bool:
    """Whether a Job that goes on does so for nothing. That of a training that succeeded is about to end by itself."""
    if item is None or not item.final:
        return False
    return item.state != TrainingState.SUCCEEDED or job.attempt < item.attempt


def _superseded(item: Item | None, job: JobFacts) -> bool:
    """Whether nobody would read the Job's log: its item is forgotten, or has the log of a later attempt."""
    return item is None or (item.log_key is not None and job.attempt < item.attempt)
