"""The embedded object store: one S3 gateway with a volume. Nothing where the Studio names an external service."""

from studio.contract.labels import Component
from studio_operator.api.quantity import Requirements
from studio_operator.components import environment, secrets, workload
from studio_operator.components.context import StudioContext
from studio_operator.components.metadata import Manifest
from studio_operator.components.podspec import Container, Volume, http_probes, pod_spec, sized

COMPONENT = Component.OBJECT_STORE
RESOURCES: Requirements = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}

_DATA = "/data"
_HEALTH = "/health"
# https://github.com/versity/versitygw/wiki/Global-Options; requests are not logged: presigned URLs are secrets.
ARGUMENTS = ("--port", f":{environment.OBJECT_STORE_PORT}", "--health", _HEALTH, "--quiet", "posix", _DATA)


def objects(context: StudioContext) -> list[Manifest]:
    """The StatefulSet and its Service."""
    embedded = context.spec.object_store.embedded
    if embedded is None:
        return []
    secret = secrets.object_store(context)
    keys = {"ROOT_ACCESS_KEY_ID": secrets.ACCESS_KEY, "ROOT_SECRET_ACCESS_KEY": secrets.SECRET_KEY}
    container = Container(
        name=COMPONENT,
        image=context.own_images.object_store,
        resources=sized(RESOURCES, embedded.resources),
        args=ARGUMENTS,
        # The gateway knows no files for these.
        env=[
            {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
            for variable, key in keys.items()
        ],
        ports={"s3": environment.OBJECT_STORE_PORT},
        volumes=[Volume("data", _DATA, source=None, read_only=False)],
        probes=http_probes("s3", alive=_HEALTH, ready=_HEALTH),
    )
    pod = workload.template(
        context, COMPONENT, pod_spec(container, context.own_images), digest=context.digest([secret])
    )
    storage = embedded.storage
    return [
        workload.stateful_set(context, COMPONENT, pod, size=storage.size, storage_class=storage.class_name),
        workload.service(context, COMPONENT, port_name="s3", port=environment.OBJECT_STORE_PORT),
    ]
