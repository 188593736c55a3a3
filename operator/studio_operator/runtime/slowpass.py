"""The slow pass: lists everything that is watched, corrects the stores by it, and asks for a pass of every key.

It bounds how long anything that a watch lost can stay wrong, and fills the stores before the first pass of all.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog

from studio.kube import ASSISTANT, STUDIO, KubeError, NotFound
from studio.kube.client import Kube
from studio_operator.runtime import metrics
from studio_operator.runtime.intake import Intake
from studio_operator.runtime.keys import Key, key_of
from studio_operator.runtime.stores import Stores
from studio_operator.runtime.watched import Watched

log = structlog.get_logger(__name__)

PERIOD_SECONDS = 300.0
RETRY_SECONDS = 5.0
# Keys are spread over this part of the period, so that a slow pass is no burst.
SPREAD = 0.1


class SlowPass:
    """Runs at once, then every `period` seconds give or take a tenth. `namespaces` empty: the whole cluster."""

    def __init__(
        self,
        kube: Kube,
        stores: Stores,
        intake: Intake,
        add: Callable[[Key, float], None],
        watched: Sequence[Watched],
        *,
        namespaces: Sequence[str] = (),
        period: float = PERIOD_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._kube = kube
        self._stores = stores
        self._intake = intake
        self._add = add
        self._watched = watched
        self._namespaces = tuple(namespaces) or (None,)
        self.period = period
        self._clock = clock
        self._sleep = sleep
        self.last_completed: float | None = None

    async def first(self) -> None:
        """Fill the stores; tries until it succeeds, for nothing may be decided before."""
        while not await self._attempt(spread=0.0):
            await self._sleep(RETRY_SECONDS)

    async def run(self) -> None:
        """Repeat until cancelled."""
        while True:
            await self._sleep(self.period * random.uniform(0.9, 1.1))  # noqa: S311 not a secret
            while not await self._attempt(spread=self.period * SPREAD):
                await self._sleep(RETRY_SECONDS * random.uniform(1, 3))  # noqa: S311

    async def _attempt(self, *, spread: float) -> bool:
        try:
            await self.once(spread=spread)
        except NotFound as error:
            metrics.SLOW_PASSES.labels("error").inc()
            log.warning("a watched kind is missing: install the CustomResourceDefinitions (crds/)", error=str(error))
            return False
        except KubeError as error:
            metrics.SLOW_PASSES.labels("error").inc()
            log.warning("slow pass failed", error=str(error))
            return False
        metrics.SLOW_PASSES.labels("success").inc()
        return True

    async def once(self, *, spread: float = 0.0) -> None:
        """One pass over all lists; a key may wait up to `spread` seconds. Raises KubeError."""
        first = self.last_completed is None
        for watched in self._watched:
            for namespace in self._namespaces:
                await self._correct(watched, namespace, silent=first)
        for kind in (STUDIO, ASSISTANT):
            for body in self._stores.of(kind).select():
                self._add(key_of(body), random.uniform(0, spread))  # noqa: S311
        self.last_completed = self._clock()

    async def _correct(self, watched: Watched, namespace: str | None, *, silent: bool) -> None:
        items, version = await self._kube.list_with_version(
            watched.kind, namespace, labels=watched.labels, fields=watched.fields, metadata_only=watched.metadata_only
        )
        corrections = self._stores.of(watched.kind).replace(items, version, namespace)
        for difference in corrections:
            if not silent:
                metrics.STORE_CORRECTIONS.labels(watched.kind.kind).inc()
            self._intake.changed(watched.kind, difference)
