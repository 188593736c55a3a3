"""What is in the cluster, asked of the API server itself.

Whoever waits looks several times a second, and a kubectl for each look takes a tenth of a second of a processor.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from kubernetes.client import ApiClient
from kubernetes.config import ConfigException, new_client_from_config
from urllib3.exceptions import HTTPError

from cluster.errors import ClusterError

Manifest = dict[str, Any]

REQUEST_SECONDS = 60.0
# https://kubernetes.io/docs/concepts/overview/kubernetes-api/#aggregated-discovery
_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@dataclass(frozen=True)
class Resource:
    """Where the objects of a kind are."""

    root: str
    plural: str
    namespaced: bool

    def path(self, namespace: str | None, name: str = "") -> str:
        """The path of one object, or of all of a namespace; None: of all namespaces."""
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{self.root}{scope}/{self.plural}" + (f"/{name}" if name else "")


class Objects:
    """Reads objects; a kind is called as kubectl does: `pods`, `pod`, `po` or `Pod`."""

    def __init__(self, kubeconfig: str) -> None:
        self._kubeconfig = kubeconfig
        self._resources: dict[str, Resource] = {}

    def get(self, kind: str, name: str, namespace: str | None = None) -> Manifest | None:
        """One object, or None where it does not exist. Raises ClusterError."""
        return self._ask(self._resource(kind).path(namespace, name))

    def list(self, kinds: str, namespace: str | None = None, *, labels: str = "", fields: str = "") -> list[Manifest]:
        """The objects of some kinds (comma separated), by their labels and fields. Raises ClusterError."""
        chosen = {"labelSelector": labels, "fieldSelector": fields}
        query = urlencode({key: value for key, value in chosen.items() if value})
        found = []
        for kind in kinds.split(","):
            answer = self._ask(f"{self._resource(kind).path(namespace)}?{query}") or {}
            items = answer.get("items") or []
            of_kind = {"apiVersion": answer.get("apiVersion"), "kind": str(answer.get("kind")).removesuffix("List")}
            found += [of_kind | item for item in items]
        return found

    def _resource(self, kind: str) -> Resource:
        called = kind.lower()
        if called not in self._resources:
            # Whatever was not there when we looked first may have been added since.
            self._resources = self._discover()
        if called not in self._resources:
            raise ClusterError(f"the cluster knows no {kind}")
        return self._resources[called]

    def _discover(self) -> dict[str, Resource]:
        """The resources by all their names; of two with the same name the one that the API server prefers."""
        found: dict[str, Resource] = {}
        for root in ("/api", "/apis"):
            for group in (self._ask(root, accept=_DISCOVERY) or {}).get("items", []):
                group_name = group["metadata"].get("name", "")
                at = f"{root}/{group_name}".rstrip("/")
                for version in group["versions"]:
                    for resource in version["resources"]:
                        plural, namespaced = resource["resource"], resource["scope"] == "Namespaced"
                        names = (plural, resource.get("singularResource", plural), *resource.get("shortNames", ()))
                        where = Resource(f"{at}/{version['version']}", plural, namespaced)
                        for name in (*names, f"{plural}.{group_name}"):
                            found.setdefault(name, where)
        return found

    def _ask(self, path: str, *, accept: str = "application/json") -> Manifest | None:
        """The answer to a GET; None: there is no such thing."""
        client, headers = self._client, {"Accept": accept}
        client.update_params_for_auth(headers, [], ["BearerToken"], path, "GET", None)
        try:
            answer = client.rest_client.request(  # type: ignore[no-untyped-call]
                "GET", client.configuration.host + path, headers=headers, _request_timeout=REQUEST_SECONDS
            )
            body = answer.read()
        except (HTTPError, OSError) as error:
            raise ClusterError(f"GET {path}: {error}") from error
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise ClusterError(f"GET {path}: {answer.status} {body.decode(errors='replace')[-2000:]}")
        found: Manifest = json.loads(body)
        return found

    @cached_property
    def _client(self) -> ApiClient:
        try:
            client: ApiClient = new_client_from_config(config_file=self._kubeconfig)  # type: ignore[no-untyped-call]
        except (ConfigException, OSError) as error:
            raise ClusterError(f"{self._kubeconfig} cannot be used: {error}") from error
        return client
