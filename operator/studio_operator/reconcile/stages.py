"""The order in which a Studio comes up: stores, then the migration, then everything that needs both."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain

import structlog

from studio.kube import (
    CONFIGMAP,
    DEPLOYMENT,
    HTTPROUTE,
    INGRESS,
    JOB,
    ROLEBINDING,
    SERVICE,
    SERVICEACCOUNT,
    STATEFULSET,
    Manifest,
)
from studio.kube.errors import Forbidden, Invalid, NotFound
from studio_operator.components import (
    backend,
    database,
    entry_proxy,
    event_broker,
    exposure,
    ingestion,
    keycloak,
    migration,
    object_store,
    running_consumer,
    running_orchestrator,
    secrets,
    service_accounts,
    training_consumer,
    training_orchestrator,
    web_client,
)
from studio_operator.components.context import StudioContext
from studio_operator.ports import Clock, Cluster
from studio_operator.reconcile import secrets as generated
from studio_operator.reconcile.apply import Conflict, Vanishing, apply_all, owned_by, prune
from studio_operator.reconcile.secrets import SecretProblem
from studio_operator.status.health import JobHealth, job, workload

log = structlog.get_logger(__name__)

# Counted from its end, which comes after all of its tries.
MIGRATED_ANEW_AFTER = timedelta(minutes=15)
STORES = (database, object_store, event_broker)
# Those that take longest to start come first.
SERVICES = (
    keycloak,
    training_orchestrator,
    running_orchestrator,
    training_consumer,
    running_consumer,
    backend,
    ingestion,
    web_client,
    entry_proxy,
)
PRUNED = (CONFIGMAP, DEPLOYMENT, STATEFULSET, JOB, SERVICE, INGRESS, ROLEBINDING, SERVICEACCOUNT)


@dataclass
class Outcome:
    """What the apply step found out on its way."""

    migration: JobHealth | None = None
    problem: tuple[str, str] | None = None
    vanishing: bool = False
    # Every gate was open: all there should be was applied.
    complete: bool = False

    @property
    def hindered(self) -> bool:
        """Whether something could not be applied."""
        return self.vanishing or self.problem is not None

    @contextmanager
    def told(self) -> Iterator[None]:
        """What the block meets is kept, the first problem of all, for the status to tell."""
        try:
            yield
        except Conflict as conflict:
            self._add("Conflict", str(conflict))
        except SecretProblem as problem:
            self._add(problem.reason, str(problem))
        except (Forbidden, Invalid) as refusal:
            self._add("ApplyRefused", f"the API server refused an object of this Studio: {refusal.message}")
        except Vanishing:
            self.vanishing = True

    def _add(self, reason: str, message: str) -> None:
        self.problem = self.problem or (reason, message)


@dataclass(frozen=True)
class Stages:
    """Brings the children of a Studio to what they should be."""

    _cluster: Cluster
    _clock: Clock

    async def apply(self, resource: Manifest, context: StudioContext) -> Outcome:
        """As far as the gates are open."""
        outcome = Outcome()
        with outcome.told():
            await self._apply(resource, await self._with_secrets(context), outcome)
        return outcome

    async def _with_secrets(self, context: StudioContext) -> StudioContext:
        digests = await generated.ensure(self._cluster, context.namespace, secrets.required(context))
        digests |= await generated.check(self._cluster, context.namespace, secrets.referenced(context))
        return context.with_digests(digests)

    async def _apply(self, resource: Manifest, context: StudioContext, outcome: Outcome) -> None:
        first = [service_accounts.objects(context), *(component.objects(context) for component in STORES)]
        await self._apply_each(resource, first, outcome)
        migrations = migration.objects(context)
        # Stores that are away hold a migration back, and nothing that was migrated for: repairs do not wait for them.
        ready = not outcome.hindered and self._stores_ready(context)
        if not (ready or self._migration_health(migrations).succeeded):
            return
        await apply_all(self._cluster, resource, migrations)
        outcome.migration = self._migration_health(migrations)
        if not outcome.migration.succeeded:
            await self._give_another_chance(migrations, outcome.migration)
            return
        services = [*(component.objects(context) for component in SERVICES), exposure.ingress(context)]
        await self._apply_each(resource, services, outcome)
        if outcome.hindered:
            return
        # Only a complete picture may prune: what a closed gate holds back is not unwanted.
        await prune(self._cluster, resource, [*migrations, *chain(*first, *services)], PRUNED)
        outcome.complete = True
        await self._apply_route(resource, context, outcome)

    async def _apply_each(self, resource: Manifest, groups: Iterable[list[Manifest]], outcome: Outcome) -> None:
        """Group by group: what is refused of one keeps no other from being repaired."""
        for objects in groups:
            with outcome.told():
                await apply_all(self._cluster, resource, objects)

    async def _give_another_chance(self, migrations: list[Manifest], health: JobHealth) -> None:
        """What kept a migration from its work, a database of somebody else that was away, may be over: made anew."""
        if health.failed_at is None or self._clock.now() - health.failed_at < MIGRATED_ANEW_AFTER:
            return
        namespace, name, live = self._migration_job(migrations)
        if live is not None and "deletionTimestamp" not in live["metadata"]:
            log.info("migrate anew", namespace=namespace, name=name)
            await self._cluster.delete(JOB, namespace, name, uid=live["metadata"]["uid"])

    async def _apply_route(self, resource: Manifest, context: StudioContext, outcome: Outcome) -> None:
        """A kind that a cluster may lack cannot be watched, so it is looked up in each pass."""
        routes = exposure.route(context)
        if not routes:
            await self._remove_route(resource, context)
            return
        try:
            await apply_all(self._cluster, resource, routes)
        except NotFound:
            remedy = "install the Gateway API, or use spec.ingress"
            unknown = "this cluster does not know HTTPRoute (gateway.networking.k8s.io/v1)"
            outcome.problem = ("GatewayMissing", f"spec.gateway: {unknown}: {remedy}")

    async def _remove_route(self, resource: Manifest, context: StudioContext) -> None:
        name = context.child(exposure.COMPONENT)
        live = await self._cluster.get(HTTPROUTE, context.namespace, name)
        if live is not None and owned_by(live, resource):
            await self._cluster.delete(HTTPROUTE, context.namespace, name, uid=live["metadata"]["uid"])

    def _stores_ready(self, context: StudioContext) -> bool:
        return all(
            workload(self._cluster.cached(STATEFULSET, context.namespace, body["metadata"]["name"]), name="").available
            for component in STORES
            for body in component.objects(context)
            if body["kind"] == "StatefulSet"
        )

    def _migration_health(self, migrations: list[Manifest]) -> JobHealth:
        _, name, live = self._migration_job(migrations)
        return job(live, name=name)

    def _migration_job(self, migrations: list[Manifest]) -> tuple[str, str, Manifest | None]:
        """Its namespace and name, and what there is of it."""
        metadata = next(body["metadata"] for body in migrations if body["kind"] == "Job")
        namespace, name = metadata["namespace"], metadata["name"]
        return namespace, name, self._cluster.cached(JOB, namespace, name)
