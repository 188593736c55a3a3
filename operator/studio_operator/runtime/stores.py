"""What the watches told, kept in memory: one store per kind, repaired by lists.

A watch can lose a deletion (the gap after a 410), so a store is never trusted for good: the slow pass replaces its
content by a list. Both arrive in any order; the resourceVersion says which is newer.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from studio.kube import Kind, Manifest
from studio_operator.runtime import metrics

Place = tuple[str, str]

# Bulk that nobody reads: kubectl's copy of the whole object, and who set which field.
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Difference(NamedTuple):
    """One object as it was held, and as it is now; None where it did not or does not exist."""

    before: Manifest | None
    after: Manifest | None

    def versions(self) -> Iterator[Manifest]:
        """Both, as far as they exist."""
        return (body for body in self if body is not None)


class Store:
    """The objects of one kind. Callers must not change what they get."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._objects: dict[Place, Manifest] = {}
        # The resourceVersion at which an object vanished, so that an older list does not bring it back.
        self._vanished: dict[Place, str] = {}

    def get(self, namespace: str, name: str) -> Manifest | None:
        """One object."""
        return self._objects.get((namespace, name))

    def select(self, namespace: str | None = None, labels: Mapping[str, str] | None = None) -> list[Manifest]:
        """The objects of a namespace (None: of all) that carry all the labels."""
        wanted = (labels or {}).items()
        return [
            body
            for (within, _), body in self._objects.items()
            if namespace in (None, within) and wanted <= (body["metadata"].get("labels") or {}).items()
        ]

    def observe(self, event: str | None, body: Manifest) -> Difference | None:
        """Take in an event of the watch, or the answer to a write of our own; None when it is no news."""
        place = _place(body)
        before = self._objects.get(place)
        if event == "DELETED":
            return self._forget(place, before, _version(body))
        known = self._vanished.get(place, "") if before is None else _version(before)
        if not _newer(_version(body), known):
            return None
        after = self._objects[place] = self._trimmed(body)
        self._vanished.pop(place, None)
        self._count()
        return Difference(before, after)

    def replace(self, items: Iterable[Manifest], version: str, namespace: str | None = None) -> list[Difference]:
        """Make a complete list, taken at resourceVersion `version`, the content of a namespace (None: of all).

        What the watch told of later than the list stays. Returns what the list had to correct.
        """
        listed = {_place(item): item for item in items}
        found = [difference for item in listed.values() if (difference := self.observe(None, item)) is not None]
        for place, body in list(self._objects.items()):
            if place in listed or namespace not in (None, place[0]) or _newer(_version(body), version):
                continue
            del self._objects[place]
            found.append(Difference(body, None))
        for place, vanished in list(self._vanished.items()):
            if namespace in (None, place[0]) and not _newer(vanished, version):
                del self._vanished[place]
        self._count()
        return found

    def __len__(self) -> int:
        return len(self._objects)

    def _forget(self, place: Place, before: Manifest | None, version: str) -> Difference | None:
        """The answer to the write that let an object go may carry the version of its deletion: equal is not older."""
        if before is not None and _newer(_version(before), version):
            return None
        self._vanished[place] = version
        if before is None:
            return None
        del self._objects[place]
        self._count()
        return Difference(before, None)

    def _trimmed(self, body: Manifest) -> Manifest:
        """Without the bulk; with apiVersion and kind, which a list of the server leaves out."""
        metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
        if _LAST_APPLIED in (metadata.get("annotations") or {}):
            metadata["annotations"] = {k: v for k, v in metadata["annotations"].items() if k != _LAST_APPLIED}
        return {**body, "apiVersion": self.kind.api_version, "kind": self.kind.kind, "metadata": metadata}

    def _count(self) -> None:
        metrics.STORE_OBJECTS.labels(self.kind.kind).set(len(self._objects))


class MetadataStore(Store):
    """Keeps of each object only that it exists, in which version, and whose it is."""

    def _trimmed(self, body: Manifest) -> Manifest:
        kept = ("name", "namespace", "uid", "resourceVersion", "labels", "ownerReferences", "deletionTimestamp")
        metadata = {key: body["metadata"][key] for key in kept if key in body["metadata"]}
        return {"apiVersion": self.kind.api_version, "kind": self.kind.kind, "metadata": metadata}


class Stores:
    """The stores of all watched kinds."""

    def __init__(self, stores: Iterable[Store]) -> None:
        self._stores = {store.kind: store for store in stores}

    def of(self, kind: Kind) -> Store:
        """The store of a kind. Raises KeyError for one that is not watched."""
        return self._stores[kind]

    def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """One object, None also when its kind is not watched."""
        store = self._stores.get(kind)
        return None if store is None else store.get(namespace, name)

    def learn(self, kind: Kind, body: Manifest) -> Difference | None:
        """Take in the answer to a write, so that its event is no news; None when it changed nothing."""
        store = self._stores.get(kind)
        return None if store is None else store.observe(None, body)

    def __iter__(self) -> Iterator[Store]:
        return iter(self._stores.values())


def _place(body: Manifest) -> Place:
    return body["metadata"].get("namespace", ""), body["metadata"]["name"]


def _version(body: Manifest) -> str:
    return str(body["metadata"].get("resourceVersion", ""))


def _newer(one: str, other: str) -> bool:
    """Versions of one kind compare as integers (KEP-5504); should they ever not, the later arrival wins."""
    if one.isdecimal() and other.isdecimal():
        return int(one) > int(other)
    return one != other or one == ""
