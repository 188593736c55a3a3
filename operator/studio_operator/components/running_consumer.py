"""The running consumers: each pod is a slot that holds one running model."""

from studio.contract.labels import Component
from studio_operator.components import environment, workload
from studio_operator.components.context import StudioContext
from studio_operator.components.metadata import Manifest
from studio_operator.components.process import CONSUMER_RESOURCES, server_pod

COMPONENT = Component.RUNNING_CONSUMER


def objects(context: StudioContext) -> list[Manifest]:
    """The Deployment."""
    size = context.spec.components.running_consumer
    inputs = (
        environment.base(context)
        + environment.database(context)
        + environment.orchestrator(context, Component.RUNNING_ORCHESTRATOR)
        + environment.helper(context)
    )
    pod = server_pod(context, COMPONENT, inputs, CONSUMER_RESOURCES, size.resources)
    replicas = context.running_slots
    return [workload.deployment(context, COMPONENT, pod, replicas=replicas, strategy=workload.GO_FIRST)]
