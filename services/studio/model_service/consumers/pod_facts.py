"""What a Job and its pod tell: how far they are, what they wait for, and how they ended.

Pure: Kubernetes objects in their JSON form go in, facts come out. Nothing here knows trainings or runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from studio.contract import labels
from studio.kube.obstacles import Obstacle, container_statuses, obstacle_of

Manifest = Mapping[str, Any]

# Reasons that the kubelet or the node lifecycle controller write into status.reason of a pod they give up.
_NODE_REASONS = frozenset(
    {
        "Evicted",
        "NodeLost",
        "NodeAffinity",
        "NodeShutdown",
        "Terminated",
        "Preempting",
        "Shutdown",
        "UnexpectedAdmissionError",
        "OutOfcpu",
        "OutOfmemory",
        "OutOfpods",
        "OutOfephemeral-storage",
    }
)
# What the kubelet reports, with exit code 137, of containers whose end it did not see.
_STATUS_UNKNOWN = "ContainerStatusUnknown"
SIGKILLED = 137
SIGTERMED = 143


@dataclass(frozen=True)
class ContainerFacts:
    """One container, init containers included. `exit_code` is None until it has terminated."""

    name: str
    started_at: datetime | None = None
    exit_code: int | None = None
    reason: str = ""
    message: str = ""
    waiting: str = ""
    restarts: int = 0
    last_exit_code: int | None = None
    last_message: str = ""
    image: str = ""

    @property
    def failed(self) -> bool:
        """Whether it has terminated with another exit code than 0."""
        return self.exit_code not in (None, 0)

    @property
    def running(self) -> bool:
        """Whether its process runs now."""
        return self.started_at is not None and self.exit_code is None

    @property
    def out_of_memory(self) -> bool:
        """Whether the kernel killed it for its memory limit.

        The shell of a container that outlives its killed child reports 137 without the reason `OOMKilled`.
        """
        return self.reason == "OOMKilled" or (self.exit_code == SIGKILLED and self.reason != _STATUS_UNKNOWN)


@dataclass(frozen=True)
class PodFacts:
    """One pod. `disrupted` holds the cluster's reason if the cluster, not its own processes, ended it."""

    name: str
    uid: str
    phase: str
    ready: bool = False
    deleting: bool = False
    disrupted: str = ""
    obstacle: Obstacle | None = None
    obstacle_message: str = ""
    containers: Mapping[str, ContainerFacts] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether no container of it runs or will run again."""
        return self.phase in ("Succeeded", "Failed")

    def container(self, name: str) -> ContainerFacts:
        """The container of that name, or an empty one if the pod does not report it yet."""
        return self.containers.get(name, ContainerFacts(name))


@dataclass(frozen=True)
class JobFacts:
    """One Job. `failure` is the reason of its Failed condition."""

    name: str
    uid: str
    attempt: int
    owner: str
    deleting: bool = False
    complete: bool = False
    failure: str = ""
    has_pods: bool = False
    suspended: bool = False
    ttl: int | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether the Job will start no further pod."""
        return self.complete or bool(self.failure)


def job_facts(job: Manifest) -> JobFacts:
    """The facts of a batch/v1 Job."""
    metadata, status = job["metadata"], job.get("status") or {}
    conditions = {c["type"]: c for c in status.get("conditions") or [] if c.get("status") == "True"}
    own_labels = metadata.get("labels") or {}
    failed = conditions.get("Failed") or conditions.get("FailureTarget")
    return JobFacts(
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        attempt=_number(own_labels.get(labels.ATTEMPT)),
        owner=next((o["uid"] for o in metadata.get("ownerReferences") or [] if o.get("kind") == "Assistant"), ""),
        deleting=bool(metadata.get("deletionTimestamp")),
        complete="Complete" in conditions or "SuccessCriteriaMet" in conditions,
        failure=(failed.get("reason") or "Failed") if failed else "",
        has_pods=any(status.get(count) for count in ("active", "succeeded", "failed", "ready", "terminating")),
        suspended=(job.get("spec") or {}).get("suspend") is True,
        ttl=(job.get("spec") or {}).get("ttlSecondsAfterFinished"),
        annotations=metadata.get("annotations") or {},
        labels=own_labels,
    )


def pod_facts(pod: Manifest) -> PodFacts:
    """The facts of a pod."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    conditions = {c["type"]: c for c in status.get("conditions") or []}
    containers = {c["name"]: _container(c) for c in container_statuses(pod)}
    met = obstacle_of(pod)
    return PodFacts(
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        phase=status.get("phase", "Pending"),
        ready=conditions.get("Ready", {}).get("status") == "True",
        deleting=bool(metadata.get("deletionTimestamp")),
        disrupted=_disrupted(status, conditions),
        obstacle=met.obstacle if met else None,
        obstacle_message=met.message if met else "",
        containers=containers,
    )


def newest_pod(pods: Sequence[Manifest], job: str) -> PodFacts | None:
    """The pod of the Job of that name; the one created last if it had several."""
    own = [p for p in pods if any(o.get("name") == job for o in p["metadata"].get("ownerReferences") or [])]
    if not own:
        return None
    return pod_facts(max(own, key=lambda p: (p["metadata"].get("creationTimestamp") or "", p["metadata"]["name"])))


def refusal(message: str) -> Obstacle:
    """What an admission refusal, in an event of a Job or the answer to a create, was about."""
    return Obstacle.QUOTA_EXCEEDED if "exceeded quota" in message else Obstacle.POD_REFUSED


def creation_problem(events: Sequence[Manifest]) -> tuple[Obstacle, str] | None:
    """Why a Job has no pod, from the events about the Job: quota, Pod Security, an admission webhook."""
    failed = [event for event in events if event.get("reason") == "FailedCreate"]
    if not failed:
        return None
    message = str(max(failed, key=lambda e: e.get("lastTimestamp") or e.get("eventTime") or "").get("message") or "")
    return refusal(message), message


def _container(status: Manifest) -> ContainerFacts:
    state = status.get("state") or {}
    waiting, running, ended = state.get("waiting") or {}, state.get("running") or {}, state.get("terminated") or {}
    last = (status.get("lastState") or {}).get("terminated") or {}
    return ContainerFacts(
        name=status["name"],
        started_at=_time(running.get("startedAt") or ended.get("startedAt")),
        exit_code=ended.get("exitCode"),
        reason=ended.get("reason") or "",
        message=ended.get("message") or waiting.get("message") or "",
        waiting=waiting.get("reason") or "",
        restarts=status.get("restartCount") or 0,
        last_exit_code=last.get("exitCode"),
        last_message=last.get("message") or "",
        image=status.get("image") or "",
    )


def _disrupted(status: Manifest, conditions: Manifest) -> str:
    target = conditions.get("DisruptionTarget", {})
    if target.get("status") == "True":
        return target.get("reason") or "DisruptionTarget"
    reason = status.get("reason") or ""
    return reason if reason in _NODE_REASONS else ""


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0
