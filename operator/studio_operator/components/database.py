"""The embedded database: one PostgreSQL pod with a volume. Nothing where the Studio names an external server."""

from studio.contract.labels import Component
from studio_operator.api.quantity import Requirements
from studio_operator.components import environment, secrets, workload
from studio_operator.components.context import StudioContext
from studio_operator.components.metadata import Manifest
from studio_operator.components.podspec import Container, Volume, pod_spec, secret_volume, sized, tcp_probes

COMPONENT = Component.DATABASE
RESOURCES: Requirements = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}
# Each running consumer holds up to two connections, each orchestrator a small pool.
MAX_CONNECTIONS = 200

_DATA = "/var/lib/postgresql/data"
_PASSWORD = "/etc/studio/database-admin"  # noqa: S105 - a folder


def objects(context: StudioContext) -> list[Manifest]:
    """The StatefulSet and its Service."""
    embedded = context.spec.database.embedded
    if embedded is None:
        return []
    password = secret_volume("password", secrets.database(context), _PASSWORD, {secrets.SUPERUSER_PASSWORD: "password"})
    variables = {
        "POSTGRES_USER": environment.SUPERUSER,
        "POSTGRES_PASSWORD_FILE": f"{_PASSWORD}/password",
        # Beside it, in the same volume, the image prepares a new database before it is renamed into place.
        "PGDATA": f"{_DATA}/pgdata",
    }
    container = Container(
        name=COMPONENT,
        image=context.own_images.database,
        resources=sized(RESOURCES, embedded.resources),
        args=["-c", f"max_connections={MAX_CONNECTIONS}"],
        env=environment.variables(variables),
        ports={"postgresql": environment.DATABASE_PORT},
        volumes=[Volume("data", _DATA, source=None, read_only=False), password],
        # Recovery after a crash may take long; a restart would begin it again.
        probes=tcp_probes("postgresql", start_seconds=600),
    )
    pod = workload.template(
        context,
        COMPONENT,
        pod_spec(container, context.own_images, grace_seconds=60),
        digest=context.digest([secrets.database(context)]),
    )
    storage = embedded.storage
    return [
        workload.stateful_set(context, COMPONENT, pod, size=storage.size, storage_class=storage.class_name),
        workload.service(context, COMPONENT, port_name="postgresql", port=environment.DATABASE_PORT),
    ]
