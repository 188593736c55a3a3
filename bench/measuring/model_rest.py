"""Consumers at rest: what they hold in memory and what they take of the CPU."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import ClusterError
from measuring import cluster_facts, model_stage, scenarios
from stage.kubectl import Kubectl
from studio_e2e import assistants, manifests, processes
from studio_e2e.space import Space


@dataclass(frozen=True)
class Rest:
    """Of each consumer: MiB resident, and its share of a core in percent."""

    memory: list[float]
    cpu: list[float]


def rest(kubectl: Kubectl, *, seconds: float = 60) -> Rest:
    """Two consumers of trainings and the spare slot of a Studio in which nothing happens."""
    with model_stage.namespace(kubectl, "rest") as space:
        space.apply(manifests.studio(training={"consumers": 2}))
        assistants.wait_studio_ready(space)
        time.sleep(scenarios.SETTLE_SECONDS)
        pods = [pod for component in scenarios.CONSUMERS for pod in space.list("pods", component=component)]
        memory = [cluster_facts.memory(space, pod).resident for pod in pods]
        began, before = time.monotonic(), [_cpu_seconds(space, pod) for pod in pods]
        time.sleep(seconds)
        lasted = time.monotonic() - began
        cpu = [100 * (_cpu_seconds(space, pod) - used) / lasted for pod, used in zip(pods, before, strict=True)]
        return Rest(memory, cpu)


def _cpu_seconds(space: Space, pod: cluster_facts.Manifest) -> float:
    """Of all processes of a pod since their start. Raises ClusterError where they are not on this machine."""
    found = processes.of_pod(pod["metadata"]["uid"])
    if not found:
        raise ClusterError(f"the processes of {space.name}/{pod['metadata']['name']} are not on this machine")
    return sum(used_seconds(Path(f"/proc/{process.pid}/stat").read_text()) for process in found)


def used_seconds(stat: str) -> float:
    """User and system time in a line of /proc/<pid>/stat; the name in it may have blanks and brackets."""
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
