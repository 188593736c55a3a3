"""Pods that run as a user whom nobody has foreseen, as clusters give one to each namespace.

https://docs.redhat.com/en/documentation/openshift_container_platform/4.18/html/authentication_and_authorization/managing-pod-security-policies
"""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from studio_e2e import webhook
from studio_e2e.space import Space

Manifest = dict[str, Any]

USER = 1000660000


@contextmanager
def imposed(space: Space, address: str, folder: Path) -> Iterator[None]:
    """While the block runs, every pod of a namespace runs as USER, in no group but 0 and that of its files.

    `address` is where the API server finds this machine, `folder` takes the certificate.
    """
    with webhook.served(_answer, address, folder) as client:
        space.apply(_configuration(space.name, client))
        try:
            yield
        finally:
            space.delete("mutatingwebhookconfiguration", space.name)


def _answer(review: Manifest) -> Manifest:
    pod = review["request"]["object"]["spec"]
    pod["securityContext"] = _as_user(pod.get("securityContext") or {}) | {"fsGroup": USER}
    containers = [*pod["containers"], *pod.get("initContainers", [])]
    for container in (container for container in containers if "securityContext" in container):
        own = container["securityContext"]
        container["securityContext"] = _as_user(own) if "runAsUser" in own else own
    patch = [{"op": "replace", "path": "/spec", "value": pod}]
    encoded = base64.b64encode(json.dumps(patch).encode()).decode()
    return webhook.response(review, allowed=True, patchType="JSONPatch", patch=encoded)


def _as_user(context: Manifest) -> Manifest:
    return context | {"runAsUser": USER, "runAsGroup": 0}


def _configuration(namespace: str, client: Manifest) -> Manifest:
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
    called = {
        "name": "other-user.e2e.studio-operator.io",
        "clientConfig": client,
        "rules": [pods],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "timeoutSeconds": 10,
        "admissionReviewVersions": ["v1"],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": namespace},
        "webhooks": [called],
    }
