"""Faults as they happen: processes killed with SIGKILL."""

import json
import os
import signal
from contextlib import suppress
from typing import Any

from studio_e2e import processes
from studio_e2e.space import Space

Manifest = dict[str, Any]
OPERATOR_NAMESPACE = "studio-operator-system"
OPERATOR = "studio-operator"


def sigkill(space: Space, pod: Manifest) -> None:
    """Kill every process of a pod with SIGKILL, so that nothing in it can say goodbye.

    Where the processes are not on this machine the pod is deleted without grace, which is as near as one can get.
    """
    found = processes.of_pod(pod["metadata"]["uid"])
    for process in found:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    if not found:
        space.delete("pod", pod["metadata"]["name"], "--grace-period=0", "--force")


def kill_operator(space: Space) -> None:
    """Kill the operator, wherever it is in its work."""
    home = Space(space.kubectl, OPERATOR_NAMESPACE)
    for pod in operator_pods(home):
        sigkill(home, pod)


def operator_pods(home: Space) -> list[Manifest]:
    """The pods of the operator's Deployment that are not on their way out."""
    deployment = home.must_get("deployment", OPERATOR)
    selector = ",".join(f"{key}={value}" for key, value in deployment["spec"]["selector"]["matchLabels"].items())
    pods: list[Manifest] = json.loads(home.run("get", "pods", "-l", selector, "-o", "json"))["items"]
    return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
