"""The back end: the API that web client and command line use."""

from studio.contract.labels import API_PORT, Component
from studio_operator.components import environment, identity_inputs, workload
from studio_operator.components.context import StudioContext
from studio_operator.components.metadata import Manifest
from studio_operator.components.process import SMALL_RESOURCES, server_pod

COMPONENT = Component.BACKEND


def objects(context: StudioContext) -> list[Manifest]:
    """The Deployment and its Service."""
    size = context.spec.components.backend
    inputs = (
        environment.base(context)
        + environment.database(context)
        + environment.object_store(context)
        + environment.orchestrators(context)
        + environment.authentication(context)
        + identity_inputs.people(context)
    )
    pod = server_pod(context, COMPONENT, inputs, SMALL_RESOURCES, size.resources)
    return [
        workload.deployment(context, COMPONENT, pod, replicas=size.replicas, strategy=workload.SURGE_FIRST),
        workload.service(context, COMPONENT, port_name="http", port=API_PORT),
    ]
