"""Figures computed from Kubernetes objects, metrics and lists of seconds. Pure."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

Manifest = dict[str, Any]

_SAMPLE = re.compile(r"^(?P<name>[a-zA-Z_:][\w:]*)\{(?P<labels>[^}]*)\} (?P<value>\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_READS = frozenset({"get", "list", "logs", "watch"})
# Ids carry a number and a digest of a uid; migrations a digest of their spec: neither is the same in a second run.
_IDENTITY = re.compile(r"-([tr])\d+-[0-9a-f]{5}(-\d+)?$")
_MIGRATION = re.compile(r"-migration-[0-9a-f]{8}$")
# What nodes, controllers and the garbage collector write all the time, whatever runs on the cluster.
_HOUSEKEEPING = frozenset({"leases", "events", "nodes", "tokenreviews", "subjectaccessreviews", "serviceaccounts"})
_CHANGES = frozenset({"POST", "PUT", "PATCH", "APPLY", "DELETE"})


def cpu_request(pod: Manifest) -> Decimal:
    """The cores that the scheduler reserves for a pod.

    https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
    """
    sidecars, most = Decimal(0), Decimal(0)
    for container in pod["spec"].get("initContainers", []):
        wanted = _cores(container)
        if container.get("restartPolicy") == "Always":
            sidecars += wanted
            most = max(most, sidecars)
        else:
            most = max(most, sidecars + wanted)
    running = sum((_cores(container) for container in pod["spec"]["containers"]), sidecars)
    return max(most, running)


def _cores(container: Manifest) -> Decimal:
    quantity = str(container.get("resources", {}).get("requests", {}).get("cpu", "0"))
    return Decimal(quantity[:-1]) / 1000 if quantity.endswith("m") else Decimal(quantity)


def requests_by_kind(metrics: str) -> Counter[tuple[str, str]]:
    """The requests to the API server in the metrics of a process, by (`read`, `write` or `lease`; verb and kind)."""
    found: Counter[tuple[str, str]] = Counter()
    for given, number in _samples(metrics, "studio_kube_requests_total"):
        sort = "lease" if given["kind"] == "Lease" else "read" if given["verb"] in _READS else "write"
        found[sort, f"{given['verb']} {given['kind']}"] += number
    return found


def writes_by_resource(metrics: str) -> Counter[str]:
    """The changes in the metrics of an API server, whoever made them, by `resource.group`, without housekeeping."""
    found: Counter[str] = Counter()
    for given, number in _samples(metrics, "apiserver_request_total"):
        if given["verb"] in _CHANGES and given["resource"] not in _HOUSEKEEPING:
            found[f"{given['resource']}.{given['group']}".rstrip(".")] += number
    return found


def _samples(metrics: str, name: str) -> Iterator[tuple[dict[str, str], int]]:
    """The labels and the value of each sample of a counter."""
    for line in metrics.splitlines():
        sample = _SAMPLE.match(line)
        if sample is not None and sample["name"] == name:
            yield dict(_LABEL.findall(sample["labels"])), int(float(sample["value"]))


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: a value that was really measured."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def spread(values: Sequence[float]) -> str:
    """Smallest, median and largest value, and how many there are."""
    return (
        f"{min(values):.2f} / {percentile(values, 0.5):.2f} / {max(values):.2f} (min / median / max of {len(values)})"
    )


def end_state(objects: Iterable[Manifest]) -> list[str]:
    """What a namespace came to, one line an object, without what differs from run to run or goes by itself."""
    return sorted(_line(item) for item in objects if not _passes(item))


def differences(expected: Sequence[str], found: Sequence[str]) -> list[str]:
    """What is missing (`-`) and what there is too much (`+`), each as often as it is."""
    missing, surplus = Counter(expected), Counter(found)
    return [
        *(f"- {line}" for line in sorted((missing - surplus).elements())),
        *(f"+ {line}" for line in sorted((surplus - missing).elements())),
    ]


def _passes(item: Manifest) -> bool:
    """The Job of a training goes a minute after its end: when it is seen says nothing."""
    component = item["metadata"].get("labels", {}).get("app.kubernetes.io/component")
    return bool(item["kind"] == "Job" and component == "training")


def _line(item: Manifest) -> str:
    name = _MIGRATION.sub("-migration-*", _IDENTITY.sub(r"-\1*", item["metadata"]["name"]))
    parts = [item["kind"], name]
    if "replicas" in item.get("spec", {}):
        parts.append(f"replicas={item['spec']['replicas']}")
    conditions = item.get("status", {}).get("conditions", [])
    if item["apiVersion"].startswith("studio-operator.io/"):
        parts += sorted(f"{c['type']}={c['status']}/{c['reason']}" for c in conditions)
        parts += [f"finalizers={','.join(item['metadata'].get('finalizers', []))}"]
    if item["kind"] == "Assistant":
        # Models are numbered: whoever trained twice shows it here.
        parts += [f"model={item.get('status', {}).get('model', {}).get('version', '')}"]
    return " ".join(parts)
