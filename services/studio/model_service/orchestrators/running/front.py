"""The Service of an assistant in the cluster: made early, pointed by compare-and-swap, guarded by a fence."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from studio.kube import AlreadyExists, Conflict, Manifest, NotFound
from studio.kube.kinds import SERVICE, Kind
from studio.model_service.orchestrators.registry import Assistant
from studio.model_service.orchestrators.running import service_object

log = structlog.get_logger(__name__)


class Overtaken(Exception):
    """Somebody with a higher fence, or a newer view, has written or deleted the Service: look again before writing."""


class Services(Protocol):
    """What is used of the API server."""

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Manifest | None:
        """One object or None."""

    async def create(self, kind: Kind, body: Manifest) -> Manifest:
        """Create; AlreadyExists."""

    async def replace(self, kind: Kind, body: Manifest) -> Manifest:
        """Replace at its resourceVersion; Conflict."""

    async def delete(
        self, kind: Kind, namespace: str | None, name: str, *, uid: str | None = None, propagation: str = "Background"
    ) -> bool:
        """Delete; False if there is none."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen of the Service; `foreign` is why it may not be touched, `since` when it was last flipped.

    `settling`: it was told then not to mind readiness, and not yet to do so again.
    """

    live: Manifest | None
    serving: str | None
    fence: int = 0
    foreign: str = ""
    since: datetime | None = None
    settling: bool = False


class Front:
    """Reads and writes the Services of one namespace. Raises KubeError, Overtaken."""

    def __init__(self, kube: Services, *, version: str) -> None:
        self._kube = kube
        self._version = version

    async def ensure(self, assistant: Assistant, *, fence: int, highest: Callable[[], Awaitable[int]]) -> Sight:
        """The Service as it is; made, or mended, if it has to be, without changing whom it sends to.

        `highest` gives the highest fence ever taken: a higher one on the Service is none of ours (the annotation was
        edited, or the database restored) and counts as 0.
        """
        live = await self._kube.get(SERVICE, assistant.namespace, assistant.name)
        if live is None:
            return await self._create(assistant, fence)
        facts = service_object.read(assistant, live)
        if not facts.ours:
            return Sight(live, None, foreign=_foreign(assistant))
        if facts.owner != assistant.uid:
            # Left behind by a deleted assistant of the same name.
            await self._kube.delete(SERVICE, assistant.namespace, assistant.name, uid=live["metadata"]["uid"])
            return await self._create(assistant, fence)
        known = facts.fence < fence or facts.fence <= await highest()
        sight = Sight(live, facts.serving, facts.fence if known else 0, since=facts.since, settling=facts.settling)
        return sight if facts.intact else await self.keep(assistant, sight, fence=fence, settling=facts.settling)

    async def flip(self, assistant: Assistant, sight: Sight, run: str, *, fence: int, since: datetime) -> Sight:
        """Send to a run, if the Service is still as it was seen and nobody with a higher fence has written it.

        `since` is noted in the same write: whoever looks at the Service later knows whether the flip has settled.
        """
        return await self._point(assistant, sight, run, fence=fence, since=since, settling=True)

    async def keep(self, assistant: Assistant, sight: Sight, *, fence: int, settling: bool) -> Sight:
        """Send where it does, under this fence, on the same terms."""
        return await self._point(assistant, sight, sight.serving, fence=fence, since=sight.since, settling=settling)

    async def _point(
        self,
        assistant: Assistant,
        sight: Sight,
        run: str | None,
        *,
        fence: int,
        since: datetime | None,
        settling: bool,
    ) -> Sight:
        if sight.live is None or sight.foreign:
            raise Overtaken(sight.foreign or "the Service is not there")
        if sight.fence >= fence:
            raise Overtaken(f"the Service was written under fence {sight.fence}, ours is {fence}")
        body = service_object.pointed(assistant, sight.live, run=run, fence=fence, since=since, settling=settling)
        try:
            live = await self._kube.replace(SERVICE, body)
        except (Conflict, NotFound) as error:
            raise Overtaken(str(error)) from error
        if run != sight.serving:
            log.info("the service sends to another run", assistant=assistant.name, run=run, before=sight.serving)
        # The same pass may write again: its own fence does not stand against it.
        return Sight(live, run, sight.fence, since=since, settling=settling)

    async def remove(self, assistant: Assistant) -> None:
        """Delete the Service if it belongs to this very assistant."""
        live = await self._kube.get(SERVICE, assistant.namespace, assistant.name)
        if live is None:
            return
        facts = service_object.read(assistant, live)
        if facts.ours and facts.owner == assistant.uid:
            await self._kube.delete(SERVICE, assistant.namespace, assistant.name, uid=live["metadata"]["uid"])

    async def _create(self, assistant: Assistant, fence: int) -> Sight:
        body = service_object.build(assistant, run=None, fence=fence, version=self._version)
        try:
            return Sight(await self._kube.create(SERVICE, body), None, 0)
        except AlreadyExists as error:
            raise Overtaken(str(error)) from error


def _foreign(assistant: Assistant) -> str:
    return (
        f"the Service {assistant.namespace}/{assistant.name} belongs to somebody else: "
        "delete it, or give the assistant another name"
    )
