"""Three versions of a project: here, in the Studio, and the one that both had last. Decides, touches nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from studio.cli.project import Content, digest

# Path -> sha256 of the file when folder and Studio last agreed; None: they never did.
Base = Mapping[str, str] | None


class Change(StrEnum):
    """What happens to one file."""

    ADD = "add"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True)
class Plan:
    """What to do, and the clashes: files that both sides changed since they last agreed."""

    changes: dict[str, Change]
    clashes: list[str]
    kept: list[str]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do and nothing to say."""
        return not self.changes and not self.clashes


def push_plan(local: Content, remote: Content, base: Base) -> Plan:
    """What a push does: afterwards the Studio has what is here, no more. Clashes are others' changes that it undoes."""
    changes = _changes(target=remote, wanted=local)
    clashes = [] if base is None else [path for path in changes if _changed(path, remote, base)]
    return Plan(changes, sorted(clashes), [])


def pull_plan(local: Content, remote: Content, base: Base, *, force: bool) -> Plan:
    """What a pull does to the folder: local changes stay, and are clashes where the Studio changed, too.

    With `force` the Studio wins. Files that only ever were here are never removed.
    """
    known = base or {}
    changes: dict[str, Change] = {}
    clashes: list[str] = []
    kept: list[str] = []
    for path, change in _changes(target=local, wanted=remote).items():
        if change is Change.DELETE and path not in known:
            kept.append(path)
        elif force or not _changed(path, local, known):
            changes[path] = change
        elif _changed(path, remote, known):
            clashes.append(path)
        else:
            kept.append(path)
    return Plan(changes, sorted(clashes), sorted(kept))


def _changes(*, target: Content, wanted: Content) -> dict[str, Change]:
    changes: dict[str, Change] = {}
    for path in sorted(target.keys() | wanted.keys()):
        if path not in wanted:
            changes[path] = Change.DELETE
        elif path not in target:
            changes[path] = Change.ADD
        elif target[path] != wanted[path]:
            changes[path] = Change.UPDATE
    return changes


def _changed(path: str, content: Content, base: Mapping[str, str]) -> bool:
    return (digest(content[path]) if path in content else None) != base.get(path)
