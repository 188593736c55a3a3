"""What the processes of a Studio are told: environment variables, and the files that some of them point to.

Passwords, keys and tokens are files, never variables: those end up in crash reports and child processes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from studio.contract.labels import API_PORT, AUDIENCE, Component
from studio_operator.components import secrets
from studio_operator.components.context import StudioContext
from studio_operator.components.metadata import Manifest
from studio_operator.components.podspec import Volume, secret_volume, token_volume

DATABASE_PORT = 5432
OBJECT_STORE_PORT = 7070
BROKER_PORT = 9092
SUPERUSER = "postgres"
FILES = "/etc/studio"
PASSWORD = "password"  # noqa: S105 - name of a file

_TOKENS = "/var/run/secrets/studio-operator.io"
_REGION = "us-east-1"
_BUCKET = "studio"


@dataclass(frozen=True)
class Inputs:
    """Environment variables of a container, and the volumes they point into."""

    env: list[Manifest] = field(default_factory=list)
    volumes: list[Volume] = field(default_factory=list)

    def __add__(self, other: "Inputs") -> "Inputs":
        return Inputs(self.env + other.env, self.volumes + other.volumes)

    @property
    def secrets(self) -> list[str]:
        """The names of all Secrets that are read, as files or as variables."""
        sources = [(volume.source or {}).get("secret", {}).get("secretName") for volume in self.volumes]
        keys = [variable.get("valueFrom", {}).get("secretKeyRef", {}).get("name") for variable in self.env]
        return sorted({name for name in sources + keys if name})


def base(context: StudioContext) -> Inputs:
    """Who the process is."""
    pod = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    known = {
        "STUDIO": context.name,
        "NAMESPACE": context.namespace,
        "LOG_LEVEL": context.log_level,
        "VERSION": context.version,
    }
    return Inputs([*variables(known), pod])


def database(context: StudioContext) -> Inputs:
    """The database `studio` under the role of the same name."""
    password = secret_volume(
        "database", secrets.database_roles(context), f"{FILES}/database", {secrets.STUDIO_ROLE: PASSWORD}
    )
    own = {
        "DATABASE_NAME": "studio",
        "DATABASE_USER": "studio",
        "DATABASE_PASSWORD_FILE": f"{FILES}/database/{PASSWORD}",
    }
    return Inputs(database_server(context) + variables(own), [password])


def database_admin(context: StudioContext) -> Inputs:
    """The role that creates databases and roles."""
    path = f"{FILES}/database-admin"
    file = variables({"DATABASE_ADMIN_PASSWORD_FILE": f"{path}/{PASSWORD}"})
    if external := context.spec.database.external:
        secret = external.secret_ref.name
        user = _from_secret("DATABASE_ADMIN_USER", secret, "user")
        return Inputs([user, *file], [secret_volume("database-admin", secret, path, {"password": PASSWORD})])
    user = variables({"DATABASE_ADMIN_USER": SUPERUSER})[0]
    keys = {secrets.SUPERUSER_PASSWORD: PASSWORD}
    return Inputs([user, *file], [secret_volume("database-admin", secrets.database(context), path, keys)])


def trackers_password(context: StudioContext) -> Inputs:
    """The password of the role `trackers`."""
    path = f"{FILES}/trackers"
    keys = {secrets.TRACKERS_ROLE: PASSWORD}
    return Inputs(
        variables({"TRACKERS_PASSWORD_FILE": f"{path}/{PASSWORD}"}),
        [secret_volume("trackers", secrets.database_roles(context), path, keys)],
    )


def trackers_login(context: StudioContext) -> Inputs:
    """The database of conversations under the role that sees those of all assistants."""
    known = {"TRACKERS_DATABASE": "trackers", "TRACKERS_USER": "trackers"}
    return Inputs(variables(known)) + trackers_password(context)


def trackers(context: StudioContext) -> Inputs:
    """The same, and the key that makes the passwords of the assistants' roles."""
    path = f"{FILES}/tracker-key"
    known = {"TRACKER_KEY_FILE": f"{path}/{secrets.TRACKER_KEY}"}
    keys = {secrets.TRACKER_KEY: secrets.TRACKER_KEY}
    volume = secret_volume("tracker-key", secrets.tracker_key(context), path, keys)
    return trackers_login(context) + Inputs(variables(known), [volume])


def object_store(context: StudioContext) -> Inputs:
    """The bucket of content, models and logs."""
    path = f"{FILES}/object-store"
    files = {"S3_ACCESS_KEY_FILE": f"{path}/{secrets.ACCESS_KEY}", "S3_SECRET_KEY_FILE": f"{path}/{secrets.SECRET_KEY}"}
    if external := context.spec.object_store.external:
        secret = external.secret_ref.name
        where = (external.endpoint, external.region, external.bucket, external.prefix)
    else:
        secret = secrets.object_store(context)
        where = (url(context, Component.OBJECT_STORE, OBJECT_STORE_PORT), _REGION, _BUCKET, "")
    known = dict(zip(("S3_ENDPOINT", "S3_REGION", "S3_BUCKET", "S3_PREFIX"), where, strict=True))
    keys = {key: key for key in (secrets.ACCESS_KEY, secrets.SECRET_KEY)}
    return Inputs(variables(known | files), [secret_volume("object-store", secret, path, keys)])


def stores_told(context: StudioContext, pod: Manifest) -> dict[Component, bool]:
    """The stores that the pod of this spec was told of, and whether each is an external one."""
    told = {variable["name"]: variable for container in pod["containers"] for variable in container.get("env", [])}
    stores = {}
    if host := told.get("DATABASE_HOST"):
        stores[Component.DATABASE] = "valueFrom" in host
    if endpoint := told.get("S3_ENDPOINT"):
        embedded = url(context, Component.OBJECT_STORE, OBJECT_STORE_PORT)
        stores[Component.OBJECT_STORE] = endpoint.get("value") != embedded
    if servers := told.get("EVENT_BROKER_SERVERS"):
        stores[Component.EVENT_BROKER] = servers.get("value") != address(context, Component.EVENT_BROKER, BROKER_PORT)
    return stores


def authentication(context: StudioContext) -> Inputs:
    """Whose word counts: the operator's."""
    return Inputs(variables({"AUTH_OPERATOR": context.operator_subject}))


def orchestrator(context: StudioContext, component: Component) -> Inputs:
    """Where an orchestrator is, and the token to show to it."""
    known = {
        "ORCHESTRATOR_URL": url(context, component, API_PORT),
        "ORCHESTRATOR_TOKEN_FILE": f"{_TOKENS}/token",
    }
    return Inputs(variables(known), [token_volume(_TOKENS, AUDIENCE)])


def orchestrators(context: StudioContext) -> Inputs:
    """Where both orchestrators are, and the token to show to them."""
    known = {
        "TRAINING_ORCHESTRATOR_URL": url(context, Component.TRAINING_ORCHESTRATOR, API_PORT),
        "RUNNING_ORCHESTRATOR_URL": url(context, Component.RUNNING_ORCHESTRATOR, API_PORT),
        "MODEL_SERVICE_TOKEN_FILE": f"{_TOKENS}/token",
    }
    return Inputs(variables(known), [token_volume(_TOKENS, AUDIENCE)])


def helper(context: StudioContext) -> Inputs:
    """The image of the helpers in the Jobs that a consumer makes."""
    images = context.own_images
    known = {
        "HELPER_IMAGE": images.services,
        "HELPER_IMAGE_PULL_POLICY": images.pull_policy,
        "HELPER_IMAGE_PULL_SECRETS": ",".join(images.pull_secrets),
    }
    return Inputs(variables(known))


def variables(values: Mapping[str, str]) -> list[Manifest]:
    """Literal environment variables."""
    return [{"name": name, "value": value} for name, value in values.items()]


def database_server(context: StudioContext) -> list[Manifest]:
    """Host, port and sslmode of the PostgreSQL server."""
    if external := context.spec.database.external:
        secret = external.secret_ref.name
        return [_from_secret(f"DATABASE_{key.upper()}", secret, key) for key in ("host", "port", "sslmode")]
    host = f"{context.child(Component.DATABASE)}.{context.namespace}.svc"
    return variables({"DATABASE_HOST": host, "DATABASE_PORT": str(DATABASE_PORT), "DATABASE_SSLMODE": "disable"})


def _from_secret(name: str, secret: str, key: str) -> Manifest:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def address(context: StudioContext, component: Component, port: int) -> str:
    """Host and port of a component's Service."""
    return f"{context.child(component)}.{context.namespace}.svc:{port}"


def url(context: StudioContext, component: Component, port: int) -> str:
    """URL of a component's Service."""
    return f"http://{address(context, component, port)}"
