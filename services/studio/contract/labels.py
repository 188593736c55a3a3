"""Labels, annotations and identities that every object of a Studio carries or is found by."""

from enum import StrEnum

GROUP = "studio-operator.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

# https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/
NAME = "app.kubernetes.io/name"
INSTANCE = "app.kubernetes.io/instance"
PART_OF = "app.kubernetes.io/part-of"
MANAGED_BY = "app.kubernetes.io/managed-by"
APP_VERSION = "app.kubernetes.io/version"
COMPONENT = "app.kubernetes.io/component"

ASSISTANT = f"{GROUP}/assistant"
TRAINING = f"{GROUP}/training"
RUN = f"{GROUP}/run"
ATTEMPT = f"{GROUP}/attempt"

# The operator prunes only what carries its own value; Jobs and the Service of an assistant carry the other one.
MANAGED_BY_OPERATOR = "studio-operator"
MANAGED_BY_MODEL_SERVICE = "studio-model-service"

# The fencing token of the writer: a writer whose token is lower than the one on the object must not write.
FENCE = f"{GROUP}/fence"
# The sha256 of what a pod mounts: a changed ConfigMap or Secret rolls the pods that read it.
CONFIG_DIGEST = f"{GROUP}/config-digest"
# On an Assistant with `source.studio`: the revision of its content that was published last.
PUBLISHED = f"{GROUP}/published"

# The audience of every projected service-account token that is presented to an orchestrator.
AUDIENCE = f"{GROUP}/model-service"

ENGINE_PORT = 5005
ACTIONS_PORT = 5055
API_PORT = 8080


class Component(StrEnum):
    """The parts of a Studio, as written in the component label."""

    BACKEND = "backend"
    WEB_CLIENT = "web-client"
    KEYCLOAK = "keycloak"
    INGESTION = "ingestion"
    MIGRATION = "migration"
    ENTRY_PROXY = "entry-proxy"
    TRAINING_ORCHESTRATOR = "training-orchestrator"
    TRAINING_CONSUMER = "training-consumer"
    RUNNING_ORCHESTRATOR = "running-orchestrator"
    RUNNING_CONSUMER = "running-consumer"
    TRAINING = "training"
    RUN = "run"
    ACTIONS = "actions"
    DATABASE = "database"
    EVENT_BROKER = "event-broker"
    OBJECT_STORE = "object-store"
    LOCK_STORE = "lock-store"


def common(*, instance: str, studio: str, component: Component, managed_by: str, version: str) -> dict[str, str]:
    """The labels of one object: `instance` is the name of its custom resource, `studio` the Studio it is part of."""
    return {
        NAME: "studio",
        INSTANCE: instance,
        PART_OF: studio,
        MANAGED_BY: managed_by,
        APP_VERSION: version,
        COMPONENT: component.value,
    }


def selector(*, instance: str, studio: str, component: Component) -> dict[str, str]:
    """The subset of `common` that never changes, so that it can be an immutable pod selector."""
    return {INSTANCE: instance, PART_OF: studio, COMPONENT: component.value}
