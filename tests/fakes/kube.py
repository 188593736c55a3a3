"""An API server in memory, behind the methods of `studio.kube.Kube`.

It keeps resourceVersions, generations, uids, finalizers and field managers, answers selectors and watches, collects
garbage when told to, and fails when told to. It validates nothing and runs no controllers: tests play those with
`set_status`, `put` and `remove`.
"""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Self

from tests.fakes.clone import clone
from tests.fakes.kube_merge import apply_merge, merge_patch
from tests.fakes.kube_selectors import matches_fields, matches_labels

from studio.kube import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    Kind,
    Kube,
    KubeError,
    Manifest,
    NotFound,
    kind_of,
)
from studio.kube.kinds import NAMESPACE, Manifests

Place = tuple[Kind, str, str]
WRITES = frozenset({"create", "update", "patch", "apply", "apply_status", "delete"})


@dataclass(frozen=True)
class Request:
    """One call, as recorded in `FakeKube.requests`; `verb` as in RBAC, `apply` and `apply_status` apart."""

    verb: str
    kind: str
    namespace: str
    name: str


@dataclass
class Fault:
    """An error for the next `times` matching calls; with `after` the call is carried out and the answer is lost."""

    verb: str | None
    kind: Kind | None
    name: str | None
    error: Exception
    times: int
    after: bool

    def hits(self, request: Request) -> bool:
        """Whether this fault is meant for the request."""
        return (
            self.times > 0
            and self.verb in (None, request.verb)
            and self.name in (None, request.name)
            and (self.kind is None or self.kind.kind == request.kind)
        )


class FakeKube(Kube):
    """See the module. `requests` records every call; `writes()` the ones that change something."""

    def __init__(self) -> None:
        self.objects: dict[Place, Manifest] = {}
        self.requests: list[Request] = []
        self.applied: dict[Place, dict[str, Manifest]] = {}
        self._version = 100
        self._compacted = 0
        self._history: list[tuple[int, str, Kind, Manifest]] = []
        self._news = asyncio.Event()
        self._generation_of_watches = 0
        self._faults: list[Fault] = []
        self._logs: dict[tuple[str, str, str], str] = {}
        self._ended_logs: set[tuple[str, str, str]] = set()
        self._log_news = asyncio.Event()
        self._raw: dict[str, bytes] = {}

    # What tests do to it.

    def put(self, body: Manifest) -> Manifest:
        """Store an object as another client would have, status included; replaces what is there, without a request."""
        kind = kind_of(body)
        place = _place(kind, body["metadata"].get("namespace"), body["metadata"]["name"])
        live = self.objects.get(place)
        return self._store(place, body, live)

    def set_status(self, kind: Kind, namespace: str | None, name: str, status: Manifest) -> Manifest:
        """Merge into the status of an object, as its controller would."""
        place = _place(kind, namespace, name)
        live = self.objects[place]
        return self._store(place, live | {"status": merge_patch(live.get("status"), status)}, live)

    def remove(self, kind: Kind, namespace: str | None, name: str, *, silently: bool = False) -> None:
        """Make an object vanish, finalizers or not; `silently` as in a gap of a watch: no event is ever sent."""
        place = _place(kind, namespace, name)
        if silently:
            self._version += 1
            del self.objects[place]
            self.applied.pop(place, None)
        else:
            self._vanish(place)

    def fail(
        self,
        error: Exception,
        *,
        verb: str | None = None,
        kind: Kind | None = None,
        name: str | None = None,
        times: int = 1,
        after: bool = False,
    ) -> None:
        """Answer the next matching calls with an error, instead of (or, with `after`, as well as) doing them."""
        self._faults.append(Fault(verb, kind, name, error, times, after))

    def collect_garbage(self) -> None:
        """Delete objects all of whose owners are gone, until there are none."""
        while True:
            uids = {body["metadata"]["uid"] for body in self.objects.values()}
            orphans = [
                place
                for place, body in self.objects.items()
                if (owners := body["metadata"].get("ownerReferences"))
                and not any(owner["uid"] in uids for owner in owners)
                and "deletionTimestamp" not in body["metadata"]
            ]
            if not orphans:
                return
            for place in orphans:
                self._delete(place)

    def finish_namespace(self, name: str) -> None:
        """Let the namespace controller finish: everything in the namespace vanishes, then the namespace."""
        for place in [place for place in self.objects if place[1] == name]:
            self._vanish(place)
        self._vanish(_place(NAMESPACE, None, name))

    def compact(self) -> None:
        """Forget the history: watches from an older resourceVersion get Gone."""
        self._compacted = self._version
        self._history.clear()

    def close_watches(self) -> None:
        """End all open watches in good order."""
        self._generation_of_watches += 1
        self._announce()

    def set_logs(self, namespace: str, pod: str, container: str, text: str) -> None:
        """What `logs` answers."""
        self._logs[namespace, pod, container] = text
        self._tell_of_logs()

    def end_logs(self, namespace: str, pod: str, container: str) -> None:
        """Let who follows a log come to its end."""
        self._ended_logs.add((namespace, pod, container))
        self._tell_of_logs()

    def _tell_of_logs(self) -> None:
        self._log_news.set()
        self._log_news = asyncio.Event()

    def set_raw(self, path: str, data: bytes) -> None:
        """What `raw_get` answers."""
        self._raw[path] = data

    def writes(self) -> list[Request]:
        """The recorded calls that change something."""
        return [request for request in self.requests if request.verb in WRITES]

    def count(self) -> Counter[str]:
        """How many calls were recorded, by verb."""
        return Counter(request.verb for request in self.requests)

    # The façade.

    @classmethod
    async def connect(cls, *, user_agent: str) -> Self:
        return cls()

    async def close(self) -> None:
        self.close_watches()

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Manifest | None:
        lost = self._begin("get", kind, namespace, name)
        body = self.objects.get(_place(kind, namespace, name))
        _raise(lost)
        return clone(body)

    async def list_with_version(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        metadata_only: bool = False,
    ) -> tuple[Manifests, str]:
        lost = self._begin("list", kind, namespace, "")
        found = [
            clone(_metadata_of(body) if metadata_only else body)
            for (its_kind, _, _), body in sorted(self.objects.items(), key=lambda item: item[0][1:])
            if its_kind == kind and _selected(body, namespace, labels, fields)
        ]
        _raise(lost)
        return found, str(self._version)

    async def create(self, kind: Kind, body: Manifest) -> Manifest:
        metadata = body["metadata"]
        name = metadata.get("name") or f"{metadata['generateName']}{uuid.uuid4().hex[:5]}"
        lost = self._begin("create", kind, metadata.get("namespace"), name)
        place = _place(kind, metadata.get("namespace"), name)
        if place in self.objects:
            raise AlreadyExists(409, "AlreadyExists", f'{kind.plural} "{name}" already exists')
        self._refuse_if_terminating(place)
        fresh = {key: value for key, value in body.items() if key != "status"}
        stored = self._store(place, fresh | {"metadata": dict(metadata, name=name)}, None)
        _raise(lost)
        return stored

    async def patch(
        self, kind: Kind, namespace: str | None, name: str, patch: Manifest, *, resource_version: str | None = None
    ) -> Manifest:
        lost = self._begin("patch", kind, namespace, name)
        place, live = self._existing(kind, namespace, name)
        expected = resource_version or (patch.get("metadata") or {}).get("resourceVersion")
        _check_version(live, expected)
        stored = self._store(place, merge_patch(live, {k: v for k, v in patch.items() if k != "status"}), live)
        _raise(lost)
        return stored

    async def replace(self, kind: Kind, body: Manifest) -> Manifest:
        metadata = body["metadata"]
        lost = self._begin("update", kind, metadata.get("namespace"), metadata["name"])
        place, live = self._existing(kind, metadata.get("namespace"), metadata["name"])
        _check_version(live, metadata.get("resourceVersion"))
        stored = self._store(place, body | ({"status": live["status"]} if "status" in live else {}), live)
        _raise(lost)
        return stored

    async def delete(
        self, kind: Kind, namespace: str | None, name: str, *, uid: str | None = None, propagation: str = "Background"
    ) -> bool:
        lost = self._begin("delete", kind, namespace, name)
        live = self.objects.get(_place(kind, namespace, name))
        if live is None or uid not in (None, live["metadata"]["uid"]):
            return False
        self._delete(_place(kind, namespace, name))
        _raise(lost)
        return True

    async def logs(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        last_bytes: int,
        last_lines: int | None = None,
    ) -> str:
        if (namespace, pod, container) not in self._logs:
            raise NotFound(404, "NotFound", f'container "{container}" of pod "{pod}" has no log')
        text = self._logs[namespace, pod, container]
        if last_lines is not None:
            text = "".join(text.splitlines(keepends=True)[-last_lines:])
        return text.encode()[-last_bytes:].decode(errors="replace")

    async def follow_logs(
        self, namespace: str, pod: str, container: str, *, silence_seconds: float = 3600
    ) -> AsyncIterator[bytes]:
        """What `set_logs` says, and more as it says more, until `end_logs`."""
        place = (namespace, pod, container)
        if place not in self._logs:
            raise NotFound(404, "NotFound", f'container "{container}" of pod "{pod}" has no log')
        sent = 0
        while True:
            text = self._logs[place].encode()
            if len(text) > sent:
                piece, sent = text[sent:], len(text)
                yield piece
            elif place in self._ended_logs:
                return
            else:
                await self._log_news.wait()

    async def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        resource_version: str | None = None,
        timeout_seconds: float = 300,
    ) -> AsyncIterator[tuple[str, Manifest]]:
        _raise(self._begin("watch", kind, namespace, ""))
        watches = self._generation_of_watches
        seen = self._version
        if resource_version is None:
            for body in [b for (k, _, _), b in self.objects.items() if k == kind]:
                if _selected(body, namespace, labels, fields):
                    yield "ADDED", clone(body)
        else:
            seen = int(resource_version)
        while watches == self._generation_of_watches:
            if seen < self._compacted:
                raise Gone(410, "Expired", f"too old resource version: {seen} ({self._compacted})")
            for version, event, its_kind, body in [entry for entry in self._history if entry[0] > seen]:
                seen = version
                if its_kind == kind and _selected(body, namespace, labels, fields):
                    yield event, clone(body)
            if seen >= self._version or not any(entry[0] > seen for entry in self._history):
                try:
                    async with asyncio.timeout(timeout_seconds):
                        await self._news.wait()
                except TimeoutError:
                    return

    async def raw_get(self, path: str) -> bytes:
        if path not in self._raw:
            raise NotFound(404, "NotFound", f"no {path}")
        return self._raw[path]

    async def _apply(self, body: Manifest, subresource: str | None, field_manager: str, *, force: bool) -> Manifest:
        kind, metadata = kind_of(body), body["metadata"]
        verb = "apply_status" if subresource else "apply"
        lost = self._begin(verb, kind, metadata.get("namespace"), metadata["name"])
        place = _place(kind, metadata.get("namespace"), metadata["name"])
        live = self.objects.get(place)
        if live is None and subresource:
            raise NotFound(404, "NotFound", f'{kind.plural} "{place[2]}" not found')
        if live is None:
            self._refuse_if_terminating(place)
        _check_version(live, metadata.get("resourceVersion"))
        managers = self.applied.setdefault(place, {})
        manager = f"{field_manager}/{subresource}" if subresource else field_manager
        intent = _intent(body, subresource)
        others = [other for name, other in managers.items() if name != manager]
        if not force and (field := _contested(intent, live or {}, others)):
            raise Conflict(409, "Conflict", f"Apply failed with 1 conflict: .{field}")
        merged = apply_merge(live or {}, intent, managers.get(manager), others)
        managers[manager] = intent
        stored = self._store(place, merged, live)
        _raise(lost)
        return stored

    # How it works.

    def _begin(self, verb: str, kind: Kind, namespace: str | None, name: str) -> Exception | None:
        request = Request(verb, kind.kind, namespace or "", name)
        self.requests.append(request)
        fault = next((fault for fault in self._faults if fault.hits(request)), None)
        if fault is None:
            return None
        fault.times -= 1
        if not fault.after:
            raise fault.error
        return fault.error

    def _existing(self, kind: Kind, namespace: str | None, name: str) -> tuple[Place, Manifest]:
        place = _place(kind, namespace, name)
        if place not in self.objects:
            raise NotFound(404, "NotFound", f'{kind.plural} "{name}" not found')
        return place, self.objects[place]

    def _store(self, place: Place, body: Manifest, live: Manifest | None) -> Manifest:
        """Write down one version of an object. What does not change it makes no version and no event."""
        kind, namespace, name = place
        stored = json.loads(json.dumps(body))
        if kind.kind == "Secret" and "stringData" in stored:
            raise Invalid(422, "Invalid", "this fake wants data, not stringData")
        metadata = stored["metadata"]
        was = live["metadata"] if live else {}
        metadata |= {
            "name": name,
            "uid": was.get("uid") or metadata.get("uid") or str(uuid.uuid4()),
            "creationTimestamp": was.get("creationTimestamp", "2026-11-21T00:00:00Z"),
            "generation": was.get("generation", 1),
            "resourceVersion": was.get("resourceVersion", "0"),
        }
        if namespace:
            metadata["namespace"] = namespace
        if stored == live:
            return clone(stored)
        if live is not None and stored.get("spec") != live.get("spec"):
            metadata["generation"] += 1
        if "deletionTimestamp" in metadata and not metadata.get("finalizers"):
            self.objects[place] = stored
            return self._vanish(place)
        self._version += 1
        metadata["resourceVersion"] = str(self._version)
        self.objects[place] = stored
        self._record("ADDED" if live is None else "MODIFIED", kind, stored)
        return clone(stored)

    def _delete(self, place: Place) -> None:
        live = self.objects[place]
        if live["metadata"].get("finalizers") or place[0] == NAMESPACE:
            marked = clone(live)
            marked["metadata"].setdefault("deletionTimestamp", "2026-11-21T00:00:01Z")
            if place[0] == NAMESPACE:
                marked["metadata"]["finalizers"] = ["kubernetes"]
                marked["status"] = {"phase": "Terminating"}
            self._store(place, marked, live)
        else:
            self._vanish(place)

    def _vanish(self, place: Place) -> Manifest:
        body = self.objects.pop(place)
        self.applied.pop(place, None)
        self._version += 1
        body["metadata"]["resourceVersion"] = str(self._version)
        self._record("DELETED", place[0], body)
        return clone(body)

    def _record(self, event: str, kind: Kind, body: Manifest) -> None:
        self._history.append((self._version, event, kind, clone(body)))
        self._announce()

    def _announce(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _refuse_if_terminating(self, place: Place) -> None:
        namespace = self.objects.get(_place(NAMESPACE, None, place[1]), {})
        if "deletionTimestamp" in namespace.get("metadata", {}):
            message = f"unable to create new content in namespace {place[1]} because it is being terminated"
            raise Forbidden(403, "Forbidden", message)


def _place(kind: Kind, namespace: str | None, name: str) -> Place:
    return kind, (namespace or "") if kind.namespaced else "", name


def _raise(error: Exception | None) -> None:
    if error is not None:
        raise error


def _metadata_of(body: Manifest) -> Manifest:
    return {key: body[key] for key in ("apiVersion", "kind", "metadata")}


def _selected(body: Manifest, namespace: str | None, labels: str, fields: str) -> bool:
    metadata = body["metadata"]
    return (
        namespace in (None, metadata.get("namespace"))
        and matches_labels(metadata.get("labels") or {}, labels)
        and matches_fields(body, fields)
    )


def _check_version(live: Manifest | None, expected: str | None) -> None:
    if expected is not None and (live is None or live["metadata"]["resourceVersion"] != expected):
        raise Conflict(409, "Conflict", "the object has been modified; please apply your changes to the latest version")


def _intent(body: Manifest, subresource: str | None) -> Manifest:
    """What one apply claims: everything but identity and, as on the server, the status unless it is the subresource."""
    identity = {"name", "namespace", "uid", "resourceVersion", "managedFields"}
    kept = {"apiVersion": body["apiVersion"], "kind": body["kind"]}
    if subresource:
        return kept | {"status": clone(body["status"]), "metadata": {}}
    rest = {key: clone(value) for key, value in body.items() if key != "status"}
    return rest | {"metadata": {k: v for k, v in rest["metadata"].items() if k not in identity}}


def _contested(intent: Any, live: Any, others: list[Any], path: str = "") -> str:
    """The first field that differs from the live object and that another manager applies, or an empty string."""
    if isinstance(intent, dict):
        inner = live if isinstance(live, dict) else {}
        for key, value in intent.items():
            claims = [other[key] for other in others if isinstance(other, dict) and key in other]
            found = _contested(value, inner.get(key), claims, f"{path}.{key}" if path else key)
            if claims and found:
                return found
        return ""
    return path if others and intent != live else ""


__all__ = ["FakeKube", "Fault", "KubeError", "Request"]
