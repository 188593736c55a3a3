"""An API server that has no time for a Studio's processes: whatever they ask is answered with 429.

https://kubernetes.io/docs/concepts/cluster-administration/flow-control/
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from studio_e2e.space import Space
from studio_e2e.waiting import NotYet, eventually

Manifest = dict[str, Any]

_API = "flowcontrol.apiserver.k8s.io/v1"
_LEVELS = "/debug/api_priority_and_fairness/dump_priority_levels"


@contextmanager
def shedding(space: Space) -> Iterator[None]:
    """While the block runs, at most for as long as a webhook may take: the gate at the API server has to be closed.

    A priority level without seats still lets in one request at a time. Here that is one that stands at the gate.
    """
    for body in objects(space.name):
        space.kubectl.apply(json.dumps(body))
    account = f"system:serviceaccount:{space.name}:studio-training-consumer"
    groups = [f"--as-group={group}" for group in (f"system:serviceaccounts:{space.name}", "system:authenticated")]
    path = f"/apis/batch/v1/namespaces/{space.name}/jobs?dryRun=All"
    command = space.kubectl.command("create", "--raw", path, "-f", "-", f"--as={account}", *groups)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as only_one:
        assert only_one.stdin is not None
        only_one.stdin.write(json.dumps(_a_job()))
        only_one.stdin.close()
        try:
            eventually("the only seat is taken", lambda: _is_taken(space), within=10)
            yield
        finally:
            only_one.terminate()
            for body in objects(space.name):
                space.delete(body["kind"], body["metadata"]["name"])


def objects(namespace: str) -> list[Manifest]:
    """A priority level without seats, and the flow of a namespace's service accounts, which leads there."""
    metadata = {"name": namespace}
    seats = {"nominalConcurrencyShares": 0, "lendablePercent": 0, "borrowingLimitPercent": 0}
    anything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": True}
    group = {"kind": "Group", "group": {"name": f"system:serviceaccounts:{namespace}"}}
    level = {"type": "Limited", "limited": {**seats, "limitResponse": {"type": "Reject"}}}
    flow = {
        "priorityLevelConfiguration": metadata,
        "matchingPrecedence": 10,
        "rules": [{"subjects": [group], "resourceRules": [anything]}],
    }
    return [
        {"apiVersion": _API, "kind": "PriorityLevelConfiguration", "metadata": metadata, "spec": level},
        {"apiVersion": _API, "kind": "FlowSchema", "metadata": metadata, "spec": flow},
    ]


def _a_job() -> Manifest:
    pod = {"restartPolicy": "Never", "containers": [{"name": "nothing", "image": "nothing"}]}
    metadata = {"name": "takes-the-only-seat"}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": {"spec": pod}}}


def _is_taken(space: Space) -> bool:
    """Whether one request of the level is being executed."""
    lines = [line.replace(" ", "").split(",") for line in space.kubectl.run("get", "--raw", _LEVELS).splitlines()]
    executing = lines[0].index("ExecutingRequests")
    seats = [line[executing] for line in lines if line[0] == space.name]
    if seats != ["1"]:
        raise NotYet(f"{seats} seats are taken")
    return True
