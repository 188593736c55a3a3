"""Builders of the objects that the suite applies."""

from collections.abc import Mapping
from typing import Any

Manifest = dict[str, Any]

API_VERSION = "studio-operator.io/v1alpha1"
# Small requests, so that the suite fits beside an example on two cores.
_TRAINING = {"resources": {"requests": {"cpu": "100m", "memory": "500Mi"}}}
_RUNNING = {"resources": {"requests": {"cpu": "50m", "memory": "400Mi"}}}
SMALL: Manifest = {"training": _TRAINING, "running": _RUNNING}
_PARTS = (
    "trainingOrchestrator",
    "runningOrchestrator",
    "trainingConsumer",
    "runningConsumer",
    "backend",
    "ingestion",
    "webClient",
    "entryProxy",
    "migration",
)
_SMALL_PARTS = {part: {"resources": {"requests": {"cpu": "5m", "memory": "64Mi"}}} for part in _PARTS}


def namespace(name: str) -> Manifest:
    """A namespace that admits only pods of the Pod Security Standard `restricted`."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted", "studio-operator.io/e2e": "true"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def config_map(name: str, data: Mapping[str, str]) -> Manifest:
    """A ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": dict(data)}


def secret(name: str, data: Mapping[str, str]) -> Manifest:
    """A Secret, from plain text."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": dict(data)}


def small_studio(name: str = "studio", **spec: Any) -> Manifest:
    """A complete Studio whose parts ask for little, so that several find room on two cores."""
    return studio(name, components=_SMALL_PARTS, **spec)


def studio(name: str = "studio", **spec: Any) -> Manifest:
    """A Studio; without a spec a complete one."""
    return {"apiVersion": API_VERSION, "kind": "Studio", "metadata": {"name": name}, "spec": spec}


def assistant(name: str, **spec: Any) -> Manifest:
    """An Assistant with exactly this spec."""
    return {"apiVersion": API_VERSION, "kind": "Assistant", "metadata": {"name": name}, "spec": spec}


def small_assistant(name: str, source: Manifest, **spec: Any) -> Manifest:
    """An Assistant with small requests; `training` and `running` in the spec are merged over them."""
    training = {**_TRAINING, **spec.pop("training", {})}
    running = {**_RUNNING, **spec.pop("running", {})}
    return assistant(name, language="en", source=source, training=training, running=running, **spec)


def from_config_map(name: str) -> Manifest:
    """A source of all keys of one ConfigMap."""
    return {"configMaps": [{"name": name}]}
