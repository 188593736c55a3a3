"""The controllers and Services around a pod."""

from studio.contract.labels import CONFIG_DIGEST, Component
from studio_operator.components.context import Context, StudioContext
from studio_operator.components.metadata import Manifest, common_labels, metadata, selector, stateful_set_name

# A new pod serves before an old one goes.
SURGE_FIRST: Manifest = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
# An old pod goes before a new one comes: there are never more pods than slots.
GO_FIRST: Manifest = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}

_HISTORY = 3


def template(context: Context, component: Component, spec: Manifest, digest: str | None = None) -> Manifest:
    """A pod template; a changed `digest` of what the pod mounts rolls it."""
    annotations = {"annotations": {CONFIG_DIGEST: digest}} if digest else {}
    return {"metadata": {"labels": common_labels(context, component)} | annotations, "spec": spec}


def deployment(context: Context, component: Component, pod: Manifest, *, replicas: int, strategy: Manifest) -> Manifest:
    """A Deployment of a pod template."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(context, component),
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": _HISTORY,
            "selector": {"matchLabels": selector(context, component)},
            "strategy": strategy,
            "template": pod,
        },
    }


def stateful_set(
    context: StudioContext, component: Component, pod: Manifest, *, size: str, storage_class: str | None
) -> Manifest:
    """A StatefulSet of one pod with one volume, `data`."""
    claim: Manifest = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    if storage_class:
        claim["storageClassName"] = storage_class
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata(context, component, stateful_set_name(context, component)),
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": _HISTORY,
            # In order, a pod that cannot start is waited for for ever, also once its template has been corrected:
            # https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
            "podManagementPolicy": "Parallel",
            "serviceName": context.child(component),
            "selector": {"matchLabels": selector(context, component)},
            "template": pod,
            "updateStrategy": {"type": "RollingUpdate"},
            "persistentVolumeClaimRetentionPolicy": {
                "whenDeleted": "Retain" if context.retains else "Delete",
                "whenScaled": "Retain",
            },
            # Immutable, so only labels that never change.
            "volumeClaimTemplates": [
                {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "metadata": {"name": "data", "labels": selector(context, component)},
                    "spec": claim,
                }
            ],
        },
    }


def service(context: Context, component: Component, *, port_name: str, port: int) -> Manifest:
    """A Service with one port, which the container has under the same name."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(context, component),
        "spec": {
            "type": "ClusterIP",
            "selector": selector(context, component),
            "ports": [{"name": port_name, "port": port, "targetPort": port_name, "protocol": "TCP"}],
        },
    }


def job(
    context: Context, component: Component, name: str, pod: Manifest, *, retries: int, deadline_seconds: int
) -> Manifest:
    """A Job that runs a pod to its end once."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(context, component, name),
        "spec": {"backoffLimit": retries, "activeDeadlineSeconds": deadline_seconds, "template": pod},
    }
