"""The Jobs and pods of one item, kept current by watches. A lost watch is a re-list, never a missed event."""

import asyncio
import contextlib
import random
from types import TracebackType
from typing import Self

import structlog
from prometheus_client import Counter

from studio.kube import Gone, Kind, Kube, KubeError, Manifest
from studio.kube.kinds import JOB, POD

log = structlog.get_logger(__name__)

RELISTS = Counter("studio_item_watch_relists_total", "Watches of an item that had to begin anew.", ["kind"])
_LONGEST_PAUSE = 15.0
# A watch from here begins with what the server knows, each object as added, and goes on with what changes.
_ANY_VERSION = "0"


class ItemWatch:
    """An async context manager; `jobs` and `pods` are by name, `wake` is set on every change.

    `departed` holds the last state of pods that are gone: how a pod ended is asked after its end.
    """

    def __init__(self, kube: Kube, namespace: str, selector: str, wake: asyncio.Event) -> None:
        """Watch what `selector` (label selector) matches in `namespace`, from entering on."""
        self._kube = kube
        self._namespace = namespace
        self._selector = selector
        self._wake = wake
        self._listed: set[str] = set()
        self._begin: dict[str, str] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.jobs: dict[str, Manifest] = {}
        self.pods: dict[str, Manifest] = {}
        self.departed: dict[str, Manifest] = {}

    @property
    def synced(self) -> bool:
        """Whether both kinds are known. Until they are, at first or after a watch broke, absence means nothing."""
        return len(self._listed) == len((JOB, POD))

    async def __aenter__(self) -> Self:
        for kind, store in ((JOB, self.jobs), (POD, self.pods)):
            self._tasks.append(asyncio.create_task(self._follow(kind, store), name=f"watch {kind.plural}"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def begin_with(self, job: Manifest) -> None:
        """Take the first Job of the item, created just now, for all there is; to be called before entering.

        Nothing is listed then: the watches begin with this very Job, and with whatever pods there are.
        """
        self.note_job(job["metadata"]["name"], job)
        self._begin = {JOB.kind: job["metadata"]["resourceVersion"], POD.kind: _ANY_VERSION}
        self._listed.update(self._begin)

    def note_job(self, name: str, job: Manifest | None) -> None:
        """Take over what a direct read or write of a Job has shown: the watch may be behind."""
        if job is None:
            self.jobs.pop(name, None)
        else:
            self.jobs[name] = job

    async def _follow(self, kind: Kind, store: dict[str, Manifest]) -> None:
        failures = 0
        while True:
            try:
                version = self._begin.pop(kind.kind, None) or await self._list(kind, store)
                while True:
                    version = await self._stream(kind, store, version)
                    failures = 0
            except Gone:
                log.info("the watch fell behind, listing again", kind=kind.kind)
            except KubeError as error:
                log.warning("the watch broke, listing again", kind=kind.kind, error=str(error))
            self._listed.discard(kind.kind)
            failures += 1
            RELISTS.labels(kind.kind).inc()
            # The first time at once: a stream that broke after hours says nothing about the server.
            await asyncio.sleep(random.uniform(0.5, 1) * min(_LONGEST_PAUSE, 2.0**failures) if failures > 1 else 0)  # noqa: S311

    async def _list(self, kind: Kind, store: dict[str, Manifest]) -> str:
        items, version = await self._kube.list_with_version(kind, self._namespace, labels=self._selector)
        present = {item["metadata"]["name"]: item for item in items}
        for name in store.keys() - present.keys():
            self._remove(kind, store, name, store[name])
        store.update(present)
        self._listed.add(kind.kind)
        self._wake.set()
        return version

    async def _stream(self, kind: Kind, store: dict[str, Manifest], version: str) -> str:
        """Follow one stream to its end and give the version to go on from."""
        stream = self._kube.watch(kind, self._namespace, labels=self._selector, resource_version=version)
        async for event, body in stream:
            version = body["metadata"].get("resourceVersion", version)
            if event == "BOOKMARK":
                continue
            name = body["metadata"]["name"]
            if event == "DELETED":
                self._remove(kind, store, name, body)
            else:
                store[name] = body
            self._wake.set()
        return version

    def _remove(self, kind: Kind, store: dict[str, Manifest], name: str, last: Manifest) -> None:
        store.pop(name, None)
        if kind is POD:
            metadata = {"deletionTimestamp": "1970-01-01T00:00:00Z", **last["metadata"]}
            self.departed[name] = {**last, "metadata": metadata}
