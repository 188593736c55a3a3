"""The embedded identity: one Keycloak, which keeps everything in the database. Nothing with an external issuer."""

from studio.contract.labels import API_PORT, Component
from studio_operator.api.quantity import Requirements
from studio_operator.components import environment, secrets, workload
from studio_operator.components.context import StudioContext
from studio_operator.components.identity_inputs import KEYCLOAK_DATABASE, KEYCLOAK_PATH
from studio_operator.components.metadata import Manifest
from studio_operator.components.podspec import Container, http_probes, pod_spec, secret_volume, sized

COMPONENT = Component.KEYCLOAK
RESOURCES: Requirements = {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "1Gi"}}
MANAGEMENT_PORT = 9000
# The operator signs in as this client of the realm `master`.
ADMIN_CLIENT = "studio-operator"

_FOLDER = f"{environment.FILES}/keycloak"
_DATABASE = "jdbc:postgresql://$(DATABASE_HOST):$(DATABASE_PORT)/{name}?sslmode=$(DATABASE_SSLMODE)"


def objects(context: StudioContext) -> list[Manifest]:
    """The Deployment and its Service."""
    embedded = context.spec.identity.embedded
    if embedded is None:
        return []
    inputs = _inputs(context)
    container = Container(
        name=COMPONENT,
        image=context.own_images.keycloak,
        resources=sized(RESOURCES, embedded.resources),
        env=inputs.env,
        ports={"http": API_PORT, "management": MANAGEMENT_PORT},
        volumes=inputs.volumes,
        # The first start makes a hundred tables.
        probes=http_probes(
            "management", started="/health/started", alive="/health/live", ready="/health/ready", start_seconds=300
        ),
    )
    spec = pod_spec(container, context.own_images)
    pod = workload.template(context, COMPONENT, spec, digest=context.digest(inputs.secrets))
    return [
        # Its cache is its own: two of them would not know of each other's sessions.
        workload.deployment(context, COMPONENT, pod, replicas=1, strategy={"type": "Recreate"}),
        workload.service(context, COMPONENT, port_name="http", port=API_PORT),
    ]


def _inputs(context: StudioContext) -> environment.Inputs:
    secret = secrets.keycloak(context)
    keys = {key: key for key in (secrets.KEYCLOAK_CLIENT_SECRET, secrets.KEYCLOAK_DATABASE_PASSWORD)}
    known = {
        "KC_DB_URL": _DATABASE.format(name=KEYCLOAK_DATABASE),
        "KC_DB_USERNAME": KEYCLOAK_DATABASE,
        "KC_DB_PASSWORD_FILE": f"{_FOLDER}/{secrets.KEYCLOAK_DATABASE_PASSWORD}",
        "KC_HOSTNAME": f"{context.spec.public_url}{KEYCLOAK_PATH}",
        "KC_BOOTSTRAP_ADMIN_CLIENT_ID": ADMIN_CLIENT,
        "KC_BOOTSTRAP_ADMIN_CLIENT_SECRET_FILE": f"{_FOLDER}/{secrets.KEYCLOAK_CLIENT_SECRET}",
    }
    server = environment.database_server(context)
    return environment.Inputs(server + environment.variables(known), [secret_volume("keycloak", secret, _FOLDER, keys)])
