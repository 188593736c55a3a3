"""The Secrets of a Studio: those the operator generates, and those that a person must bring.

Values are made once by the reconcile and never overwritten. Secrets that belong to a retained volume have no owner, so
that they outlive the Studio together with the volume.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from studio.contract.labels import Component
from studio_operator.api.v1alpha1.assistant import CREDENTIALS_KEY, AssistantSpec
from studio_operator.api.v1alpha1.stores import DATABASE_KEYS, LOGIN_KEYS, OBJECT_STORE_KEYS
from studio_operator.components.context import StudioContext
from studio_operator.components.metadata import Manifest, metadata

SUPERUSER_PASSWORD = "superuser-password"  # noqa: S105 - name of a key
STUDIO_ROLE = "studio"
TRACKERS_ROLE = "trackers"
TRACKER_KEY = "key"
ACCESS_KEY, SECRET_KEY = OBJECT_STORE_KEYS
BROKER_ADMIN = "admin-password"
BROKER_ENGINE = "engine-password"
KEYCLOAK_CLIENT_SECRET = "client-secret"  # noqa: S105 - name of a key
KEYCLOAK_DATABASE_PASSWORD = "database-password"  # noqa: S105 - name of a key
ADMINISTRATOR_NAME, ADMINISTRATOR_PASSWORD = LOGIN_KEYS
EXTERNAL_CLIENT = "studio-external"
CLIENT_ID, CLIENT_SECRET = "client-id", "client-secret"


@dataclass(frozen=True)
class GeneratedSecret:
    """A Secret to create if it is missing.

    `keys` maps each key to its number of random bytes, written in hex; `known` holds what is not random.
    """

    name: str
    keys: Mapping[str, int]
    retain: bool
    metadata: Manifest
    known: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ReferencedSecret:
    """A Secret that a person must bring, the keys it must hold, and the field that names it."""

    name: str
    keys: tuple[str, ...]
    path: str


def database(context: StudioContext) -> str:
    """Name of the Secret with the superuser's password of the embedded database."""
    return context.child(Component.DATABASE)


def database_roles(context: StudioContext) -> str:
    """Name of the Secret with the passwords of the Studio's own roles."""
    return f"{context.child(Component.DATABASE)}-roles"


def tracker_key(context: StudioContext) -> str:
    """Name of the Secret with the key that the passwords of the assistants' roles are derived from."""
    return f"{context.name}-tracker-key"


def object_store(context: StudioContext) -> str:
    """Name of the Secret with the keys of the embedded object store."""
    return context.child(Component.OBJECT_STORE)


def event_broker(context: StudioContext) -> str:
    """Name of the Secret with the passwords of the embedded event broker's two users."""
    return context.child(Component.EVENT_BROKER)


def keycloak(context: StudioContext) -> str:
    """Name of the Secret with Keycloak's own passwords: of its database role, and of the operator's client."""
    return context.child(Component.KEYCLOAK)


def administrator(context: StudioContext) -> str:
    """Name of the Secret with the login of the first administrator."""
    return f"{context.name}-administrator"


def external_client(context: StudioContext) -> str:
    """Name of the Secret with the login of programs outside: the client with client credentials."""
    return f"{context.name}-external-client"


def required(context: StudioContext) -> list[GeneratedSecret]:
    """The Secrets to generate."""
    secrets = [
        _generated(context, Component.DATABASE, database_roles(context), {STUDIO_ROLE: 24, TRACKERS_ROLE: 24}),
        _generated(context, Component.DATABASE, tracker_key(context), {TRACKER_KEY: 32}),
    ]
    if context.spec.database.embedded:
        secrets.append(_generated(context, Component.DATABASE, database(context), {SUPERUSER_PASSWORD: 24}))
    if context.spec.object_store.embedded:
        keys = {ACCESS_KEY: 10, SECRET_KEY: 20}
        secrets.append(_generated(context, Component.OBJECT_STORE, object_store(context), keys))
    if context.spec.event_broker.embedded:
        keys = {BROKER_ADMIN: 24, BROKER_ENGINE: 24}
        secrets.append(_generated(context, Component.EVENT_BROKER, event_broker(context), keys))
    if identity := context.spec.identity.embedded:
        secrets += _of_keycloak(context, identity.administrator.username)
    return secrets


def _of_keycloak(context: StudioContext, administrator_name: str) -> list[GeneratedSecret]:
    """What Keycloak keeps in the database, so that these must live as long as that."""
    own = {KEYCLOAK_CLIENT_SECRET: 32, KEYCLOAK_DATABASE_PASSWORD: 24}
    person, program = {ADMINISTRATOR_NAME: administrator_name}, {CLIENT_ID: EXTERNAL_CLIENT}
    return [
        _generated(context, Component.KEYCLOAK, keycloak(context), own),
        _generated(context, Component.KEYCLOAK, administrator(context), {ADMINISTRATOR_PASSWORD: 12}, person),
        _generated(context, Component.KEYCLOAK, external_client(context), {CLIENT_SECRET: 32}, program),
    ]


def referenced(context: StudioContext) -> list[ReferencedSecret]:
    """The Secrets that the Studio's spec names and without which its pods cannot start."""
    secrets = []
    if external := context.spec.database.external:
        path = "spec.database.external.secretRef"
        secrets.append(ReferencedSecret(external.secret_ref.name, DATABASE_KEYS, path))
    if store := context.spec.object_store.external:
        path = "spec.objectStore.external.secretRef"
        secrets.append(ReferencedSecret(store.secret_ref.name, OBJECT_STORE_KEYS, path))
    if broker := context.spec.event_broker.external:
        keys = LOGIN_KEYS if broker.signs_in else ()
        if broker.secret_ref:
            secrets.append(ReferencedSecret(broker.secret_ref.name, keys, "spec.eventBroker.external.secretRef"))
        if broker.engine_secret_ref:
            path = "spec.eventBroker.external.engineSecretRef"
            secrets.append(ReferencedSecret(broker.engine_secret_ref.name, keys, path))
    return secrets


def referenced_by_assistant(spec: AssistantSpec) -> list[ReferencedSecret]:
    """The Secrets that an Assistant's spec names and without which its pods cannot start."""
    secrets = []
    if licence := spec.engine.licence_secret_ref:
        secrets.append(ReferencedSecret(licence.name, (licence.key,), "spec.engine.licenceSecretRef"))
    if credentials := spec.channels.credentials_secret_ref:
        path = "spec.channels.credentialsSecretRef"
        secrets.append(ReferencedSecret(credentials.name, (CREDENTIALS_KEY,), path))
    return secrets


def _generated(
    context: StudioContext,
    component: Component,
    name: str,
    keys: Mapping[str, int],
    known: Mapping[str, str] | None = None,
) -> GeneratedSecret:
    return GeneratedSecret(
        known=known or {},
        name=name,
        keys=keys,
        retain=context.retains,
        metadata=metadata(context, component, name, owned=not context.retains),
    )
