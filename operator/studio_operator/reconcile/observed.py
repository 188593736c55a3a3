"""What the children of a Studio show of its state."""

from studio.contract.labels import Component
from studio.kube import DEPLOYMENT, JOB, STATEFULSET, Manifest
from studio_operator.components import environment, ingestion, migration, running_orchestrator, training_orchestrator
from studio_operator.components.context import StudioContext
from studio_operator.components.metadata import stateful_set_name
from studio_operator.planning.stores import FIELDS
from studio_operator.ports import Cluster
from studio_operator.reconcile.apply import owned_by
from studio_operator.status.health import Health, JobHealth, job, workload
from studio_operator.status.studio import PARTS


def health(cluster: Cluster, context: StudioContext) -> dict[Component, Health]:
    """The health of every workload that exists; those that a closed gate holds back do not exist yet."""
    found = {}
    for component in (component for components in PARTS.values() for component in components):
        live = cluster.cached(STATEFULSET, context.namespace, stateful_set_name(context, component)) or cluster.cached(
            DEPLOYMENT, context.namespace, context.child(component)
        )
        if live is not None:
            found[component] = workload(live, name=live["metadata"]["name"])
    return found


def stores_in_use(cluster: Cluster, resource: Manifest, context: StudioContext) -> dict[Component, bool]:
    """The stores that hold data, and whether each is an external one.

    Known by what they left behind: pods that were told of them, or their StatefulSets.
    """
    migrations = cluster.select(JOB, context.namespace, migration.selector(context.name))
    migrated = [live for live in migrations if job(live, name="").succeeded]
    services = (
        cluster.cached(DEPLOYMENT, context.namespace, context.child(component.COMPONENT))
        for component in (training_orchestrator, running_orchestrator, ingestion)
    )
    used: dict[Component, bool] = {}
    for live in [*migrated, *services]:
        if live is not None and owned_by(live, resource):
            used |= environment.stores_told(context, live["spec"]["template"]["spec"])
    for component in FIELDS:
        live = cluster.cached(STATEFULSET, context.namespace, stateful_set_name(context, component))
        if live is not None and owned_by(live, resource):
            used[component] = False
    return used


def latest_migration(cluster: Cluster, context: StudioContext) -> JobHealth | None:
    """While the stores are away the last migration still counts: it is not undone by a restart."""
    jobs = cluster.select(JOB, context.namespace, migration.selector(context.name))
    newest = max(jobs, key=lambda live: live["metadata"].get("creationTimestamp", ""), default=None)
    return job(newest, name=newest["metadata"]["name"]) if newest else None
