"""Change streams: one subscription per ready orchestrator, so that what changes there is seen within a second."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

import structlog

from studio.contract import labels
from studio.kube import DEPLOYMENT
from studio_operator.ports import ModelServiceError
from studio_operator.runtime import metrics
from studio_operator.runtime.keys import Key
from studio_operator.runtime.stores import Stores

log = structlog.get_logger(__name__)

ORCHESTRATORS = (labels.Component.TRAINING_ORCHESTRATOR, labels.Component.RUNNING_ORCHESTRATOR)
FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 30.0


class Stream(NamedTuple):
    """One orchestrator of one Studio."""

    namespace: str
    studio: str
    component: labels.Component


Subscribe = Callable[[Stream], AsyncIterator[str | None]]


def wanted(stores: Stores) -> set[Stream]:
    """The orchestrators that have a ready pod."""
    return {
        Stream(deployment["metadata"]["namespace"], carried[labels.PART_OF], component)
        for component in ORCHESTRATORS
        for deployment in stores.of(DEPLOYMENT).select(labels={labels.COMPONENT: component.value})
        if labels.PART_OF in (carried := deployment["metadata"]["labels"])
        and (deployment.get("status") or {}).get("readyReplicas")
    }


class ChangeStreams:
    """Keeps a subscription open for every wanted stream.

    `subscribe` yields None once connected, then names of assistants, and raises ModelServiceError when the stream
    breaks. Each connection is followed by `connected(stream)`: what changed in the gap before is not told again.
    """

    def __init__(
        self,
        subscribe: Subscribe,
        add: Callable[[Key], None],
        connected: Callable[[Stream], None],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._subscribe = subscribe
        self._add = add
        self._connected = connected
        self._sleep = sleep
        self._tasks: dict[Stream, asyncio.Task[None]] = {}
        metrics.STREAMS.set_function(lambda: len(self._tasks))

    def want(self, streams: set[Stream]) -> None:
        """Open what is missing, close what is no longer wanted."""
        for stream in self._tasks.keys() - streams:
            self._tasks.pop(stream).cancel()
        for stream in streams - self._tasks.keys():
            self._tasks[stream] = asyncio.create_task(self._follow(stream), name=f"changes {stream}")

    async def close(self) -> None:
        """Close all of them."""
        tasks = list(self._tasks.values())
        self.want(set())
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, stream: Stream) -> None:
        failures = 0
        while True:
            try:
                async for assistant in self._subscribe(stream):
                    failures = 0
                    self._take(stream, assistant)
            except ModelServiceError as error:
                log.info("change stream broke", namespace=stream.namespace, studio=stream.studio, error=str(error))
            except Exception:
                log.exception("change stream failed", namespace=stream.namespace, studio=stream.studio)
            failures += 1
            steady = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(failures - 1, 10))
            await self._sleep(steady * random.uniform(0.5, 1.5))  # noqa: S311 not a secret

    def _take(self, stream: Stream, assistant: str | None) -> None:
        if assistant is None:
            self._connected(stream)
            return
        self._add(Key("Assistant", stream.namespace, assistant))
        if stream.component is labels.Component.RUNNING_ORCHESTRATOR:
            # A slot was taken or given back.
            self._add(Key("Studio", stream.namespace, stream.studio))
