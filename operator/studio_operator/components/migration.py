"""The migration Job: roles, databases, topics and the newest schema, before anything that needs them is rolled out.

Its name holds a hash of its pod, so that whatever changes (image, version, settings, passwords) makes a new Job, and
the same pod never runs twice. The operator removes the Jobs of other names.
"""

import hashlib
import json

from studio.contract import labels
from studio.contract.labels import Component
from studio_operator.api.quantity import Requirements
from studio_operator.components import environment, event_inputs, identity_inputs, workload
from studio_operator.components.context import StudioContext
from studio_operator.components.metadata import Manifest
from studio_operator.components.podspec import Container, pod_spec, sized

COMPONENT = Component.MIGRATION
RESOURCES: Requirements = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "384Mi"}}
RETRIES = 3
DEADLINE_SECONDS = 600


def objects(context: StudioContext) -> list[Manifest]:
    """The Job."""
    inputs = (
        environment.base(context)
        + environment.database(context)
        + environment.database_admin(context)
        + environment.trackers_password(context)
        + identity_inputs.keycloak_database(context)
        + event_inputs.broker(context)
        + event_inputs.topics_to_make(context)
    )
    container = Container(
        name=COMPONENT,
        image=context.own_images.services,
        resources=sized(RESOURCES, context.spec.components.migration.resources),
        args=["migrate"],
        env=inputs.env,
        volumes=inputs.volumes,
    )
    spec = pod_spec(container, context.own_images, restart_policy="Never")
    pod = workload.template(context, COMPONENT, spec, digest=context.digest(inputs.secrets))
    name = f"{context.child(COMPONENT)}-{_hash(pod)}"
    return [workload.job(context, COMPONENT, name, pod, retries=RETRIES, deadline_seconds=DEADLINE_SECONDS)]


def selector(studio: str) -> dict[str, str]:
    """The labels of all migration Jobs of a Studio, whatever their name."""
    return labels.selector(instance=studio, studio=studio, component=COMPONENT) | {
        labels.MANAGED_BY: labels.MANAGED_BY_OPERATOR
    }


def _hash(pod: Manifest) -> str:
    return hashlib.sha256(json.dumps(pod, sort_keys=True).encode()).hexdigest()[:8]
