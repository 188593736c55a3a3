"""The action server of one Assistant. Nothing where its spec has no `actions`."""

from studio.contract.labels import ACTIONS_PORT, Component
from studio_operator.api.v1alpha1.assistant import ACTIONS_RESOURCES
from studio_operator.components import workload
from studio_operator.components.context import AssistantContext
from studio_operator.components.metadata import Manifest
from studio_operator.components.podspec import Container, http_probes, pod_spec, sized

COMPONENT = Component.ACTIONS


def objects(context: AssistantContext) -> list[Manifest]:
    """The Deployment and its Service."""
    actions = context.spec.actions
    if actions is None:
        return []
    container = Container(
        name=COMPONENT,
        image=actions.image,
        resources=sized(ACTIONS_RESOURCES, actions.resources),
        env=[variable.manifest() for variable in actions.env],
        ports={"http": ACTIONS_PORT},
        probes=http_probes("http", alive="/health", ready="/health"),
    )
    pod = workload.template(context, COMPONENT, pod_spec(container, context.own_images))
    return [
        workload.deployment(context, COMPONENT, pod, replicas=actions.replicas, strategy=workload.SURGE_FIRST),
        workload.service(context, COMPONENT, port_name="http", port=ACTIONS_PORT),
    ]
