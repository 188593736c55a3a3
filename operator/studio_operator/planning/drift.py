"""Does a live object still say what we want? Of fields that we do not set, `repair` knows the few that matter."""

import hashlib
import json
import re
from decimal import Decimal
from typing import Any

from studio.contract.labels import GROUP
from studio.kube import Manifest

# What was last applied. A field that we stop wanting is not in the new desired state, so a comparison alone would
# not miss it; a changed digest makes us apply, and server-side apply then removes what we owned and no longer name.
APPLIED = f"{GROUP}/applied"

_QUANTITY = re.compile(r"^([+-]?[0-9.]+)([eE][+-]?[0-9]+|[KMGTPE]i|[numkMGTPE]?)$")
_SCALE = {
    "": Decimal(1),
    **{
        suffix: Decimal(1000) ** power
        for suffix, power in zip("numkMGTPE", (-3, -2, -1, 1, 2, 3, 4, 5, 6), strict=True)
    },
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", start=1)},
}


# Plain (not pointer) fields of the API types: the server leaves them out of its answers when they are false, 0 or
# empty. Where any other field is missing, somebody removed it.
_LEFT_OUT = frozenset(
    {"annotations", "data", "hostIPC", "hostNetwork", "hostPID", "labels", "limits", "matchLabels", "minReadySeconds"}
    | {"nodeSelector", "paused", "publishNotReadyAddresses", "readOnly", "requests", "stdin", "stdinOnce", "tty"}
)
# By which field the API server tells the items of a list apart, in the order of preference.
_LIST_KEYS = ("uid", "mountPath", "name")


def stamped(desired: Manifest) -> Manifest:
    """The object with the digest of itself in an annotation."""
    digest = hashlib.sha256(json.dumps(desired, sort_keys=True).encode()).hexdigest()[:16]
    metadata = desired["metadata"]
    annotations = {**metadata.get("annotations", {}), APPLIED: digest}
    return {**desired, "metadata": {**metadata, "annotations": annotations}}


def difference(desired: Any, live: Any, path: str = "") -> str | None:
    """The path of the first field in which `live` is not what `desired` wants, or None.

    Mappings may hold more than is wanted. Lists of items with a key (containers, env, mounts) are compared by key, and
    may hold more as well; other lists must match item by item.
    """
    if desired == live:
        return None
    if isinstance(desired, dict) and isinstance(live, dict):
        for key, value in desired.items():
            if found := _field(key, value, live, path):
                return found
        return None
    if isinstance(desired, list) and isinstance(live, list):
        return _list_difference(desired, live, path)
    return None if _same_quantity(desired, live) else path


def _field(key: str, value: Any, live: dict[str, Any], path: str) -> str | None:
    inner = f"{path}.{key}" if path else key
    if key not in live:
        return None if _absent(key, value) else inner
    return difference(value, live[key], inner)


def _absent(key: str, value: Any) -> bool:
    """Whether the API server would leave this out of its answer."""
    return value is None or value in ("", []) or (not value and key in _LEFT_OUT)


def _list_difference(desired: list[Any], live: list[Any], path: str) -> str | None:
    key = _list_key([*desired, *live])
    if key:
        keyed = {item[key]: item for item in live}
        pairs = [(item, keyed.get(item[key]), f"{path}[{item[key]}]") for item in desired]
    elif len(desired) != len(live):
        return path
    else:
        pairs = [(want, have, f"{path}[{place}]") for place, (want, have) in enumerate(zip(desired, live, strict=True))]
    for want, have, where in pairs:
        if found := (where if have is None else difference(want, have, where)):
            return found
    return None


def _list_key(items: list[Any]) -> str | None:
    if not all(isinstance(item, dict) for item in items):
        return None
    return next((key for key in _LIST_KEYS if all(key in item for item in items)), None)


def _same_quantity(desired: Any, live: Any) -> bool:
    one, other = _quantity(desired), _quantity(live)
    return one is not None and one == other


def _quantity(value: Any) -> Decimal | None:
    """The value of a Kubernetes quantity such as 500m, 1.5Gi or 1e3; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    match = _QUANTITY.match(str(value))
    if not match:
        return None
    number, suffix = match.groups()
    try:
        return Decimal(number) * (_SCALE[suffix] if suffix in _SCALE else Decimal(f"1{suffix}"))
    except ArithmeticError:
        return None
