"""Decisions without I/O: in which order to build, what is missing, what may go."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from builder.catalog import BASE, Image
from builder.errors import BuildError


def select(images: Mapping[str, Image], names: Iterable[str]) -> list[str]:
    """The named images (all if none is named) with everything they start from, parents first."""
    wanted = list(names) or sorted(images)
    graph: dict[str, tuple[str, ...]] = {}
    while wanted:
        name = wanted.pop()
        if name in graph or name == BASE:
            continue
        if name not in images:
            raise BuildError(f"There is no image {name!r}; choose from {', '.join(sorted(images))}.")
        graph[name] = tuple(parent for parent in images[name].parents if parent != BASE)
        wanted.extend(graph[name])
    try:
        return list(TopologicalSorter({name: graph[name] for name in sorted(graph)}).static_order())
    except CycleError as error:
        raise BuildError(f"Images start from one another in a circle: {' -> '.join(error.args[1])}.") from error


def needs_base(images: Mapping[str, Image], names: Iterable[str]) -> bool:
    """Whether any of the images starts from the common base."""
    return any(BASE in images[name].parents for name in names)


def missing(refs: Mapping[str, str], order: Iterable[str], existing: Iterable[str]) -> list[str]:
    """Names whose reference is not there yet, in the given order."""
    have = set(existing)
    return [name for name in order if refs[name] not in have]


def superseded(repository: str, newest_first: Iterable[str], current: str, keep: int) -> list[str]:
    """References of one repository beyond the newest ``keep``; the current one always stays."""
    own = [ref for ref in newest_first if ref.rpartition(":")[0] == repository and ref != current]
    return own[max(keep - 1, 0) :]
