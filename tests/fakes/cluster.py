"""The `Cluster` port on the API server in memory, with stores that are always up to date, and a process that may die.

As the operator's stores do, it shows by `cached` and `select` only what carries a managed-by label of the project, and
never a Secret.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.fakes.kube import FakeKube

from studio.contract import labels
from studio.kube import ASSISTANT, POD, SECRET, STUDIO, Kind, Manifest, kind_of

FIELD_MANAGER = "studio-operator"
MANAGERS = (labels.MANAGED_BY_OPERATOR, labels.MANAGED_BY_MODEL_SERVICE)


class Crash(Exception):
    """The process died here."""


@dataclass
class Lifeline:
    """Counts the steps that leave a trace outside, and ends the process at one of them."""

    steps: int = 0
    dies_at: int | None = None
    after: bool = False

    def before_step(self) -> None:
        """To be called before a step."""
        self.steps += 1
        if self.steps == self.dies_at and not self.after:
            raise Crash

    def after_step(self) -> None:
        """To be called after a step: it was carried out, nobody heard of it."""
        if self.steps == self.dies_at and self.after:
            raise Crash


class FakeCluster:
    """See the module."""

    def __init__(self, kube: FakeKube, lifeline: Lifeline | None = None) -> None:
        self.kube = kube
        self.lifeline = lifeline or Lifeline()

    def cached(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        assert kind != SECRET, "Secrets are read by name only"
        body = self.kube.objects.get((kind, namespace, name))
        return body if body is not None and _watched(kind, body) else None

    def select(self, kind: Kind, namespace: str, labels: Mapping[str, str] | None = None) -> list[Manifest]:
        assert kind != SECRET, "Secrets are read by name only"
        return [
            body
            for (its_kind, within, _), body in self.kube.objects.items()
            if its_kind == kind and within == namespace and _watched(kind, body) and _carries(body, labels or {})
        ]

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        return await self.kube.get(kind, namespace, name)

    async def pods(self, namespace: str, selector: str) -> list[Manifest]:
        return await self.kube.list(POD, namespace, labels=selector)

    async def apply(self, body: Manifest) -> Manifest:
        self.lifeline.before_step()
        answer = await self.kube.apply(body, field_manager=FIELD_MANAGER)
        self.lifeline.after_step()
        return answer

    async def create(self, body: Manifest) -> Manifest:
        self.lifeline.before_step()
        answer = await self.kube.create(kind_of(body), body)
        self.lifeline.after_step()
        return answer

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str | None = None) -> bool:
        self.lifeline.before_step()
        answer = await self.kube.delete(kind, namespace, name, uid=uid)
        self.lifeline.after_step()
        return answer

    async def patch(self, kind: Kind, namespace: str, name: str, patch: Manifest, *, resource_version: str) -> Manifest:
        self.lifeline.before_step()
        answer = await self.kube.patch(kind, namespace, name, patch, resource_version=resource_version)
        self.lifeline.after_step()
        return answer

    async def write_status(self, kind: Kind, namespace: str, name: str, status: dict[str, Any]) -> Manifest:
        self.lifeline.before_step()
        body = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {"namespace": namespace, "name": name},
            "status": status,
        }
        answer = await self.kube.apply_status(body, field_manager=f"{FIELD_MANAGER}-status")
        self.lifeline.after_step()
        return answer


def _watched(kind: Kind, body: Manifest) -> bool:
    return kind in (ASSISTANT, STUDIO) or body["metadata"].get("labels", {}).get(labels.MANAGED_BY) in MANAGERS


def _carries(body: Manifest, wanted: Mapping[str, str]) -> bool:
    carried: dict[str, str] = body["metadata"].get("labels", {})
    return wanted.items() <= carried.items()
