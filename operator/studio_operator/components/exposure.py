"""How people reach the entry proxy from outside of the cluster, as far as the Studio's spec asks for it."""

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from studio.contract.labels import API_PORT, Component
from studio_operator.components.context import StudioContext
from studio_operator.components.metadata import Manifest, metadata

COMPONENT = Component.ENTRY_PROXY


def ingress(context: StudioContext) -> list[Manifest]:
    """The Ingress, if one is wanted. It sets no annotation but the user's."""
    wanted = context.spec.ingress
    if wanted is None:
        return []
    host = _host(context)
    backend = {"service": {"name": context.child(COMPONENT), "port": {"name": "http"}}}
    rule: Manifest = {"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    spec: Manifest = {"rules": [({"host": host} if host else {}) | rule]}
    if wanted.class_name:
        spec["ingressClassName"] = wanted.class_name
    if wanted.tls_secret_name:
        spec["tls"] = [({"hosts": [host]} if host else {}) | {"secretName": wanted.tls_secret_name}]
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": metadata(context, COMPONENT)
            | ({"annotations": dict(wanted.annotations)} if wanted.annotations else {}),
            "spec": spec,
        }
    ]


def route(context: StudioContext) -> list[Manifest]:
    """The HTTPRoute, if one is wanted: https://gateway-api.sigs.k8s.io/reference/spec/."""
    wanted = context.spec.gateway
    if wanted is None:
        return []
    host = _host(context)
    spec: dict[str, Any] = {
        "parentRefs": [parent.manifest() for parent in wanted.parent_refs],
        # No timeouts: those of the proxy hold, and streams of events last.
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [{"name": context.child(COMPONENT), "port": API_PORT}],
            }
        ],
    }
    if host:
        spec["hostnames"] = [host]
    return [
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": metadata(context, COMPONENT),
            "spec": spec,
        }
    ]


def _host(context: StudioContext) -> str | None:
    """The host of publicUrl; None for an address, by which neither kind can choose."""
    host = urlsplit(context.spec.public_url).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host
    return None
