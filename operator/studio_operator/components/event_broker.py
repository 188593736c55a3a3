"""The embedded event broker: one Kafka pod with a volume. Nothing where the Studio names an external cluster."""

from studio.contract.labels import Component
from studio_operator.api.quantity import Requirements, amount
from studio_operator.components import environment, secrets, workload
from studio_operator.components.context import StudioContext
from studio_operator.components.metadata import Manifest
from studio_operator.components.podspec import Container, Volume, pod_spec, secret_volume, sized, tcp_probes

COMPONENT = Component.EVENT_BROKER
RESOURCES: Requirements = {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "768Mi"}}
# Kafka stops when its volume is full, so old events go before that; the rest is for segments that are being written.
USED_PART = 0.6

_DATA = "/var/lib/event-broker"
_PASSWORDS = "/etc/event-broker"


def objects(context: StudioContext) -> list[Manifest]:
    """The StatefulSet and its Service."""
    embedded = context.spec.event_broker.embedded
    if embedded is None:
        return []
    secret = secrets.event_broker(context)
    keys = {key: key for key in (secrets.BROKER_ADMIN, secrets.BROKER_ENGINE)}
    known = {
        "EVENT_BROKER_ADVERTISED": environment.address(context, COMPONENT, environment.BROKER_PORT),
        "EVENT_BROKER_RETENTION_BYTES": str(_bytes_per_partition(context, embedded.storage.size)),
    }
    container = Container(
        name=COMPONENT,
        image=context.own_images.event_broker,
        resources=sized(RESOURCES, embedded.resources),
        env=environment.variables(known),
        ports={"kafka": environment.BROKER_PORT},
        volumes=[
            Volume("data", _DATA, source=None, read_only=False),
            secret_volume("passwords", secret, _PASSWORDS, keys),
        ],
        # The port opens when the log is recovered, which takes long after a crash.
        probes=tcp_probes("kafka", start_seconds=300),
    )
    pod = workload.template(
        context, COMPONENT, pod_spec(container, context.own_images, grace_seconds=60), digest=context.digest([secret])
    )
    storage = embedded.storage
    return [
        workload.stateful_set(context, COMPONENT, pod, size=storage.size, storage_class=storage.class_name),
        workload.service(context, COMPONENT, port_name="kafka", port=environment.BROKER_PORT),
    ]


def _bytes_per_partition(context: StudioContext, size: str) -> int:
    """Retention is counted by partition; the topic of dead letters has one more."""
    return int(float(amount(size)) * USED_PART / (context.spec.event_broker.topic.partitions + 1))
