"""Merge patches for what server-side apply cannot put right: it takes nothing away that somebody else has put in."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from studio.contract.labels import GROUP
from studio.kube import Manifest
from studio_operator.planning.drift import APPLIED

# What came back with the very write that took it away. Admission insists upon it, and would in every pass.
TOLERATED = f"{GROUP}/tolerated"

# A field, and the fields in it that are meant; None: the field itself, as one value.
Fields = Mapping[str, Any]

# What Kubernetes takes as one value, so that an addition changes what the whole means: our pods are not found, are not
# rolled out, go elsewhere, or run something else. Where we set none of it, none is what we want.
# Nothing that the API server or a controller sets may ever be here. Jobs are not, because Kueue gives them a
# nodeSelector before they start, and nobody can change theirs afterwards.
_PODS: Fields = {"template": {"spec": {"nodeSelector": None, "containers": {"command": None, "args": None}}}}
_WHOLE: Mapping[str, Fields] = {
    "Service": {"spec": {"selector": None}},
    "Deployment": {"spec": {"paused": None, **_PODS}},
    "StatefulSet": {"spec": _PODS},
}


def surplus(desired: Manifest, live: Manifest) -> Manifest:
    """The merge patch that takes out of `live` what breaks us and what we did not put in; empty when there is nothing.

    That is all that `desired` does not have of the fields above. Lists of containers are patched as they are, so the
    patch is only good for the very version that it was made of.
    """
    return _of_mapping(_WHOLE.get(desired["kind"], {}), desired, live)


def replacement(desired: Manifest, live: Manifest) -> Manifest:
    """The merge patch that makes what we set in the spec exactly ours, down to the last field.

    Left alone are fields of the spec itself that we do not set, since the API server keeps addresses in some, and what
    others have noted in the metadata of a pod template.
    """
    spec = live.get("spec") or {}
    return {"spec": {key: _exactly(value, spec.get(key)) for key, value in desired["spec"].items()}}


def fields_of(patch: Manifest, path: str = "") -> list[str]:
    """The paths of what a merge patch changes, without values: those may be secrets."""
    found = []
    for key, value in patch.items():
        inner = f"{path}.{key}" if path else key
        found += fields_of(value, inner) if isinstance(value, dict) else [inner]
    return found


def toleration(desired: Manifest, patch: Manifest) -> str:
    """The value of TOLERATED for a surplus that came back. Another wish of ours is worth another try."""
    wish = desired["metadata"]["annotations"][APPLIED]
    return hashlib.sha256(json.dumps([wish, patch], sort_keys=True).encode()).hexdigest()[:16]


def _of_mapping(fields: Fields, desired: Manifest, live: Manifest) -> Manifest:
    found = {key: _of_field(inner, desired.get(key), live.get(key)) for key, inner in fields.items()}
    return {key: patch for key, patch in found.items() if patch != {}}


def _of_field(fields: Fields | None, desired: Any, live: Any) -> Any:
    """The patch of one field: an empty mapping leaves it as it is, None removes it."""
    if not live:
        return {}
    if fields is None:
        return _of_value(desired, live)
    return _of_items(fields, desired, live) if isinstance(live, list) else _of_mapping(fields, desired or {}, live)


def _of_value(desired: Any, live: Any) -> Any:
    if not desired:
        return None
    if isinstance(desired, dict) and isinstance(live, dict):
        return {key: None for key in live if key not in desired}
    return {}


def _of_items(fields: Fields, desired: list[Manifest] | None, live: list[Manifest]) -> Any:
    """The whole list, for a merge patch knows no items; those that only others name stay as they are."""
    wanted = {item["name"]: item for item in desired or []}
    gone = [_of_mapping(fields, wanted.get(item["name"], item), item) for item in live]
    kept = [{key: value for key, value in item.items() if key not in its} for item, its in zip(live, gone, strict=True)]
    return kept if any(gone) else {}


def _exactly(value: Any, live: Any) -> Any:
    if not isinstance(value, dict) or not isinstance(live, dict):
        return value
    foreign: Manifest = {key: None for key in live if key not in value}
    return foreign | {
        key: inner if key == "metadata" else _exactly(inner, live.get(key)) for key, inner in value.items()
    }
