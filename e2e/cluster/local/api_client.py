"""Asks the API server questions with the administrator's certificate, without starting kubectl for each of them."""

import http.client
import json
import ssl
from pathlib import Path
from typing import Any

from cluster.local.addresses import AddressPlan
from cluster.local.components import API_PORT, NODE


class ApiClient:
    """Questions to one API server."""

    def __init__(self, plan: AddressPlan, pki: Path) -> None:
        """Use the certificates in ``pki``; the server need not run yet."""
        self._plan = plan
        self._pki = pki

    def ready(self) -> bool:
        """Tell whether the API server is ready, its own roles included."""
        return self._get("/readyz") == b"ok"

    def node_ready(self) -> bool:
        """Tell whether the node's condition Ready is true."""
        conditions = self._status(f"/api/v1/nodes/{NODE}").get("conditions", [])
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    def available(self, deployment: str) -> bool:
        """Tell whether a Deployment in kube-system has an available pod."""
        status = self._status(f"/apis/apps/v1/namespaces/kube-system/deployments/{deployment}")
        return bool(status.get("availableReplicas", 0))

    def _status(self, path: str) -> dict[str, Any]:
        body = self._get(path)
        return dict(json.loads(body).get("status", {})) if body else {}

    def _get(self, path: str) -> bytes:
        """The body of a successful answer, nothing otherwise."""
        try:
            tls = ssl.create_default_context(cafile=str(self._pki / "ca.crt"))
            tls.load_cert_chain(self._pki / "admin.crt", self._pki / "admin.key")
            connection = http.client.HTTPSConnection(str(self._plan.node), API_PORT, timeout=5, context=tls)
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                body = answer.read()
            finally:
                connection.close()
        except (OSError, http.client.HTTPException):
            return b""
        return body if answer.status == http.HTTPStatus.OK else b""
