"""The Secrets of a Studio: those the operator generates, and those that a person must bring.

Values are made once by the reconcile and never overwritten. Secrets that belong to a retained volume have no owner, so
that they outlive the Studio together with the volume.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from studio.contract.labels import Component
from studio_operator.api.v1alpha1.assistant import CREDENTIALS_KEY, AssistantSpec
from studio_operator.api.v1alpha1.studio import DATABASE_KEYS, OBJECT_STORE_KEYS
from studio_operator.components.context import StudioContext
from studio_operator.components.metadata import Manifest, metadata

SUPERUSER_PASSWORD = "superuser-password"  # noqa: S105 - name of a key
STUDIO_ROLE = "studio"
TRACKERS_ROLE = "trackers"
TRACKER_KEY = "key"
ACCESS_KEY, SECRET_KEY = OBJECT_STORE_KEYS


@dataclass(frozen=True)
class GeneratedSecret:
    """A Secret to create if it is missing: `keys` maps each key to its number of random bytes, written in hex."""

    name: str
    keys: Mapping[str, int]
    retain: bool
    metadata: Manifest


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
    return secrets


def referenced(context: StudioContext) -> list[ReferencedSecret]:
    """The Secrets that the Studio's spec names and without which its pods cannot start."""
    secrets = []
    if external := context.spec.database.external:
        path = "spec.database.external.secretRef"
        secrets.append(ReferencedSecret(external.secret_ref.name, DATABASE_KEYS, path))
    if store := context.spec.object_store.external:
        path = "spec.objectStore.external.secretRef"
        secrets.append(ReferencedSecret(store.secret_ref.name, OBJECT_STORE_KEYS, path))
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


def _generated(context: StudioContext, component: Component, name: str, keys: Mapping[str, int]) -> GeneratedSecret:
    return GeneratedSecret(
        name=name,
        keys=keys,
        retain=context.retains,
        metadata=metadata(context, component, name, owned=not context.retains),
    )
