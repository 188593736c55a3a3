"""Arithmetic on Kubernetes quantities, as far as the memory of an attempt needs it."""

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
_SUFFIXES = {
    "": Fraction(1),
    "m": Fraction(1, 1000),
    **{suffix: Fraction(1000**power) for power, suffix in enumerate(("k", "M", "G", "T", "P", "E"), start=1)},
    **{suffix: Fraction(1024**power) for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)},
}
_QUANTITY = re.compile(r"^([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:([eE][+-]?[0-9]+)|([a-zA-Z]*))$")
_MI = 1024 * 1024


def in_bytes(quantity: str | float) -> int:
    """The number of bytes that `quantity` stands for, rounded up. ValueError if it is not a quantity."""
    match = _QUANTITY.match(str(quantity).strip())
    if match is None or (match[3] or "") not in _SUFFIXES:
        raise ValueError(f"{quantity!r} is not a quantity of Kubernetes, such as 2Gi")
    exact = Fraction(match[1] + (match[2] or "")) * _SUFFIXES[match[3] or ""]
    return -(-exact.numerator // exact.denominator)


def with_memory(resources: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """`resources` with the memory of requests and limits multiplied by `factor`, in whole Mi; nothing else changed."""
    if factor == 1:
        return dict(resources)
    scaled = dict(resources)
    for kind in ("requests", "limits"):
        amounts = resources.get(kind)
        if amounts and "memory" in amounts:
            mebibytes = -(-int(in_bytes(amounts["memory"]) * factor) // _MI)
            scaled[kind] = {**amounts, "memory": f"{mebibytes}Mi"}
    return scaled
