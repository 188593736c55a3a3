"""The running parts of a leading operator, put together: stores, intake, queue, slow pass, change streams, health."""

import asyncio
from collections.abc import Sequence

from studio.kube import ASSISTANT, Kube
from studio_operator.planning.membership import studio_of
from studio_operator.runtime.intake import Intake
from studio_operator.runtime.keys import Key, key_of
from studio_operator.runtime.liveness import Liveness, WatchActivity
from studio_operator.runtime.slowpass import PERIOD_SECONDS, SlowPass
from studio_operator.runtime.stores import MetadataStore, Store, Stores
from studio_operator.runtime.streams import ChangeStreams, Stream, Subscribe, wanted
from studio_operator.runtime.watched import Watched
from studio_operator.runtime.workqueue import WORKERS, Reconcile, WorkQueue


class Core:
    """Everything between the watches and the reconcile.

    Give it `reconcile_with` before `run`. `filled` is set once the stores hold what the cluster holds; no pass runs
    before. `intake.observe` takes the events of the watches, `activity` hears of the watches themselves.
    """

    def __init__(
        self,
        kube: Kube,
        watched: Sequence[Watched],
        subscribe: Subscribe,
        *,
        namespaces: Sequence[str] = (),
        workers: int = WORKERS,
        resync_seconds: float = PERIOD_SECONDS,
    ) -> None:
        self._reconcile: Reconcile | None = None
        self.filled = asyncio.Event()
        self.stores = Stores(
            MetadataStore(entry.kind) if entry.metadata_only else Store(entry.kind) for entry in watched
        )
        self.queue = WorkQueue(self._pass, workers=workers)
        self.activity = WatchActivity(namespaces)
        self.intake = Intake(
            self.stores, self.queue.add, on_event=self.activity.told, on_deployments=self._follow_orchestrators
        )
        self._streams = ChangeStreams(subscribe, self.queue.add, self._look_at_all)
        self._slow_pass = SlowPass(
            kube,
            self.stores,
            self.intake,
            self.queue.add,
            watched,
            namespaces=namespaces,
            period=resync_seconds,
        )
        self.liveness = Liveness(
            kinds=[entry.kind for entry in watched],
            activity=self.activity,
            oldest_running=self.queue.oldest_running,
            last_slow_pass=lambda: self._slow_pass.last_completed,
            slow_pass_period=resync_seconds,
        )

    def reconcile_with(self, reconcile: Reconcile) -> None:
        """What a pass does."""
        self._reconcile = reconcile

    async def run(self) -> None:
        """Fill the stores, then work until cancelled. Raises what must not happen."""
        try:
            await self._slow_pass.first()
            self.filled.set()
            async with asyncio.TaskGroup() as group:
                group.create_task(self.queue.run(), name="work queue")
                group.create_task(self._slow_pass.run(), name="slow pass")
        finally:
            await self._streams.close()

    def unready(self) -> list[str]:
        """What is missing before passes can run."""
        return [] if self.filled.is_set() else ["the first lists are not complete"]

    async def _pass(self, key: Key) -> float | None:
        if self._reconcile is None:
            raise RuntimeError("reconcile_with was not called")
        return await self._reconcile(key)

    def _follow_orchestrators(self) -> None:
        self._streams.want(wanted(self.stores))

    def _look_at_all(self, stream: Stream) -> None:
        for assistant in self.stores.of(ASSISTANT).select(stream.namespace):
            if studio_of(assistant) == stream.studio:
                self.queue.add(key_of(assistant))
