"""Is this workload healthy? The rules of `kubectl rollout status`, as pure functions of one object."""

from dataclasses import dataclass
from datetime import datetime

from studio.kube import Manifest
from studio.kube.obstacles import Obstacle

# Not every pod is as wanted; those that are ready serve.
ABOUT_PODS = frozenset({"RollingOut", "ReplicaFailure", "ProgressDeadlineExceeded", "CrashLoop", *Obstacle})


@dataclass(frozen=True)
class Health:
    """`ready` when the newest generation has its replicas; `available` when at least one replica serves."""

    ready: bool
    available: bool
    desired: int
    count: int
    reason: str
    message: str


def workload(live: Manifest | None, *, name: str) -> Health:
    """The health of a Deployment or StatefulSet."""
    if live is None:
        return Health(
            ready=False, available=False, desired=0, count=0, reason="Missing", message=f"{name} does not exist yet"
        )
    desired = live["spec"].get("replicas", 1)
    status = live.get("status", {})
    count = status.get("readyReplicas", 0)
    updated = status.get("updatedReplicas", 0)
    current = status.get("observedGeneration", 0) >= live["metadata"].get("generation", 0)
    failure = _replica_failure(status)
    if failure:
        return Health(
            ready=False, available=count > 0, desired=desired, count=count, reason="ReplicaFailure", message=failure
        )
    stuck = _condition(status, "Progressing", "False")
    if stuck is not None and count < desired:
        message = f"{name}: {count} of {desired} ready: {stuck.get('message', '')}"
        return Health(
            ready=False,
            available=count > 0,
            desired=desired,
            count=count,
            reason="ProgressDeadlineExceeded",
            message=message,
        )
    if not current or updated < desired or count < desired or status.get("replicas", 0) > desired:
        message = f"{name}: {count} of {desired} ready, {updated} of {desired} updated"
        return Health(
            ready=False, available=count > 0, desired=desired, count=count, reason="RollingOut", message=message
        )
    return Health(ready=True, available=True, desired=desired, count=count, reason="Ready", message="")


def _replica_failure(status: Manifest) -> str:
    """Why pods cannot even be made (quota, Pod Security), in the words of the API server."""
    condition = _condition(status, "ReplicaFailure", "True")
    return str(condition.get("message", condition.get("reason", ""))) if condition else ""


def _condition(status: Manifest, kind: str, value: str) -> Manifest | None:
    conditions: list[Manifest] = status.get("conditions", [])
    return next((c for c in conditions if (c["type"], c["status"]) == (kind, value)), None)


@dataclass(frozen=True)
class JobHealth:
    """Where a Job is: it may have succeeded, or failed at `failed_at`, or neither."""

    succeeded: bool
    failed: bool
    message: str
    failed_at: datetime | None = None


def job(live: Manifest | None, *, name: str) -> JobHealth:
    """The state of a Job; `failed` means that it will not be tried again."""
    if live is None:
        return JobHealth(succeeded=False, failed=False, message=f"Job {name} does not exist yet")
    for condition in live.get("status", {}).get("conditions", []):
        if condition["status"] != "True":
            continue
        if condition["type"] == "Complete":
            return JobHealth(succeeded=True, failed=False, message="")
        if condition["type"] == "Failed":
            why = condition.get("message") or condition.get("reason", "")
            since = condition.get("lastTransitionTime")
            return JobHealth(
                succeeded=False,
                failed=True,
                message=f"Job {name} failed: {why}; see its pods' logs",
                failed_at=datetime.fromisoformat(since) if since else None,
            )
    failed = live.get("status", {}).get("failed", 0)
    tries = f", {failed} failed tries so far" if failed else ""
    return JobHealth(succeeded=False, failed=False, message=f"Job {name} is running{tries}")
