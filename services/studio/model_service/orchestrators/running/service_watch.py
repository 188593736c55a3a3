"""The Services of assistants, watched: one that is edited or deleted is mended at once, not in the next slow pass."""

import asyncio
from collections.abc import Callable

from studio.contract import labels
from studio.kube import Gone, Kube, KubeError, Manifest
from studio.kube.kinds import SERVICE
from studio.model_service.orchestrators.running.loop import pause_after


class ServiceWatch:
    """Tells the uid of an assistant whenever its Service has changed, was deleted, or may have been meanwhile."""

    def __init__(self, kube: Kube, *, namespace: str, studio: str, changed: Callable[[str], None]) -> None:
        self._kube = kube
        self._namespace = namespace
        self._selector = f"{labels.MANAGED_BY}={labels.MANAGED_BY_MODEL_SERVICE},{labels.PART_OF}={studio}"
        self._changed = changed
        self._known: set[str] = set()
        self._version = ""
        self._failures = 0

    async def follow(self) -> None:
        """Until cancelled; failures are paced."""
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._stream()
            except Gone:
                self._version = ""
            except KubeError as error:
                self._version = ""
                self._failures += 1
                what = "the Services of assistants are not watched, they are listed again"
                await asyncio.sleep(pause_after(error, self._failures, expected=True, what=what))

    async def _list(self) -> None:
        found, self._version = await self._kube.list_with_version(SERVICE, self._namespace, labels=self._selector)
        present = {uid for service in found if (uid := _assistant_of(service))}
        # What was there before and is not any more was deleted while nobody watched.
        for uid in self._known | present:
            self._changed(uid)
        self._known = present

    async def _stream(self) -> None:
        watched = self._kube.watch(SERVICE, self._namespace, labels=self._selector, resource_version=self._version)
        async for event, service in watched:
            self._version, self._failures = service["metadata"]["resourceVersion"], 0
            if event != "BOOKMARK" and (uid := _assistant_of(service)):
                self._known.add(uid)
                self._changed(uid)


def _assistant_of(service: Manifest) -> str | None:
    """The uid of the assistant that a Service belongs to."""
    owners = service["metadata"].get("ownerReferences") or []
    return next((owner["uid"] for owner in owners if owner.get("kind") == "Assistant"), None)
