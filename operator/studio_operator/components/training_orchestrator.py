"""The training orchestrator: the queue of trainings and the registry of models."""

from studio.contract.labels import API_PORT, Component
from studio_operator.components import environment, workload
from studio_operator.components.context import StudioContext
from studio_operator.components.metadata import Manifest
from studio_operator.components.process import SMALL_RESOURCES, server_pod

COMPONENT = Component.TRAINING_ORCHESTRATOR


def objects(context: StudioContext) -> list[Manifest]:
    """The Deployment and its Service."""
    size = context.spec.components.training_orchestrator
    stores = environment.database(context) + environment.object_store(context)
    inputs = environment.base(context) + stores + environment.authentication(context)
    pod = server_pod(context, COMPONENT, inputs, SMALL_RESOURCES, size.resources)
    return [
        workload.deployment(context, COMPONENT, pod, replicas=size.replicas, strategy=workload.SURGE_FIRST),
        workload.service(context, COMPONENT, port_name="http", port=API_PORT),
    ]
