"""The Service of an assistant as a Kubernetes object: building and reading it. Pure."""

from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime

from studio.contract import labels
from studio.kube.kinds import SERVICE, Manifest
from studio.model_service.orchestrators.registry import Assistant

# No pod carries this as its run: the name resolves, and connections are refused.
NOBODY = "none"
# When the Service began to send to the run that it names, by the clock of the database.
SINCE = f"{labels.GROUP}/since"


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """What a Service says. `ours`: the model service made it for this assistant; `intact`: nobody bent it.

    `since` is when it began to send to `serving`; None: not known. `settling`: it sends there, ready or not.
    """

    ours: bool
    owner: str | None
    serving: str | None
    fence: int
    intact: bool
    since: datetime | None
    settling: bool


def build(assistant: Assistant, *, run: str | None, fence: int, version: str) -> Manifest:
    """The Service that sends to a run, or to nobody."""
    common = labels.common(
        instance=assistant.name,
        studio=assistant.studio,
        component=labels.Component.RUN,
        managed_by=labels.MANAGED_BY_MODEL_SERVICE,
        version=version,
    )
    return {
        "apiVersion": SERVICE.api_version,
        "kind": SERVICE.kind,
        "metadata": {
            "name": assistant.name,
            "namespace": assistant.namespace,
            "labels": {**common, labels.ASSISTANT: assistant.name},
            "annotations": {labels.FENCE: str(fence)},
            "ownerReferences": [
                {
                    "apiVersion": labels.API_VERSION,
                    "kind": "Assistant",
                    "name": assistant.name,
                    "uid": assistant.uid,
                    "controller": False,
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "spec": {"type": "ClusterIP", "selector": _selector(assistant, run), "ports": _ports()},
    }


def read(assistant: Assistant, live: Manifest) -> ServiceFacts:
    """The facts of a live Service of the assistant's name."""
    metadata, spec = live["metadata"], live.get("spec", {})
    found = metadata.get("labels") or {}
    selector = spec.get("selector") or {}
    run = selector.get(labels.RUN)
    owners = [owner["uid"] for owner in metadata.get("ownerReferences") or [] if owner.get("kind") == "Assistant"]
    annotations = metadata.get("annotations") or {}
    fence = annotations.get(labels.FENCE, "")
    ports = [{key: port.get(key) for key in ("name", "port", "targetPort")} for port in spec.get("ports") or []]
    return ServiceFacts(
        ours=found.get(labels.MANAGED_BY) == labels.MANAGED_BY_MODEL_SERVICE
        and found.get(labels.ASSISTANT) == assistant.name,
        owner=owners[0] if owners else None,
        serving=None if run in (None, NOBODY) else run,
        fence=int(fence) if fence.isdigit() else 0,
        intact=selector == _selector(assistant, run) and ports == [_without_protocol(port) for port in _ports()],
        since=_moment(annotations.get(SINCE)),
        settling=spec.get("publishNotReadyAddresses") is True,
    )


def pointed(
    assistant: Assistant, live: Manifest, *, run: str | None, fence: int, since: datetime | None, settling: bool
) -> Manifest:
    """The live Service changed to send to a run; what the API server or others added stays.

    While it is `settling`, readiness does not count: who makes the endpoints hears of a Service and of a pod in any
    order, and one that is ready for us may not be ready for them yet, so that for a moment there would be no endpoint.
    """
    body = deepcopy(live)
    told = {labels.FENCE: str(fence)} | ({SINCE: since.isoformat(timespec="milliseconds")} if since else {})
    body["metadata"]["annotations"] = {**(body["metadata"].get("annotations") or {}), **told}
    body["spec"]["selector"] = _selector(assistant, run)
    body["spec"]["ports"] = _ports()
    body["spec"]["publishNotReadyAddresses"] = settling
    return body


def _selector(assistant: Assistant, run: str | None) -> dict[str, str]:
    pods = labels.selector(instance=assistant.name, studio=assistant.studio, component=labels.Component.RUN)
    return {**pods, labels.RUN: run or NOBODY}


def _moment(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _ports() -> list[Manifest]:
    return [{"name": "http", "port": labels.ENGINE_PORT, "targetPort": labels.ENGINE_PORT, "protocol": "TCP"}]


def _without_protocol(port: Manifest) -> Manifest:
    return {key: value for key, value in port.items() if key != "protocol"}
