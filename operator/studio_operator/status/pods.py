"""Why a workload does not get ready, as its pods tell; the workload itself only counts them. Pure."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from studio.kube import Manifest
from studio.kube.obstacles import container_statuses, obstacle_of
from studio_operator.status.health import ABOUT_PODS, Health, JobHealth

# Of what a process said last; a condition is read by people.
MOST_CHARACTERS = 300


def explained(health: Health, pods: Sequence[Manifest]) -> Health:
    """The health with what keeps the newest of its pods that says so; as it is if none does."""
    trouble = _trouble(pods) if health.reason in ABOUT_PODS else None
    if trouble is None:
        return health
    reason, message = trouble
    return replace(health, reason=reason, message=f"{health.message}: {message}")


def explained_job(health: JobHealth, pods: Sequence[Manifest]) -> JobHealth:
    """The same of a Job that is under way."""
    trouble = None if health.succeeded or health.failed else _trouble(pods)
    return replace(health, message=f"{health.message}: {trouble[1]}") if trouble else health


def _trouble(pods: Iterable[Manifest]) -> tuple[str, str] | None:
    """Reason and message."""
    newest = sorted(pods, key=lambda pod: pod["metadata"].get("creationTimestamp", ""), reverse=True)
    for pod in (pod for pod in newest if "deletionTimestamp" not in pod["metadata"]):
        if met := obstacle_of(pod):
            return met.obstacle.value, met.message
        if crash := _crash(pod):
            return "CrashLoop", crash
    return None


def _crash(pod: Manifest) -> str | None:
    """How a container ended that waits to be started again, and what it said."""
    for container in container_statuses(pod):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") == "CrashLoopBackOff":
            ended = (container.get("lastState") or {}).get("terminated") or {}
            how = "OOMKilled" if ended.get("reason") == "OOMKilled" else f"exit code {ended.get('exitCode')}"
            words = [f"container {container['name']} ends again and again with {how}", _last_words(ended)]
            return ": ".join(word for word in words if word)
    return None


def _last_words(ended: Manifest) -> str:
    """The last line; of a line of our own processes the words without the time, so that it is the same each time."""
    lines = [line.strip() for line in (ended.get("message") or "").splitlines()]
    line = next((line for line in reversed(lines) if line), "")
    try:
        entry: Any = json.loads(line)
    except ValueError:
        entry = None
    if isinstance(entry, dict) and "event" in entry:
        line = ": ".join(str(entry[key]) for key in ("event", "error", "why") if entry.get(key))
    return line[:MOST_CHARACTERS]
