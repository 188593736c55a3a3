"""Copies of manifests: several times as fast as the general copy, and the fakes do little else."""

from typing import Any, TypeVar

T = TypeVar("T")


def clone(value: T) -> T:
    """A copy of what JSON can hold; other values are shared."""
    copied: T = _clone(value)
    return copied


def _clone(value: Any) -> Any:
    if type(value) is dict:
        return {key: _clone(inner) for key, inner in value.items()}
    if type(value) is list:
        return [_clone(inner) for inner in value]
    return value
