"""Pods of the services image: `python -m studio <process>` with a small HTTP server for health and metrics."""

from studio.contract.labels import API_PORT, Component
from studio_operator.api.quantity import Requirements
from studio_operator.api.v1alpha1.common import Resources
from studio_operator.components import workload
from studio_operator.components.context import StudioContext
from studio_operator.components.environment import Inputs
from studio_operator.components.metadata import Manifest
from studio_operator.components.podspec import Container, http_probes, pod_spec, sized

SMALL_RESOURCES: Requirements = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "384Mi"}}
CONSUMER_RESOURCES: Requirements = {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "160Mi"}}


def server_pod(
    context: StudioContext,
    component: Component,
    inputs: Inputs,
    defaults: Requirements,
    resources: Resources,
    *,
    account: bool = True,
) -> Manifest:
    """The pod template of a process that runs for ever; `account`: with a service account of its own."""
    container = Container(
        name=component,
        image=context.own_images.services,
        resources=sized(defaults, resources),
        args=[component.value],
        env=inputs.env,
        ports={"http": API_PORT},
        volumes=inputs.volumes,
        probes=http_probes("http", alive="/healthz", ready="/readyz"),
    )
    # The API token is for what the RoleBinding of the account allows, and for the keys that verify tokens.
    own = context.child(component) if account else None
    spec = pod_spec(container, context.own_images, service_account=own, api_token=account)
    return workload.template(context, component, spec, digest=context.digest(inputs.secrets))
