"""A namespace of one test: made restricted, searched by component, removed at the end."""

import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cluster.errors import ClusterError
from stage.kubectl import Kubectl
from studio.contract import labels
from studio_e2e import manifests
from studio_e2e.waiting import NotYet, eventually

Manifest = dict[str, Any]
REMOVED_WITHIN = 120.0


@dataclass(frozen=True)
class Space:
    """One namespace through kubectl; `ClusterError` carries kubectl's own words."""

    kubectl: Kubectl
    name: str

    @classmethod
    def make(cls, kubectl: Kubectl, purpose: str) -> "Space":
        """A new namespace `e2e-<purpose>-<random>` with Pod Security `restricted`."""
        space = cls(kubectl, f"e2e-{purpose}-{secrets.token_hex(2)}")
        kubectl.apply(json.dumps(manifests.namespace(space.name)))
        return space

    def remove(self, *, wait: bool = True) -> None:
        """Delete the namespace and, unless told otherwise, wait until it is gone."""
        self.kubectl.run("delete", "namespace", self.name, "--ignore-not-found", "--wait=false")
        if wait:
            self.wait_gone()

    def wait_gone(self, *, within: float = REMOVED_WITHIN) -> None:
        """Until the namespace does not exist. Raises TimedOut with what holds it."""
        eventually(f"namespace {self.name} is gone", self._gone, within=within)

    def run(self, *arguments: str, stdin: str | None = None, timeout: float = 60) -> str:
        """Standard output of one kubectl call in this namespace. Raises ClusterError."""
        return self.kubectl.run("-n", self.name, *arguments, stdin=stdin, timeout=timeout)

    def apply(self, *objects: Manifest) -> None:
        """Server-side apply as a person would. Raises ClusterError with the API server's refusal."""
        self.run("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=_as_list(objects))

    def create(self, *objects: Manifest) -> None:
        """Create, without a record of the applied fields: for large objects. Raises ClusterError."""
        self.run("create", "-f", "-", stdin=_as_list(objects))

    def get(self, kind: str, name: str) -> Manifest | None:
        """One object, or None."""
        return self.kubectl.objects.get(kind, name, self.name)

    def must_get(self, kind: str, name: str) -> Manifest:
        """One object that is known to exist."""
        found = self.get(kind, name)
        assert found is not None, f"{kind} {name} does not exist in {self.name}"
        return found

    def list(
        self, kinds: str, *, component: str = "", assistant: str = "", selector: str = "", fields: str = ""
    ) -> list[Manifest]:
        """The objects of some kinds (comma separated), by component, assistant and other labels, and by fields."""
        wanted = {labels.COMPONENT: component, labels.ASSISTANT: assistant}
        chosen = ",".join([*(f"{key}={value}" for key, value in wanted.items() if value), *filter(None, [selector])])
        return self.kubectl.objects.list(kinds, self.name, labels=chosen, fields=fields)

    def delete(self, kind: str, name: str, *options: str) -> None:
        """Delete one object; fine when it is gone already."""
        self.run("delete", kind, name, "--ignore-not-found", *options, timeout=150)

    def patch(self, kind: str, name: str, patch: Manifest) -> None:
        """A merge patch. Raises ClusterError."""
        self.run("patch", kind, name, "--type=merge", "-p", json.dumps(patch))

    def execute(self, pod: str, *command: str, container: str = "", timeout: float = 60) -> str:
        """Standard output of a command inside a pod. Raises ClusterError."""
        where = ["-c", container] if container else []
        return self.run("exec", pod, *where, "--", *command, timeout=timeout)

    def pod_of(self, component: str) -> Manifest:
        """A running pod of a component. Raises TimedOut."""

        def running() -> Manifest | None:
            pods = self.list("pods", component=component)
            return next((p for p in pods if is_ready(p) and "deletionTimestamp" not in p["metadata"]), None)

        return eventually(f"a ready pod of {component} in {self.name}", running, within=60)

    def _gone(self) -> bool:
        live = self.kubectl.objects.get("namespace", self.name)
        if live is None:
            return True
        raise NotYet(json.dumps(live.get("status", {}))[:1500])


class Spaces:
    """The namespaces of a session that are in use. E2E_KEEP=1 keeps them all."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl
        self.in_use: list[Space] = []

    def make(self, purpose: str) -> Space:
        """A new one."""
        space = Space.make(self._kubectl, purpose)
        self.in_use.append(space)
        return space

    def drop(self, space: Space) -> None:
        """It is not needed any more. It goes while others work: that namespaces can go has a test of its own."""
        self.in_use.remove(space)
        if not keeping():
            space.remove(wait=False)

    def close(self) -> None:
        """Drop what is left."""
        for space in list(self.in_use):
            self.drop(space)


def keeping() -> bool:
    """Whether the person at the keyboard wants to look at what the tests made."""
    return os.environ.get("E2E_KEEP") == "1"


def is_ready(pod: Manifest) -> bool:
    """Whether the pod's Ready condition is true."""
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", []))


def refusal(space: Space, *objects: Manifest) -> str:
    """The API server's words when it refuses to apply, without storing anything; empty when it accepts."""
    try:
        space.run("apply", "--server-side", "--dry-run=server", "--validate=false", "-f", "-", stdin=_as_list(objects))
    except ClusterError as error:
        return str(error)
    return ""


def _as_list(objects: Sequence[Manifest]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
