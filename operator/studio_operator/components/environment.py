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
SUPERUSER = "postgres"

_TOKENS = "/var/run/secrets/studio-operator.io"
_FILES = "/etc/studio"
_PASSWORD = "password"  # noqa: S105 - name of a file
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
        "database", secrets.database_roles(context), f"{_FILES}/database", {secrets.STUDIO_ROLE: _PASSWORD}
    )
    own = {
        "DATABASE_NAME": "studio",
        "DATABASE_USER": "studio",
        "DATABASE_PASSWORD_FILE": f"{_FILES}/database/{_PASSWORD}",
    }
    return Inputs(_database_server(context) + variables(own), [password])


def database_admin(context: StudioContext) -> Inputs:
    """The role that creates databases and roles."""
    path = f"{_FILES}/database-admin"
    file = variables({"DATABASE_ADMIN_PASSWORD_FILE": f"{path}/{_PASSWORD}"})
    if external := context.spec.database.external:
        secret = external.secret_ref.name
        user = _from_secret("DATABASE_ADMIN_USER", secret, "user")
        return Inputs([user, *file], [secret_volume("database-admin", secret, path, {"password": _PASSWORD})])
    user = variables({"DATABASE_ADMIN_USER": SUPERUSER})[0]
    keys = {secrets.SUPERUSER_PASSWORD: _PASSWORD}
    return Inputs([user, *file], [secret_volume("database-admin", secrets.database(context), path, keys)])


def trackers_password(context: StudioContext) -> Inputs:
    """The password of the role `trackers`."""
    path = f"{_FILES}/trackers"
    keys = {secrets.TRACKERS_ROLE: _PASSWORD}
    return Inputs(
        variables({"TRACKERS_PASSWORD_FILE": f"{path}/{_PASSWORD}"}),
        [secret_volume("trackers", secrets.database_roles(context), path, keys)],
    )


def trackers(context: StudioContext) -> Inputs:
    """The database of conversations, and the key that makes the passwords of the assistants' roles."""
    path = f"{_FILES}/tracker-key"
    known = {
        "TRACKERS_DATABASE": "trackers",
        "TRACKERS_USER": "trackers",
        "TRACKER_KEY_FILE": f"{path}/{secrets.TRACKER_KEY}",
    }
    keys = {secrets.TRACKER_KEY: secrets.TRACKER_KEY}
    volume = secret_volume("tracker-key", secrets.tracker_key(context), path, keys)
    return Inputs(variables(known), [volume]) + trackers_password(context)


def object_store(context: StudioContext) -> Inputs:
    """The bucket of content, models and logs."""
    path = f"{_FILES}/object-store"
    files = {"S3_ACCESS_KEY_FILE": f"{path}/{secrets.ACCESS_KEY}", "S3_SECRET_KEY_FILE": f"{path}/{secrets.SECRET_KEY}"}
    if external := context.spec.object_store.external:
        secret = external.secret_ref.name
        where = (external.endpoint, external.region, external.bucket, external.prefix)
    else:
        secret = secrets.object_store(context)
        where = (_url(context, Component.OBJECT_STORE, OBJECT_STORE_PORT), _REGION, _BUCKET, "")
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
        embedded = _url(context, Component.OBJECT_STORE, OBJECT_STORE_PORT)
        stores[Component.OBJECT_STORE] = endpoint.get("value") != embedded
    return stores


def authentication(context: StudioContext) -> Inputs:
    """Who may say to an orchestrator what is wanted."""
    return Inputs(variables({"AUTH_OPERATOR": context.operator_subject}))


def orchestrator(context: StudioContext, component: Component) -> Inputs:
    """Where an orchestrator is, and the token to show to it."""
    known = {
        "ORCHESTRATOR_URL": _url(context, component, API_PORT),
        "ORCHESTRATOR_TOKEN_FILE": f"{_TOKENS}/token",
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


def _database_server(context: StudioContext) -> list[Manifest]:
    if external := context.spec.database.external:
        secret = external.secret_ref.name
        return [_from_secret(f"DATABASE_{key.upper()}", secret, key) for key in ("host", "port", "sslmode")]
    host = f"{context.child(Component.DATABASE)}.{context.namespace}.svc"
    return variables({"DATABASE_HOST": host, "DATABASE_PORT": str(DATABASE_PORT), "DATABASE_SSLMODE": "disable"})


def _from_secret(name: str, secret: str, key: str) -> Manifest:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def _url(context: StudioContext, component: Component, port: int) -> str:
    return f"http://{context.child(component)}.{context.namespace}.svc:{port}"
