"""What `make down` takes away, and what it leaves to its owner."""

import io
from dataclasses import dataclass, field
from typing import Any

import pytest

from cluster.errors import ClusterError
from cluster.progress import Progress
from stage import operator


@dataclass
class Objects:
    """Those of a cluster, by kind."""

    found: dict[str, list[dict[str, Any]]]

    def get(self, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        del namespace
        return {} if kind == "crd" and name.partition(".")[0] in self.found else None

    def list(self, kinds: str) -> list[dict[str, Any]]:
        return self.found[kinds]


@dataclass
class Kubectl:
    """Remembers what it was asked to do."""

    objects: Objects
    calls: list[tuple[str, ...]] = field(default_factory=list)

    def run(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        del stdin, timeout
        self.calls.append(arguments)
        return "kind: Deployment"


def assistant(namespace: str, name: str) -> dict[str, Any]:
    return {"kind": "Assistant", "metadata": {"namespace": namespace, "name": name}}


@pytest.mark.parametrize("kinds", [{}, {"assistants": [], "studios": []}], ids=["not installed", "nothing left"])
def test_an_operator_without_work_is_removed(kinds: dict[str, list[dict[str, Any]]]) -> None:
    kubectl = Kubectl(Objects(kinds))
    operator.remove(kubectl, Progress(io.StringIO()))  # type: ignore[arg-type]
    assert [call[0] for call in kubectl.calls] == ["kustomize", "delete"]


def test_the_assistants_of_others_keep_their_operator() -> None:
    kubectl = Kubectl(Objects({"assistants": [assistant("shop", "clerk")], "studios": []}))
    with pytest.raises(ClusterError, match=r"The operator stays for Assistant shop/clerk: delete all Assistants"):
        operator.remove(kubectl, Progress(io.StringIO()))  # type: ignore[arg-type]
    assert kubectl.calls == []
