"""How the fake API server merges: merge patches (RFC 7386) and, well enough, server-side apply."""

from typing import Any

from tests.fakes.clone import clone

# Lists of objects that are merged by key, as in the built-in types' x-kubernetes-list-map-keys.
_LIST_KEYS: dict[str, tuple[str, ...]] = {
    "conditions": ("type",),
    "containers": ("name",),
    "env": ("name",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ownerReferences": ("uid",),
    "ports": ("containerPort", "port"),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
_SETS = frozenset({"finalizers"})


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: null deletes, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return clone(patch)
    merged = clone(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def apply_merge(live: Any, desired: Any, previous: Any, others: list[Any], field: str = "") -> Any:
    """Server-side apply of one value: `previous` is what this manager applied before, `others` what others apply.

    What this manager no longer applies disappears, unless another manager applies it too.
    """
    if isinstance(desired, dict) and isinstance(live, dict):
        return _merge_objects(live, desired, previous, others)
    if isinstance(desired, list) and isinstance(live, list):
        return _merge_lists(live, desired, previous, others, field)
    return clone(desired)


def _merge_objects(live: dict[str, Any], desired: dict[str, Any], previous: Any, others: list[Any]) -> dict[str, Any]:
    before = previous if isinstance(previous, dict) else {}
    shared = [other for other in others if isinstance(other, dict)]
    merged = {}
    for key, value in live.items():
        if key in desired:
            inner = [other[key] for other in shared if key in other]
            merged[key] = apply_merge(value, desired[key], before.get(key), inner, key)
        elif key not in before or any(key in other for other in shared):
            merged[key] = clone(value)
    return merged | {key: clone(value) for key, value in desired.items() if key not in live}


def _merge_lists(live: list[Any], desired: list[Any], previous: Any, others: list[Any], field: str) -> list[Any]:
    before = previous if isinstance(previous, list) else []
    if field in _SETS:
        kept = [item for item in live if item not in before or any(item in other for other in others)]
        return kept + [item for item in desired if item not in kept]
    key = next((key for key in _LIST_KEYS.get(field, ()) if all(key in item for item in live + desired)), None)
    if key is None:
        return clone(desired)
    merged = _merge_objects(
        {item[key]: item for item in live},
        {item[key]: item for item in desired},
        {item[key]: item for item in before},
        [{item[key]: item for item in other} for other in others if isinstance(other, list)],
    )
    return list(merged.values())
