"""A cluster and a queue in memory for the consumers' tests, and a Job controller to be played by the test."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.kube import FakeKube
from tests.support.patience import STUCK_SECONDS

from studio.contract import labels
from studio.contract.model_service import DesiredRunning, DesiredTraining, EnginePod, Progress
from studio.kube.kinds import JOB
from studio.model_service.consumers.attendant import Attendant
from studio.model_service.consumers.running_strategy import RunAttendant
from studio.model_service.consumers.tenure import Tenure
from studio.model_service.consumers.training_strategy import TrainingAttendant
from studio.model_service.items import CLAIMED_STATE, Item, Kind, Lease, LeaseLost, check_transition, stopped_state
from studio.model_service.jobs.parts import Site
from studio.model_service.orchestrator_client import Unavailable

NAMESPACE = "team"
UID = "uid-kiosk"
ENGINE = EnginePod(image="engine", resources={"limits": {"memory": "2Gi"}})
SITE = Site(studio="studio", version="1", orchestrator_url="http://orchestrator", helper_image="services")
WHO = {"uid": UID, "name": "kiosk", "namespace": NAMESPACE, "studio": "studio", "fingerprint": "f"}
START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ID = {"training": "kiosk-t1-abcde", "run": "kiosk-r1-abcde"}


def desired(kind: Kind, **changes: Any) -> DesiredTraining | DesiredRunning:
    return (DesiredTraining if kind == "training" else DesiredRunning)(**{**WHO, "engine": ENGINE, **changes})


def item(kind: Kind = "training", **changes: Any) -> Item:
    made = Item(
        id=ID[kind], seq=1, kind=kind, uid=UID, assistant="kiosk", state=CLAIMED_STATE[kind], reason="Claimed",
        message="", fingerprint="f", model_version=None, priority=0, attempt=1, stop_requested=False, stop_reason="",
        holder="me", fence=1, lease_until=None, requested_at=START, started_at=START, ready_at=None, finished_at=None,
        retry_at=None, spec=desired(kind).model_dump(mode="json"), spec_digest="d", log_key=None, report=None,
    )  # fmt: skip
    return replace(made, **changes)


class FakeQueue:
    """One item, with the rules of the real queue about leases and transitions; `model` is the models table."""

    def __init__(self, first: Item) -> None:
        self.item = first
        self.model: int | None = None
        self.said: list[tuple[str, str]] = []
        self.messages: list[str] = []
        self.down = False
        self._fence = first.fence

    def steal(self) -> Lease:
        """Somebody else claims the item."""
        self._fence += 1
        self.item = replace(self.item, holder=f"holder-{self._fence}", fence=self._fence)
        return Lease(self.item, str(self.item.holder), self._fence)

    def lease(self) -> Lease:
        return Lease(self.item, str(self.item.holder), self.item.fence)

    def request_stop(self, reason: str = "Cancelled") -> None:
        self.item = replace(self.item, stop_requested=True, stop_reason=reason)

    async def heartbeat(self, lease: Lease, *, ttl: float) -> Item | None:
        self._reach()
        return self.item if self._held(lease) else None

    async def update(
        self, lease: Lease, *, retry_in: float | None = None, progress: Progress | None = None, **changes: Any
    ) -> Item:
        self._reach()
        self._require(lease)
        changes = {key: value for key, value in changes.items() if value is not None}
        if "message" in changes:
            changes["progress"] = progress.model_dump() if progress else None
        state = changes.get("state", self.item.state)
        if state == "Queued" and self.item.stop_requested:
            changes["state"] = state = stopped_state(self.item)
        check_transition(self.item, state)
        if "state" in changes:
            changes["retry_at"] = None
            changes["ready_at"] = datetime.now(UTC) if state == "Ready" else None
        if retry_in is not None:
            changes["retry_at"] = datetime.now(UTC) + timedelta(seconds=retry_in)
        self.item = replace(self.item, **changes)
        if state == "Queued":
            self.item = replace(self.item, holder=None)
        self.said.append((self.item.state, self.item.reason))
        self.messages.append(self.item.message)
        return self.item

    async def finish(
        self, lease: Lease, state: str, reason: str, message: str = "", *, expected: str | None = None
    ) -> Item:
        self._reach()
        self._require(lease)
        if expected not in (None, self.item.state):
            return self.item
        check_transition(self.item, state)
        self.item = replace(self.item, state=state, reason=reason, message=message, holder=None, finished_at=START)
        self.said.append((state, reason))
        return self.item

    async def release(self, lease: Lease) -> None:
        if self._held(lease):
            self.item = replace(self.item, holder=None)

    async def get(self, item_id: str) -> Item | None:
        self._reach()
        return self.item if item_id == self.item.id else None

    async def model_of(self, _item: Item) -> int | None:
        self._reach()
        return self.model

    def _reach(self) -> None:
        if self.down:
            raise OSError("the database is away")

    def _held(self, lease: Lease) -> bool:
        return not self.item.final and (self.item.holder, self.item.fence) == (lease.holder, lease.fence)

    def _require(self, lease: Lease) -> None:
        if not self._held(lease):
            raise LeaseLost("not held")


class FakeOrchestrator:
    """Keeps the archived logs."""

    def __init__(self) -> None:
        self.logs: dict[str, str] = {}
        self.down = False

    async def put_text(self, path: str, text: str) -> None:
        if self.down:
            raise Unavailable("away")
        self.logs[path] = text


class Stage:
    """Everything together; `play` puts an attendant on it."""

    def __init__(self, kind: Kind = "training", **changes: Any) -> None:
        self.kind: Kind = kind
        self.kube = FakeKube()
        self.queue = FakeQueue(item(kind, **changes))
        self.orchestrator = FakeOrchestrator()
        self.tenure: Tenure | None = None

    @asynccontextmanager
    async def play(
        self, *, ttl: float = 20.0, beat: float = 0.02, tidies: Callable[[], bool] = lambda: True
    ) -> AsyncIterator["asyncio.Task[None]"]:
        """An attendant at work for the present holder of the item."""
        async with Tenure(self.queue, self.queue.lease(), ttl=ttl, beat=beat) as tenure:  # type: ignore[arg-type]
            self.tenure = tenure
            task = asyncio.create_task(self.attendant(tenure, tidies=tidies).attend())
            try:
                yield task
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def attendant(self, tenure: Tenure, **shared: Any) -> Attendant:
        shared |= {
            "kube": self.kube,
            "orchestrator": self.orchestrator,
            "tenure": tenure,
            "site": SITE,
            "namespace": NAMESPACE,
        }
        if self.kind == "training":
            return TrainingAttendant(**shared, queue=self.queue)  # type: ignore[arg-type]
        return RunAttendant(**shared)

    def job(self, attempt: int | None = None) -> Any:
        return self.kube.objects.get((JOB, NAMESPACE, self.job_name(attempt)))

    def job_name(self, attempt: int | None = None) -> str:
        return f"{self.queue.item.id}-{attempt or self.queue.item.attempt}"

    def jobs(self) -> list[Any]:
        return [body for (kind, _, _), body in self.kube.objects.items() if kind == JOB]

    def pod(self, status: Any, *, attempt: int | None = None, **metadata: Any) -> None:
        """Put the pod of an attempt in a state."""
        job = self.job(attempt)
        name = f"{job['metadata']['name']}-xxxxx"
        owner = {
            "kind": "Job",
            "apiVersion": "batch/v1",
            "name": job["metadata"]["name"],
            "uid": job["metadata"]["uid"],
        }
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": NAMESPACE,
                "labels": job["metadata"]["labels"],
                "ownerReferences": [owner],
                **metadata,
            },
            "status": status,
        }
        self.kube.put(body)

    def end_job(self, *, complete: bool, attempt: int | None = None, reason: str = "BackoffLimitExceeded") -> None:
        condition = {"type": "Complete" if complete else "Failed", "status": "True", "reason": reason}
        status = {"conditions": [condition], ("succeeded" if complete else "failed"): 1}
        self.kube.set_status(JOB, NAMESPACE, self.job_name(attempt), status)

    def log(self, container: str, text: str, attempt: int | None = None) -> None:
        self.kube.set_logs(NAMESPACE, f"{self.job_name(attempt)}-xxxxx", container, text)


def foreign_job(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {labels.TRAINING: ID["training"]}},
        "spec": {},
    }


def running(name: str, started: datetime = START) -> dict[str, Any]:
    return {"name": name, "state": {"running": {"startedAt": started.isoformat()}}}


def ended(name: str, code: int, reason: str = "", message: str = "") -> dict[str, Any]:
    reason = reason or ("Completed" if code == 0 else "Error")
    state = {"exitCode": code, "reason": reason, "message": message, "startedAt": START.isoformat()}
    return {"name": name, "state": {"terminated": state}}


def waiting(name: str, reason: str, message: str = "") -> dict[str, Any]:
    return {"name": name, "image": "bot:1", "state": {"waiting": {"reason": reason, "message": message}}}


def training_pod(*statuses: dict[str, Any], phase: str = "Pending", **more: Any) -> dict[str, Any]:
    init = [s for s in statuses if s["name"] != "upload"]
    return {
        "phase": phase,
        "initContainerStatuses": init,
        "containerStatuses": [s for s in statuses if s["name"] == "upload"],
        **more,
    }


def run_pod(*statuses: dict[str, Any], phase: str = "Running", ready: bool = False, **more: Any) -> dict[str, Any]:
    return {
        "phase": phase,
        "initContainerStatuses": [s for s in statuses if s["name"] == "run-helper"],
        "containerStatuses": [s for s in statuses if s["name"] == "engine"],
        "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        **more,
    }


async def until(condition: Any, seconds: float = STUCK_SECONDS) -> None:
    """Wait for a condition; every step of the actors goes through the event loop."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the actors are fakes without events
            await asyncio.sleep(0.005)
