"""The web client: a server of its files."""

from urllib.parse import urlsplit

from studio.contract.labels import API_PORT, Component
from studio_operator.api.quantity import Requirements
from studio_operator.components import environment, workload
from studio_operator.components.context import StudioContext
from studio_operator.components.metadata import Manifest
from studio_operator.components.podspec import Container, http_probes, pod_spec, sized

COMPONENT = Component.WEB_CLIENT
RESOURCES: Requirements = {"requests": {"cpu": "5m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}}


def objects(context: StudioContext) -> list[Manifest]:
    """The Deployment and its Service."""
    size = context.spec.components.web_client
    external = context.spec.identity.external
    container = Container(
        name=COMPONENT,
        image=context.own_images.web_client,
        resources=sized(RESOURCES, size.resources),
        env=environment.variables({"CONNECT_SOURCES": _origin(external.issuer)} if external else {}),
        ports={"http": API_PORT},
        probes=http_probes("http", alive="/healthz", ready="/healthz"),
    )
    pod = workload.template(context, COMPONENT, pod_spec(container, context.own_images))
    return [
        workload.deployment(context, COMPONENT, pod, replicas=size.replicas, strategy=workload.SURGE_FIRST),
        workload.service(context, COMPONENT, port_name="http", port=API_PORT),
    ]


def _origin(url: str) -> str:
    """Of an issuer elsewhere, which browsers must be allowed to ask."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
