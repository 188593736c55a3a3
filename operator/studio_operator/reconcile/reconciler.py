"""What the work queue calls: from a key to the pass of its kind."""

from dataclasses import dataclass

from studio_operator.ports import Clock, Cluster, Contents, Identity, ModelService, Recorder
from studio_operator.reconcile.assistant import AssistantPass
from studio_operator.reconcile.content import ContentReader
from studio_operator.reconcile.pacing import Pacing
from studio_operator.reconcile.settings import Settings
from studio_operator.reconcile.studio import StudioPass
from studio_operator.runtime.keys import Key


@dataclass(frozen=True)
class Services:
    """What Studios are asked, each behind its port."""

    models: ModelService
    contents: Contents
    identity: Identity


class Reconciler:
    """Passes over Studios and Assistants, over ports."""

    def __init__(
        self,
        cluster: Cluster,
        services: Services,
        recorder: Recorder,
        clock: Clock,
        settings: Settings,
    ) -> None:
        content = ContentReader(cluster, services.contents)
        self._studio = StudioPass(
            cluster, recorder, clock, settings, models=services.models, identity=services.identity
        )
        self._assistant = AssistantPass(cluster, services.models, recorder, clock, settings, content, Pacing())

    async def reconcile(self, key: Key) -> float | None:
        """One pass; returns in how many seconds it wants to be called again even if nothing happens, or None.

        Raises what the API server answered when it cannot go on: the work queue repeats the pass with a back-off.
        """
        if key.kind == "Studio":
            return await self._studio.run(key.namespace, key.name)
        return await self._assistant.run(key.namespace, key.name)
