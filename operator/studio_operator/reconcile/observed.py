"""What the children of a Studio show of its state."""

from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress

from studio.contract import labels
from studio.contract.labels import Component
from studio.contract.names import child_of_assistant
from studio.kube import DEPLOYMENT, JOB, STATEFULSET, Manifest
from studio.kube.errors import Forbidden
from studio_operator.components import environment, ingestion, migration, running_orchestrator, training_orchestrator
from studio_operator.components.context import AssistantContext, Context, StudioContext
from studio_operator.components.metadata import selector, stateful_set_name
from studio_operator.planning.stores import FIELDS
from studio_operator.ports import Cluster
from studio_operator.reconcile.apply import owned_by
from studio_operator.status import pods
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


async def explained(
    cluster: Cluster, context: StudioContext, health: Mapping[Component, Health], migrated: JobHealth | None
) -> tuple[dict[Component, Health], JobHealth | None]:
    """Both with what the pods of those that do not get on tell; nothing is asked while all is well."""
    slow = {component for component, each in health.items() if not each.ready}
    if migrated is not None and not migrated.succeeded:
        slow.add(Component.MIGRATION)
    seen = await _pods(cluster, context, slow)
    told = {component: pods.explained(each, seen[component]) for component, each in health.items()}
    return told, pods.explained_job(migrated, seen[Component.MIGRATION]) if migrated else None


async def action_server(cluster: Cluster, context: AssistantContext) -> Health:
    """The health of an assistant's action server."""
    name = child_of_assistant(context.name, Component.ACTIONS)
    found = workload(cluster.cached(DEPLOYMENT, context.namespace, name), name=name)
    seen = await _pods(cluster, context, set() if found.ready else {Component.ACTIONS})
    return pods.explained(found, seen[Component.ACTIONS])


async def _pods(
    cluster: Cluster, context: Context, components: AbstractSet[Component]
) -> Mapping[Component, list[Manifest]]:
    """The pods by their component; none where the operator may not see them, which is not worth a failed pass."""
    found: defaultdict[Component, list[Manifest]] = defaultdict(list)
    if not components:
        return found
    chosen = selector(context, min(components)).items()
    terms = [f"{key}={value}" for key, value in chosen if key != labels.COMPONENT]
    terms.append(f"{labels.COMPONENT} in ({','.join(sorted(components))})")
    with suppress(Forbidden):
        for pod in await cluster.pods(context.namespace, ",".join(terms)):
            found[Component(pod["metadata"]["labels"][labels.COMPONENT])].append(pod)
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
