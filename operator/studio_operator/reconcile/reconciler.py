"""What the work queue calls: from a key to the pass of its kind."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from studio.kube import ASSISTANT, KubeError
from studio_operator.ports import Clock, Cluster, Contents, Identity, ModelService, Recorder
from studio_operator.reconcile.assistant import AssistantPass
from studio_operator.reconcile.content import ContentReader
from studio_operator.reconcile.finalize import let_go
from studio_operator.reconcile.identity import PacedIdentity
from studio_operator.reconcile.pacing import Pacing
from studio_operator.reconcile.realm import RealmStep
from studio_operator.reconcile.settings import Settings
from studio_operator.reconcile.studio import StudioPass
from studio_operator.runtime.gate import NotLeader
from studio_operator.runtime.keys import Key

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Services:
    """What Studios are asked, each behind its port."""

    models: ModelService
    contents: Contents
    identity: Identity


class Reconciler:
    """Passes over Studios, their realms and Assistants, over ports. `ask` asks for a turn of a key."""

    def __init__(
        self,
        cluster: Cluster,
        services: Services,
        recorder: Recorder,
        clock: Clock,
        settings: Settings,
        *,
        ask: Callable[[Key], None],
    ) -> None:
        self._cluster = cluster
        content = ContentReader(cluster, services.contents)
        self._realm = RealmStep(cluster, recorder, PacedIdentity(services.identity, clock), ask)
        self._studio = StudioPass(cluster, recorder, clock, settings, models=services.models, realm=self._realm)
        self._assistant = AssistantPass(cluster, services.models, recorder, clock, settings, content, Pacing())

    async def reconcile(self, key: Key) -> float | None:
        """One pass; returns in how many seconds it wants to be called again even if nothing happens, or None.

        Raises what the API server answered when it cannot go on: the work queue repeats the pass with a back-off.
        """
        if key.kind == "Studio":
            return await self._studio.run(key.namespace, key.name)
        if key.kind == "Realm":
            return await self._realm.sync(key.namespace, key.name)
        return await self._assistant.run(key.namespace, key.name)

    async def farewell(self, namespaces: Iterable[str]) -> None:
        """Before this process ends: it may be told to because one of these namespaces goes, and it with that.

        Then nobody would be left who could take the finalizers off. Raises nothing: it has to end in any case.
        """
        for namespace in namespaces:
            try:
                assistants = self._cluster.select(ASSISTANT, namespace)
                await let_go(self._cluster, namespace, [one["metadata"]["name"] for one in assistants])
            except (KubeError, NotLeader) as error:
                log.warning("no farewell", namespace=namespace, error=str(error))
