"""The running orchestrator: which model of which assistant runs, and where its Service sends to."""

from studio.contract.labels import API_PORT, Component
from studio_operator.components import environment, event_inputs, workload
from studio_operator.components.context import StudioContext
from studio_operator.components.metadata import Manifest
from studio_operator.components.process import SMALL_RESOURCES, server_pod

COMPONENT = Component.RUNNING_ORCHESTRATOR


def objects(context: StudioContext) -> list[Manifest]:
    """The Deployment and its Service."""
    size = context.spec.components.running_orchestrator
    stores = environment.database(context) + environment.object_store(context) + environment.trackers(context)
    inputs = (
        environment.base(context) + stores + environment.authentication(context) + event_inputs.engine_broker(context)
    )
    pod = server_pod(context, COMPONENT, inputs, SMALL_RESOURCES, size.resources)
    return [
        workload.deployment(context, COMPONENT, pod, replicas=size.replicas, strategy=workload.SURGE_FIRST),
        workload.service(context, COMPONENT, port_name="http", port=API_PORT),
    ]
