"""The training consumers: each pod attends one training at a time."""

from studio.contract.labels import Component
from studio_operator.components import environment, workload
from studio_operator.components.context import StudioContext
from studio_operator.components.metadata import Manifest
from studio_operator.components.process import CONSUMER_RESOURCES, server_pod

COMPONENT = Component.TRAINING_CONSUMER


def objects(context: StudioContext) -> list[Manifest]:
    """The Deployment."""
    size = context.spec.components.training_consumer
    inputs = (
        environment.base(context)
        + environment.database(context)
        + environment.orchestrator(context, Component.TRAINING_ORCHESTRATOR)
        + environment.helper(context)
    )
    pod = server_pod(context, COMPONENT, inputs, CONSUMER_RESOURCES, size.resources)
    return [
        workload.deployment(context, COMPONENT, pod, replicas=context.training_consumers, strategy=workload.GO_FIRST)
    ]
