"""A gate at the API server: a validating webhook on this machine, asked before any write of a Studio's processes.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

import base64
import json
import queue
import ssl
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from cluster.local.pki import CertificatePlan, write_pki
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
        return {key: review[key] for key in ("apiVersion", "kind")} | {
            "response": {"uid": review["request"]["uid"], **verdict}
        }


@contextmanager
def closed(space: Space, address: str, folder: Path) -> Iterator[AdmissionGate]:
    """Close the gate for the Jobs and Services of a namespace while the block runs.

    `address` is where the API server finds this machine, `folder` takes the certificate.
    """
    gate = AdmissionGate()
    write_pki(folder, [CertificatePlan("gate", "gate", names=(address,))])
    with ThreadingHTTPServer((address, 0), _handler(gate)) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "gate.crt", folder / "gate.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"https://{address}:{server.server_address[1]}/"
        space.apply(configuration(space.name, url, (folder / "ca.crt").read_bytes()))
        try:
            yield gate
        finally:
            space.delete("validatingwebhookconfiguration", space.name)
            for held in gate.held():
                held.allow()
            server.shutdown()


def configuration(namespace: str, url: str, authority: bytes) -> Manifest:
    """What the API server is told: to ask about the writes of the namespace's own service accounts."""
    rules = [
        {"apiGroups": [group], "apiVersions": ["v1"], "resources": [kind], "operations": ["CREATE", "UPDATE", "DELETE"]}
        for group, kind in (("batch", "jobs"), ("", "services"))
    ]
    ours = f"request.userInfo.username.startsWith('system:serviceaccount:{namespace}:')"
    webhook = {
        "name": "gate.e2e.studio-operator.io",
        "clientConfig": {"url": url, "caBundle": base64.b64encode(authority).decode()},
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


def _handler(gate: AdmissionGate) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["content-length"])))
            body = json.dumps(gate.answer(review)).encode()
            # The API server asks no more for somebody who is dead.
            with suppress(OSError):
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class names it so
            """Nobody reads it."""

    return Handler
