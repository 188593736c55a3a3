"""The APIs of the orchestrators, asked as the operator would ask them: with a token of its service account."""

import json
from typing import Any

from studio.contract import labels
from studio.contract.labels import Component
from studio_e2e.faults import OPERATOR, OPERATOR_NAMESPACE
from studio_e2e.space import Space

_GET = """\
import sys, urllib.request as u
request = u.Request(sys.argv[1], headers={"authorization": "Bearer " + sys.argv[2]})
print(u.urlopen(request, timeout=20).read().decode())
"""


def trainings(space: Space, assistant: str) -> list[dict[str, Any]]:
    """All trainings of an assistant, newest first or last as the orchestrator has them."""
    found = json.loads(_get(space, f"/v1/trainings?assistant={assistant}"))
    items: list[dict[str, Any]] = found if isinstance(found, list) else found["items"]
    return items


def models(space: Space, assistant: str) -> list[dict[str, Any]]:
    """All models of an assistant."""
    found: list[dict[str, Any]] = json.loads(_get(space, f"/v1/models?assistant={assistant}"))
    return found


def runs(space: Space, assistant: str) -> list[dict[str, Any]]:
    """All runs of an assistant, newest first."""
    found = _get(space, f"/v1/runs?assistant={assistant}", of=Component.RUNNING_ORCHESTRATOR)
    items: list[dict[str, Any]] = json.loads(found)
    return items


def training_log(space: Space, training: str) -> str:
    """The archived log of a training."""
    return _get(space, f"/v1/trainings/{training}/log")


def _get(space: Space, path: str, *, of: Component = Component.TRAINING_ORCHESTRATOR) -> str:
    home = Space(space.kubectl, OPERATOR_NAMESPACE)
    token = home.run("create", "token", OPERATOR, f"--audience={labels.AUDIENCE}", "--duration=10m").strip()
    pod = space.pod_of(of)["metadata"]["name"]
    return space.execute(pod, "python3", "-c", _GET, f"http://127.0.0.1:{labels.API_PORT}{path}", token)
