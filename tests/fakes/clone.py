"""Copies of manifests: several times as fast as the general copy, and the fakes do little else."""

from typing import TypeVar

T = TypeVar("T")


def clone(value: T) -> T:
    """A copy of what JSON can hold; other values are shared."""
    if type(value) is dict:
        return {key: clone(inner) for key, inner in value.items()}  # type: ignore[return-value]
    if type(value) is list:
        return [clone(inner) for inner in value]  # type: ignore[return-value]
    return value
