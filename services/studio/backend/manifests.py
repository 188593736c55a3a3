"""Assistants and the Studio, from their manifests to what people see. Pure.

The manifests are the operator's; what an older or newer one wrote otherwise is left out, never an error.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from studio.backend.models.assistants import (
    Assistant,
    AssistantModel,
    AssistantRun,
    AssistantTraining,
    ComponentState,
    Condition,
    IngestionState,
    NewAssistant,
    StudioState,
)
from studio.contract import labels
from studio.kube import Manifest

DEFAULT_STUDIO = "studio"
DISPLAY_NAME = f"{labels.GROUP}/display-name"

_SOURCES = {"studio": "studio", "files": "files", "configMaps": "config_maps", "git": "git"}


def studio_of(manifest: Manifest) -> str:
    """The name of the Studio that an Assistant is part of."""
    return str(_at(manifest, "spec", "studioRef", "name") or DEFAULT_STUDIO)


def slim(manifest: Manifest) -> Manifest:
    """The manifest without what is large and not shown: inline files and the records of field managers."""
    metadata = {key: value for key, value in manifest.get("metadata", {}).items() if key != "managedFields"}
    spec = dict(manifest.get("spec") or {})
    if isinstance(spec.get("source"), dict):
        spec["source"] = {kind: {} for kind in spec["source"]}
    return {**manifest, "metadata": metadata, "spec": spec}


def assistant_view(manifest: Manifest) -> Assistant:
    """An Assistant as people see it."""
    metadata = manifest["metadata"]
    spec, status = _mapping(manifest.get("spec")), _mapping(manifest.get("status"))
    conditions = conditions_of(status)
    return Assistant.model_validate(
        {
            "name": metadata["name"],
            "display_name": annotation(manifest, DISPLAY_NAME),
            "language": spec.get("language") or "en",
            "source": source_of(manifest),
            "created_at": metadata.get("creationTimestamp"),
            "ready": _holds(conditions, "Ready"),
            "available": _holds(conditions, "Available"),
            "paused": bool(spec.get("paused")),
            "deleting": "deletionTimestamp" in metadata,
            "conditions": conditions,
            "fingerprint": status.get("fingerprint"),
            "training": _training(_mapping(status.get("training"))),
            "model": _model(_mapping(status.get("model"))),
            "run": _run(_mapping(status.get("run"))),
            "urls": {key: value for key, value in _mapping(status.get("urls")).items() if isinstance(value, str)},
            "published_revision": published_revision(manifest),
            "generation": metadata.get("generation", 1),
        }
    )


def studio_view(manifest: Manifest | None, *, name: str, namespace: str, ingestion: IngestionState) -> StudioState:
    """The Studio as people see it; one that is not seen (yet) is not ready."""
    status = _mapping((manifest or {}).get("status"))
    conditions = conditions_of(status)
    components = [part for part in status.get("components") or [] if isinstance(part, dict) and part.get("name")]
    return StudioState(
        name=name,
        namespace=namespace,
        version=status.get("version"),
        ready=_holds(conditions, "Ready"),
        conditions=conditions,
        components=[
            ComponentState(name=part["name"], ready=part.get("ready", 0), desired=part.get("desired", 0))
            for part in components
        ],
        assistants=status.get("assistants"),
        running_slots=status.get("runningSlots"),
        ingestion=ingestion,
    )


def new_assistant(wanted: NewAssistant, *, studio: str, namespace: str) -> Manifest:
    """The Assistant whose content is edited in the Studio."""
    annotations = {DISPLAY_NAME: wanted.display_name} if wanted.display_name else {}
    return {
        "apiVersion": labels.API_VERSION,
        "kind": "Assistant",
        "metadata": {
            "name": wanted.name,
            "namespace": namespace,
            "labels": {labels.PART_OF: studio},
            **({"annotations": annotations} if annotations else {}),
        },
        "spec": {"studioRef": {"name": studio}, "language": wanted.language, "source": {"studio": {}}},
    }


def annotation(manifest: Manifest, name: str) -> str | None:
    """The value of an annotation."""
    value = _at(manifest, "metadata", "annotations", name)
    return value if isinstance(value, str) else None


def published_revision(manifest: Manifest) -> int | None:
    """The revision that stands on the Assistant; None: none, or not a number."""
    value = annotation(manifest, labels.PUBLISHED) or ""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None  # noqa: PLR2004


def source_of(manifest: Manifest) -> str:
    """Where the content comes from."""
    source = _mapping(_at(manifest, "spec", "source"))
    return next((name for key, name in _SOURCES.items() if source.get(key) is not None), "files")


def conditions_of(status: Mapping[str, Any]) -> list[Condition]:
    """The conditions of a status."""
    return [
        Condition(
            type=str(found["type"]),
            status=str(found.get("status", "Unknown")),
            reason=str(found.get("reason", "")),
            message=str(found.get("message", "")),
            last_transition_time=_moment(found.get("lastTransitionTime")),
        )
        for found in status.get("conditions") or []
        if isinstance(found, dict) and found.get("type")
    ]


def why_not(assistant: Assistant) -> str:
    """Why nothing answers users: what the conditions of the Assistant say, the most telling first."""
    for kind in ("Stalled", "Available", "Running", "Trained", "ContentReady", "Ready"):
        found = next((each for each in assistant.conditions if each.type == kind), None)
        if found and found.message and found.status == ("True" if kind == "Stalled" else "False"):
            return f"{found.reason}: {found.message}"
    return "the operator has not said why yet"


def _training(found: Mapping[str, Any]) -> AssistantTraining | None:
    if not found.get("id"):
        return None
    return AssistantTraining(
        id=found["id"],
        state=found.get("state", ""),
        position=found.get("position"),
        waits_for=found.get("waitsFor"),
        estimated_start=found.get("estimatedStart"),
        progress=found.get("progress"),
        reason=found.get("reason", ""),
    )


def _model(found: Mapping[str, Any]) -> AssistantModel | None:
    if not found.get("version"):
        return None
    return AssistantModel(
        version=found["version"], sha256=found.get("sha256", ""), trained_at=_moment(found.get("trainedAt"))
    )


def _run(found: Mapping[str, Any]) -> AssistantRun | None:
    return AssistantRun(id=found["id"], state=found.get("state", "")) if found.get("id") else None


def _holds(conditions: list[Condition], kind: str) -> bool:
    return any(condition.type == kind and condition.status == "True" for condition in conditions)


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _at(value: Any, *path: str) -> Any:
    for part in path:
        value = _mapping(value).get(part)
    return value
