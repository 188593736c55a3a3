"""A gate at the API server: a validating webhook on this machine, asked before any write of a Studio's processes.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

import queue
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio_e2e import webhook
from studio_e2e.space import Space

Manifest = dict[str, Any]

# The API server waits no longer; whoever was forgotten here passes before that.
LONGEST_SECONDS = 30
_POD = "authentication.kubernetes.io/pod-name"


@dataclass(frozen=True)
class HeldRequest:
    """A write that the API server has not stored: the AdmissionRequest, and what is to become of it."""

    request: Manifest
    verdict: "Future[Manifest]" = field(default_factory=Future)

    @property
    def step(self) -> str:
        """Who does what: the service account without the Studio's name, verb and resource."""
        account = self.request["userInfo"]["username"].rpartition(":")[2].partition("-")[2]
        return f"{account} {self.request['operation'].lower()} {self.request['resource']['resource']}"

    @property
    def pod(self) -> str:
        """The pod that asks."""
        return str(self.request["userInfo"]["extra"][_POD][0])

    def allow(self) -> None:
        """Let it be stored."""
        self.verdict.set_result({"allowed": True})

    def refuse(self, code: int, reason: str, message: str) -> None:
        """Let the API server answer with this HTTP status, the `reason` of its Status object, and these words."""
        status = {"status": "Failure", "code": code, "reason": reason, "message": message}
        self.verdict.set_result({"allowed": False, "status": status})


class AdmissionGate:
    """The webhook's side of the gate."""

    def __init__(self) -> None:
        self._arrived: queue.SimpleQueue[HeldRequest] = queue.SimpleQueue()

    def held(self) -> list[HeldRequest]:
        """Who has come since the last look; each has to be given its verdict."""
        found = []
        while not self._arrived.empty():
            found.append(self._arrived.get())
        return found

    def answer(self, review: Manifest) -> Manifest:
        """The AdmissionReview that answers `review`, once there is a verdict."""
        held = HeldRequest(review["request"])
        self._arrived.put(held)
        try:
            verdict = held.verdict.result(timeout=LONGEST_SECONDS - 1)
        except TimeoutError:
            verdict = {"allowed": True}
        return webhook.response(review, **verdict)


@contextmanager
def closed(space: Space, address: str, folder: Path) -> Iterator[AdmissionGate]:
    """Close the gate for the Jobs and Services of a namespace while the block runs.

    `address` is where the API server finds this machine, `folder` takes the certificate.
    """
    gate = AdmissionGate()
    with webhook.served(gate.answer, address, folder) as client:
        space.apply(configuration(space.name, client))
        try:
            yield gate
        finally:
            space.delete("validatingwebhookconfiguration", space.name)
            for held in gate.held():
                held.allow()


def configuration(namespace: str, client: Manifest) -> Manifest:
    """What the API server is told: to ask about the writes of the namespace's own service accounts."""
    rules = [
        {"apiGroups": [group], "apiVersions": ["v1"], "resources": [kind], "operations": ["CREATE", "UPDATE", "DELETE"]}
        for group, kind in (("batch", "jobs"), ("", "services"))
    ]
    ours = f"request.userInfo.username.startsWith('system:serviceaccount:{namespace}:')"
    webhook = {
        "name": "gate.e2e.studio-operator.io",
        "clientConfig": client,
        "rules": rules,
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "matchConditions": [{"name": "ours", "expression": ours}],
        "sideEffects": "None",
        "failurePolicy": "Ignore",
        "timeoutSeconds": LONGEST_SECONDS,
        "admissionReviewVersions": ["v1"],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": namespace},
        "webhooks": [webhook],
    }
