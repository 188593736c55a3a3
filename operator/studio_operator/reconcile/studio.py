"""One pass over a Studio: stores, then the migration, then everything that needs both."""

from dataclasses import dataclass

import structlog

from studio.contract.labels import Component
from studio.kube import ASSISTANT, DEPLOYMENT, JOB, ROLEBINDING, SERVICE, SERVICEACCOUNT, STATEFULSET, STUDIO, Manifest
from studio.kube.errors import Forbidden, Invalid
from studio_operator.api.v1alpha1.common import InvalidSpec
from studio_operator.api.v1alpha1.studio import Studio, parse_studio
from studio_operator.components import (
    database,
    environment,
    migration,
    object_store,
    running_consumer,
    running_orchestrator,
    secrets,
    service_accounts,
    training_consumer,
    training_orchestrator,
)
from studio_operator.components.context import StudioContext
from studio_operator.components.metadata import stateful_set_name
from studio_operator.planning.membership import studio_of
from studio_operator.planning.scaling import running_slots
from studio_operator.planning.stores import refused_change
from studio_operator.ports import Clock, Cluster, Recorder
from studio_operator.reconcile import secrets as generated
from studio_operator.reconcile.apply import Conflict, Vanishing, apply_all, owned_by, prune
from studio_operator.reconcile.report import report
from studio_operator.reconcile.secrets import SecretProblem
from studio_operator.reconcile.settings import Settings
from studio_operator.status.health import Health, JobHealth, job, workload
from studio_operator.status.studio import PARTS, StudioFacts, studio_status

log = structlog.get_logger(__name__)

STORES = (database, object_store)
SERVICES = (training_orchestrator, training_consumer, running_orchestrator, running_consumer)
PRUNED = (DEPLOYMENT, STATEFULSET, JOB, SERVICE, ROLEBINDING, SERVICEACCOUNT)
# A Studio that is coming up is also woken by its children; this is the belt to those braces.
WHILE_ROLLING = 15.0


@dataclass
class Outcome:
    """What the apply step found out on its way."""

    migration: JobHealth | None = None
    problem: tuple[str, str] | None = None
    vanishing: bool = False


class StudioPass:
    """Observe, decide, apply, report for one Studio."""

    def __init__(self, cluster: Cluster, recorder: Recorder, clock: Clock, settings: Settings) -> None:
        self._cluster = cluster
        self._recorder = recorder
        self._clock = clock
        self._settings = settings

    async def run(self, namespace: str, name: str) -> float | None:
        """One pass; None when there is nothing to do until something changes."""
        resource = self._cluster.cached(STUDIO, namespace, name)
        if resource is None or "deletionTimestamp" in resource["metadata"]:
            # Children go with the Studio by their owner references; there is nothing outside the cluster to clean.
            return None
        assistants = self._count_assistants(namespace, name)
        generation, version = resource["metadata"]["generation"], self._settings.version
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
            await self._report(resource, StudioFacts(generation, version, assistants, slots, paused=True))
            return None
        context = self._context(resource, studio, slots)
        wanted, used = _stores(studio), self._stores_in_use(resource, context)
        refusal = refused_change(wanted, used)
        refused = Outcome(problem=("StoreChangeRefused", refusal)) if refusal else None
        outcome = refused or await self._apply(resource, context)
        facts = StudioFacts(
            generation,
            version,
            assistants,
            slots,
            health=self._health(context),
            migration=outcome.migration or self._latest_migration(context),
            problem=outcome.problem,
            external=frozenset(component for component, external in (wanted | used).items() if external),
        )
        await self._report(resource, facts)
        return None if refusal or (_settled(facts) and not outcome.vanishing) else WHILE_ROLLING

    def _count_assistants(self, namespace: str, name: str) -> int:
        """Assistants of this Studio that are not being deleted, whatever their mode."""
        everyone = self._cluster.select(ASSISTANT, namespace)
        return sum(studio_of(a) == name and "deletionTimestamp" not in a["metadata"] for a in everyone)

    def _context(self, resource: Manifest, studio: Studio, slots: int) -> StudioContext:
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
        )

    def _stores_in_use(self, resource: Manifest, context: StudioContext) -> dict[Component, bool]:
        """The stores that hold data, by what they left behind: pods that were told of them, or their StatefulSets."""
        migrations = self._cluster.select(JOB, context.namespace, migration.selector(context.name))
        migrated = [live for live in migrations if job(live, name="").succeeded]
        orchestrators = (
            self._cluster.cached(DEPLOYMENT, context.namespace, context.child(component.COMPONENT))
            for component in (training_orchestrator, running_orchestrator)
        )
        used: dict[Component, bool] = {}
        for live in [*migrated, *orchestrators]:
            if live is not None and owned_by(live, resource):
                used |= environment.stores_told(context, live["spec"]["template"]["spec"])
        for component in (Component.DATABASE, Component.OBJECT_STORE):
            live = self._cluster.cached(STATEFULSET, context.namespace, stateful_set_name(context, component))
            if live is not None and owned_by(live, resource):
                used[component] = False
        return used

    async def _apply(self, resource: Manifest, context: StudioContext) -> Outcome:
        """Bring the children to what they should be, as far as the gates are open."""
        outcome = Outcome()
        try:
            await self._apply_stages(resource, await self._with_secrets(context), outcome)
        except Conflict as conflict:
            outcome.problem = ("Conflict", str(conflict))
        except SecretProblem as problem:
            outcome.problem = (problem.reason, str(problem))
        except (Forbidden, Invalid) as refusal:
            outcome.problem = ("ApplyRefused", f"the API server refused an object of this Studio: {refusal.message}")
        except Vanishing:
            outcome.vanishing = True
        return outcome

    async def _with_secrets(self, context: StudioContext) -> StudioContext:
        digests = await generated.ensure(self._cluster, context.namespace, secrets.required(context))
        digests |= await generated.check(self._cluster, context.namespace, secrets.referenced(context))
        return context.with_digests(digests)

    async def _apply_stages(self, resource: Manifest, context: StudioContext, outcome: Outcome) -> None:
        accounts = service_accounts.objects(context)
        stores = [body for component in STORES for body in component.objects(context)]
        await apply_all(self._cluster, resource, [*accounts, *stores])
        if not self._stores_ready(context):
            return
        migrations = migration.objects(context)
        await apply_all(self._cluster, resource, migrations)
        outcome.migration = self._migration_health(migrations)
        if not outcome.migration.succeeded:
            return
        services = [body for component in SERVICES for body in component.objects(context)]
        await apply_all(self._cluster, resource, services)
        # Only a complete picture may prune: what a closed gate holds back is not unwanted.
        await prune(self._cluster, resource, [*accounts, *stores, *migrations, *services], PRUNED)

    def _stores_ready(self, context: StudioContext) -> bool:
        return all(
            workload(self._cluster.cached(STATEFULSET, context.namespace, body["metadata"]["name"]), name="").available
            for component in STORES
            for body in component.objects(context)
            if body["kind"] == "StatefulSet"
        )

    def _migration_health(self, migrations: list[Manifest]) -> JobHealth:
        metadata = next(body["metadata"] for body in migrations if body["kind"] == "Job")
        return job(self._cluster.cached(JOB, metadata["namespace"], metadata["name"]), name=metadata["name"])

    def _health(self, context: StudioContext) -> dict[Component, Health]:
        """The health of every workload that exists; those that a closed gate holds back do not exist yet."""
        found = {}
        for component in (component for components in PARTS.values() for component in components):
            stateful = stateful_set_name(context, component)
            live = self._cluster.cached(STATEFULSET, context.namespace, stateful) or self._cluster.cached(
                DEPLOYMENT, context.namespace, context.child(component)
            )
            if live is not None:
                found[component] = workload(live, name=live["metadata"]["name"])
        return found

    def _latest_migration(self, context: StudioContext) -> JobHealth | None:
        """While the stores are away the last migration still counts: it is not undone by a restart."""
        jobs = self._cluster.select(JOB, context.namespace, migration.selector(context.name))
        newest = max(jobs, key=lambda live: live["metadata"].get("creationTimestamp", ""), default=None)
        return job(newest, name=newest["metadata"]["name"]) if newest else None

    async def _report(self, resource: Manifest, facts: StudioFacts) -> None:
        status = studio_status(facts, before=resource.get("status", {}), now=self._clock.now())
        await report(self._cluster, self._recorder, STUDIO, resource, status)


def _settled(facts: StudioFacts) -> bool:
    """Whether nothing is under way that a lost event, or an object that is not watched, could hide."""
    if facts.problem is not None or facts.migration is None:
        return False
    return facts.migration.failed or (bool(facts.health) and all(health.ready for health in facts.health.values()))


def _stores(studio: Studio) -> dict[Component, bool]:
    """Whether each store is wanted as an external one."""
    return {
        Component.DATABASE: studio.spec.database.external is not None,
        Component.OBJECT_STORE: studio.spec.object_store.external is not None,
    }
