"""The entry proxy: the one origin of web client, back end, Keycloak, and the channels of the assistants."""

from studio.contract.labels import API_PORT, Component
from studio_operator.api.quantity import Requirements
from studio_operator.components import workload
from studio_operator.components.context import StudioContext
from studio_operator.components.metadata import Manifest, metadata
from studio_operator.components.podspec import Container, config_volume, http_probes, pod_spec, sized
from studio_operator.components.proxy_settings import studio_conf

COMPONENT = Component.ENTRY_PROXY
RESOURCES: Requirements = {"requests": {"cpu": "5m", "memory": "16Mi"}, "limits": {"memory": "128Mi"}}

_FOLDER = "/etc/nginx/studio"


def objects(context: StudioContext) -> list[Manifest]:
    """The ConfigMap, the Deployment and its Service."""
    size = context.spec.components.entry_proxy
    container = Container(
        name=COMPONENT,
        image=context.own_images.entry_proxy,
        resources=sized(RESOURCES, size.resources),
        ports={"http": API_PORT},
        # No digest of it in the template: the proxy follows changes by itself, and conversations go on.
        volumes=[config_volume("studio", context.child(COMPONENT), _FOLDER)],
        probes=http_probes("http", alive="/healthz", ready="/healthz"),
    )
    # WebSockets are closed when their conversation is quiet, at the latest after this.
    pod = workload.template(context, COMPONENT, pod_spec(container, context.own_images, grace_seconds=60))
    return [
        _config_map(context),
        workload.deployment(context, COMPONENT, pod, replicas=size.replicas, strategy=workload.SURGE_FIRST),
        workload.service(context, COMPONENT, port_name="http", port=API_PORT),
    ]


def _config_map(context: StudioContext) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(context, COMPONENT),
        "data": {"studio.conf": studio_conf(context)},
    }
