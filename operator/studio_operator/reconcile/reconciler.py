"""What the work queue calls: from a key to the pass of its kind."""

from studio_operator.ports import Clock, Cluster, ModelService, Recorder
from studio_operator.reconcile.assistant import AssistantPass
from studio_operator.reconcile.content import ContentReader
from studio_operator.reconcile.pacing import Pacing
from studio_operator.reconcile.settings import Settings
from studio_operator.reconcile.studio import StudioPass
from studio_operator.runtime.keys import Key


class Reconciler:
    """Passes over Studios and Assistants, over ports."""

    def __init__(
        self, cluster: Cluster, model_service: ModelService, recorder: Recorder, clock: Clock, settings: Settings
    ) -> None:
        content = ContentReader(cluster)
        self._studio = StudioPass(cluster, recorder, clock, settings)
        self._assistant = AssistantPass(cluster, model_service, recorder, clock, settings, content, Pacing())

    async def reconcile(self, key: Key) -> float | None:
        """One pass; returns in how many seconds it wants to be called again even if nothing happens, or None.

        Raises what the API server answered when it cannot go on: the work queue repeats the pass with a back-off.
        """
        if key.kind == "Studio":
            return await self._studio.run(key.namespace, key.name)
        return await self._assistant.run(key.namespace, key.name)
