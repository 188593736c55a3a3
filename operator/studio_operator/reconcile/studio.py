"""One pass over a Studio: stores, then the migration, then everything that needs both."""

from collections.abc import Mapping

from studio.contract.labels import Component
from studio.contract.model_service import Slots
from studio.kube import ASSISTANT, STUDIO, Manifest
from studio_operator.api.v1alpha1.common import InvalidSpec
from studio_operator.api.v1alpha1.studio import Studio, parse_studio
from studio_operator.components.context import StudioContext
from studio_operator.components.talk import talk_routes
from studio_operator.planning.membership import studio_of
from studio_operator.planning.scaling import running_slots
from studio_operator.planning.stores import refused_change
from studio_operator.ports import Clock, Cluster, ModelService, ModelServiceError, Recorder
from studio_operator.reconcile import observed
from studio_operator.reconcile.realm import RealmStep
from studio_operator.reconcile.report import report
from studio_operator.reconcile.settings import Settings
from studio_operator.reconcile.stages import Outcome, Stages
from studio_operator.status.health import Health
from studio_operator.status.studio import StudioFacts, studio_status

# A Studio that is coming up is also woken by its children; this is the belt to those braces.
WHILE_ROLLING = 15.0
# A Keycloak without its database answers, with nothing but errors.
UNDER_THE_REALM = (Component.DATABASE, Component.KEYCLOAK)


class StudioPass:
    """Observe, decide, apply, report for one Studio."""

    def __init__(
        self,
        cluster: Cluster,
        recorder: Recorder,
        clock: Clock,
        settings: Settings,
        *,
        models: ModelService,
        realm: RealmStep,
    ) -> None:
        self._cluster = cluster
        self._models = models
        self._recorder = recorder
        self._clock = clock
        self._settings = settings
        self._stages = Stages(cluster, clock)
        self._realm = realm

    async def run(self, namespace: str, name: str) -> float | None:
        """One pass; None when there is nothing to do until something changes."""
        resource = self._cluster.cached(STUDIO, namespace, name)
        if resource is None or "deletionTimestamp" in resource["metadata"]:
            self._realm.forget(namespace, name)
            # Children go with the Studio by their owner references; there is nothing outside the cluster to clean.
            return None
        members = self._assistants(namespace, name)
        generation, version, assistants = resource["metadata"]["generation"], self._settings.version, len(members)
        try:
            studio = parse_studio(resource)
        except InvalidSpec as error:
            problem = ("InvalidSpec", str(error))
            slots = resource.get("status", {}).get("runningSlots", 0)
            facts = StudioFacts(generation, version, assistants, slots, problem=problem, looked=False)
            await self._report(resource, facts)
            return None
        slots = running_slots(studio.spec.running.policy, studio.spec.running.consumers, assistants)
        if studio.spec.paused:
            self._realm.forget(namespace, name)
            await self._report(resource, StudioFacts(generation, version, assistants, slots, paused=True))
            return None
        context = self._context(resource, studio, members, slots)
        wanted, used = _stores(studio), observed.stores_in_use(self._cluster, resource, context)
        refusal = refused_change(wanted, used)
        refused = Outcome(problem=("StoreChangeRefused", refusal)) if refusal else None
        outcome = refused or await self._stages.apply(resource, context)
        migration = outcome.migration or observed.latest_migration(self._cluster, context)
        health, migration = await observed.explained(
            self._cluster, context, observed.health(self._cluster, context), migration
        )
        served = outcome.complete and all(health[part].available for part in UNDER_THE_REALM if part in health)
        realm = await self._realm.run(context) if served else self._realm.leave(namespace, name)
        facts = StudioFacts(
            generation,
            version,
            assistants,
            slots,
            url=studio.spec.public_url,
            health=health,
            migration=migration,
            problem=outcome.problem or (realm.problem if realm.refused else None),
            realm=realm.problem,
            realm_pending=realm.pending,
            external=_external(studio, wanted | used),
            held=await self._held(context, health),
        )
        await self._report(resource, facts)
        return None if refusal or (_settled(facts) and not outcome.vanishing) else WHILE_ROLLING

    async def _held(self, context: StudioContext, health: Mapping[Component, Health]) -> Slots | None:
        """What the slots hold; None while nobody can tell."""
        orchestrator = health.get(Component.RUNNING_ORCHESTRATOR)
        if orchestrator is None or not orchestrator.available:
            return None
        try:
            return await self._models.slots(context.namespace, context.name)
        except ModelServiceError:
            return None

    def _assistants(self, namespace: str, name: str) -> list[Manifest]:
        """Assistants of this Studio that are not being deleted, whatever their mode."""
        everyone = self._cluster.select(ASSISTANT, namespace)
        return [a for a in everyone if studio_of(a) == name and "deletionTimestamp" not in a["metadata"]]

    def _context(self, resource: Manifest, studio: Studio, members: list[Manifest], slots: int) -> StudioContext:
        metadata = resource["metadata"]
        return StudioContext(
            name=metadata["name"],
            namespace=metadata["namespace"],
            uid=metadata["uid"],
            spec=studio.spec,
            version=self._settings.version,
            images=self._settings.images,
            operator_subject=self._settings.operator_subject,
            running_slots=slots,
            training_consumers=studio.spec.training.consumers,
            talk=talk_routes(members),
        )

    async def _report(self, resource: Manifest, facts: StudioFacts) -> None:
        status = studio_status(facts, before=resource.get("status", {}), now=self._clock.now())
        await report(self._cluster, self._recorder, STUDIO, resource, status)


def _settled(facts: StudioFacts) -> bool:
    """Whether nothing is under way that a lost event, or an object that is not watched, could hide."""
    if facts.problem is not None or facts.migration is None:
        return False
    ready = all(health.ready for health in facts.health.values())
    return facts.migration.failed or (facts.migration.succeeded and ready and facts.held is not None)


def _stores(studio: Studio) -> dict[Component, bool]:
    """Whether each store is wanted as an external one."""
    spec = studio.spec
    return {
        Component.DATABASE: spec.database.external is not None,
        Component.OBJECT_STORE: spec.object_store.external is not None,
        Component.EVENT_BROKER: spec.event_broker.external is not None,
    }


def _external(studio: Studio, stores: dict[Component, bool]) -> frozenset[Component]:
    """The parts that somebody else runs. Where people sign in may change: their accounts stay in the database."""
    found = {component for component, external in stores.items() if external}
    return frozenset(found | ({Component.KEYCLOAK} if studio.spec.identity.external else set()))
