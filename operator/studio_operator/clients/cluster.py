"""The API server as the reconcile may use it: reads from stores or live, writes only through the gate."""

from collections.abc import Mapping
from typing import Any

from studio.kube import POD, Kind, Kube, Manifest, kind_of
from studio_operator.runtime.gate import WriteGate
from studio_operator.runtime.intake import Intake
from studio_operator.runtime.stores import Stores

FIELD_MANAGER = "studio-operator"
STATUS_FIELD_MANAGER = "studio-operator-status"


class KubeCluster:
    """The `Cluster` port. Every write raises NotLeader once the lease has run out, and teaches the store its answer."""

    def __init__(self, kube: Kube, gate: WriteGate, stores: Stores, intake: Intake) -> None:
        self._kube = kube
        self._gate = gate
        self._stores = stores
        self._intake = intake

    def cached(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """One object from the store of its kind; None also for a kind that is not watched."""
        return self._stores.get(kind, namespace, name)

    def select(self, kind: Kind, namespace: str, labels: Mapping[str, str] | None = None) -> list[Manifest]:
        """All cached objects of a namespace that carry the labels. Raises KeyError for a kind that is not watched."""
        return self._stores.of(kind).select(namespace, labels)

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """One object, read live; None when it does not exist."""
        return await self._kube.get(kind, namespace, name)

    async def pods(self, namespace: str, selector: str) -> list[Manifest]:
        """The pods that a label selector finds, read live."""
        return await self._kube.list(POD, namespace, labels=selector)

    async def apply(self, body: Manifest) -> Manifest:
        """Server-side apply with the operator's field manager."""
        async with self._gate.guard():
            return self._learned(await self._kube.apply(body, field_manager=FIELD_MANAGER))

    async def create(self, body: Manifest) -> Manifest:
        """Create, never overwrite. Raises AlreadyExists."""
        async with self._gate.guard():
            return self._learned(await self._kube.create(kind_of(body), body), created=True)

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str | None = None) -> bool:
        """Delete in the background, only if the uid still matches; False when it was gone."""
        async with self._gate.guard():
            return await self._kube.delete(kind, namespace, name, uid=uid)

    async def patch(self, kind: Kind, namespace: str, name: str, patch: Manifest, *, resource_version: str) -> Manifest:
        """Merge patch as a compare-and-swap. Raises Conflict."""
        async with self._gate.guard():
            answer = await self._kube.patch(kind, namespace, name, patch, resource_version=resource_version)
            return self._learned(answer)

    async def write_status(self, kind: Kind, namespace: str, name: str, status: dict[str, Any]) -> Manifest:
        """Write the whole status of a custom resource; what it no longer names disappears."""
        body = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {"namespace": namespace, "name": name},
            "status": status,
        }
        async with self._gate.guard():
            return self._learned(await self._kube.apply_status(body, field_manager=STATUS_FIELD_MANAGER))

    def _learned(self, answer: Manifest, *, created: bool = False) -> Manifest:
        self._intake.learn(kind_of(answer), answer, created=created)
        return answer
