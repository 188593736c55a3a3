"""The event ingestion: from topics, and from what engines could not publish, into the database."""

from studio.contract.labels import Component
from studio_operator.api.quantity import Requirements
from studio_operator.components import environment, event_inputs, workload
from studio_operator.components.context import StudioContext
from studio_operator.components.metadata import Manifest
from studio_operator.components.process import server_pod

COMPONENT = Component.INGESTION
RESOURCES: Requirements = {"requests": {"cpu": "20m", "memory": "96Mi"}, "limits": {"memory": "256Mi"}}


def objects(context: StudioContext) -> list[Manifest]:
    """The Deployment."""
    inputs = (
        environment.base(context)
        + environment.database(context)
        + environment.trackers_login(context)
        + event_inputs.broker(context)
        + event_inputs.ingestion(context)
    )
    resources = context.spec.components.ingestion.resources
    pod = server_pod(context, COMPONENT, inputs, RESOURCES, resources, account=False)
    replicas = context.spec.ingestion.replicas
    return [workload.deployment(context, COMPONENT, pod, replicas=replicas, strategy=workload.SURGE_FIRST)]
