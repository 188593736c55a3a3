"""The Assistants and the Studio as they are now: one watch of each for the whole process, whoever asks."""

import asyncio
import random
from collections.abc import Callable

import structlog
from prometheus_client import Counter

from studio.backend.manifests import slim, studio_of
from studio.http.subscriptions import Subscriptions
from studio.kube import ASSISTANT, STUDIO, Gone, Kind, Kube, KubeError, Manifest

log = structlog.get_logger(__name__)

RELISTS = Counter("studio_backend_relists_total", "Watches of the back end that had to begin anew.", ["kind"])
LONGEST_PAUSE = 15.0


class Mirror:
    """The objects of one kind in one namespace, by name, kept current by a watch; a lost watch is a new list."""

    def __init__(
        self,
        kube: Kube,
        kind: Kind,
        namespace: str,
        *,
        wanted: Callable[[Manifest], bool],
        changed: Callable[[list[str]], None],
    ) -> None:
        """Keep what is `wanted`; tell `changed` the names of what came, changed or went."""
        self._kube = kube
        self._kind = kind
        self._namespace = namespace
        self._wanted = wanted
        self._changed = changed
        self.objects: dict[str, Manifest] = {}
        self.listed = asyncio.Event()

    async def follow(self) -> None:
        """Keep current until cancelled."""
        failures = 0
        while True:
            try:
                version = await self._list()
                while True:
                    version = await self._stream(version)
                    failures = 0
            except Gone:
                log.info("the watch fell behind, listing again", kind=self._kind.kind)
            except KubeError as error:
                log.warning("the watch broke, listing again", kind=self._kind.kind, error=str(error))
            failures += 1
            RELISTS.labels(self._kind.kind).inc()
            # The first time at once: a stream that broke after hours says nothing about the server.
            await asyncio.sleep(random.uniform(0.5, 1) * min(LONGEST_PAUSE, 2.0**failures) if failures > 1 else 0)  # noqa: S311

    async def find(self, name: str) -> Manifest | None:
        """One object. What is not here is asked for: the watch may be behind a write that its writer knows of."""
        known = self.objects.get(name)
        if known is not None:
            return known
        found = await self._kube.get(self._kind, self._namespace, name)
        return slim(found) if found is not None and self._wanted(found) else None

    async def _list(self) -> str:
        items, version = await self._kube.list_with_version(self._kind, self._namespace)
        present = {item["metadata"]["name"] for item in items}
        for name in self.objects.keys() - present:
            self._forget(name)
        for item in items:
            self._note(item)
        self.listed.set()
        return version

    async def _stream(self, version: str) -> str:
        async for event, body in self._kube.watch(self._kind, self._namespace, resource_version=version):
            version = body["metadata"].get("resourceVersion", version)
            if event == "DELETED":
                self._forget(body["metadata"]["name"])
            elif event != "BOOKMARK":
                self._note(body)
        return version

    def _note(self, manifest: Manifest) -> None:
        name = manifest["metadata"]["name"]
        if not self._wanted(manifest):
            self._forget(name)
        elif self.objects.get(name) != (kept := slim(manifest)):
            self.objects[name] = kept
            self._changed([name])

    def _forget(self, name: str) -> None:
        if self.objects.pop(name, None) is not None:
            self._changed([name])


class Live:
    """The state of one Studio; `changes` tells subscribers the names of assistants."""

    def __init__(self, kube: Kube, *, studio: str, namespace: str) -> None:
        self.changes = Subscriptions()
        self._studio = studio
        self.assistants = Mirror(
            kube, ASSISTANT, namespace,
            wanted=lambda manifest: studio_of(manifest) == studio, changed=self.changes.spread,
        )  # fmt: skip
        self.studios = Mirror(
            kube, STUDIO, namespace,
            wanted=lambda manifest: manifest["metadata"]["name"] == studio, changed=lambda _: None,
        )  # fmt: skip

    @property
    def synced(self) -> bool:
        """Whether absence means anything yet."""
        return self.assistants.listed.is_set() and self.studios.listed.is_set()

    def studio(self) -> Manifest | None:
        """The Studio."""
        return self.studios.objects.get(self._studio)
