"""What a running cluster tells about our processes: memory, and requests to the API server."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from cluster.errors import ClusterError
from measuring.figures import requests_by_kind, writes_by_resource
from studio.contract import labels
from studio_e2e import faults, processes
from studio_e2e.space import Space

Manifest = dict[str, Any]

_METRICS = f"""\
import urllib.request as u
print(u.urlopen("http://127.0.0.1:{labels.API_PORT}/metrics", timeout=20).read().decode())
"""


def operator_home(space: Space) -> Space:
    """The namespace of the operator."""
    return Space(space.kubectl, faults.OPERATOR_NAMESPACE)


@dataclass(frozen=True)
class Memory:
    """Of all processes of a pod, in MiB; `proportional` divides what is shared, also with other pods."""

    resident: float
    proportional: float


def memory(space: Space, pod: Manifest) -> Memory:
    """What a pod holds. On a node elsewhere: process 1 as the pod itself sees it, nothing divided."""
    found = processes.of_pod(pod["metadata"]["uid"])
    if found:
        resident, proportional = sum(process.rss for process in found), sum(process.pss for process in found)
        return Memory(resident / processes.MEBIBYTE, proportional / processes.MEBIBYTE)
    status = space.execute(pod["metadata"]["name"], "cat", "/proc/1/status")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    mebibytes = int(line.split()[1]) / 1024
    return Memory(mebibytes, mebibytes)


def our_requests(space: Space, components: list[str]) -> Counter[tuple[str, str]]:
    """All requests to the API server so far of the operator and of the Studio's processes in a namespace."""
    home = operator_home(space)
    pods = [(home, pod) for pod in faults.operator_pods(home)]
    pods += [(space, pod) for component in components for pod in space.list("pods", component=component)]
    total: Counter[tuple[str, str]] = Counter()
    for where, pod in pods:
        total += requests_by_kind(where.execute(pod["metadata"]["name"], "python3", "-c", _METRICS))
    return total


def writes_of_all_clients(space: Space) -> Counter[str] | None:
    """What the API server changed for anybody so far, by resource; None where it does not say."""
    try:
        return writes_by_resource(space.kubectl.run("get", "--raw", "/metrics", timeout=60))
    except ClusterError:
        return None


def everything(space: Space) -> list[Manifest]:
    """The objects of a namespace that make up its end state: no pods, no ReplicaSets, no events."""
    kinds = (
        "studios,assistants,deployments,statefulsets,jobs,services,configmaps,secrets,serviceaccounts,"
        "rolebindings,persistentvolumeclaims"
    )
    return space.list(kinds)
