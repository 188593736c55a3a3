"""What the Jobs of trainings and runs have in common: metadata, security, volumes, the two kinds of containers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from studio.contract import labels, names
from studio.contract.labels import Component
from studio.contract.model_service import AssistantIdentity, EnginePod

Manifest = dict[str, Any]

HISTORY = f"{labels.GROUP}/history"
USER = 65532
TOKEN_FOLDER = "/var/run/secrets/studio-operator.io"  # noqa: S105 - a path
TOKEN_SECONDS = 600
_SECURITY: Manifest = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "runAsUser": USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_HELPER_RESOURCES: Manifest = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}}
_ENGINE_ENV = {
    "HOME": "/tmp/home",  # noqa: S108 - an emptyDir of the pod
    "TMPDIR": "/tmp/engine",  # noqa: S108
    "MPLCONFIGDIR": "/tmp/matplotlib",  # noqa: S108
    "RASA_CACHE_DIRECTORY": "/tmp/cache",  # noqa: S108
    "RASA_TELEMETRY_ENABLED": "false",
    "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONUNBUFFERED": "1",
}


@dataclass(frozen=True)
class Site:
    """Where the Jobs of a consumer live and what their helpers need: the same for every Job of that consumer."""

    studio: str
    version: str
    orchestrator_url: str
    helper_image: str
    helper_pull_policy: str = "IfNotPresent"
    helper_pull_secrets: tuple[str, ...] = ()
    log_level: str = "INFO"


@dataclass(frozen=True)
class Attempt:
    """Which attempt (1-based) of which item a Job is; `fence` is the token of the lease under which it is created."""

    item: str
    number: int
    fence: int
    history: str = "[]"

    @property
    def job(self) -> str:
        """The name of the Job."""
        return names.job(self.item, self.number)


def metadata(
    assistant: AssistantIdentity, attempt: Attempt, site: Site, *, component: Component, item_label: str
) -> Manifest:
    """Name, labels and owner of a Job. The owner is the Assistant, which must not wait for it."""
    return {
        "name": attempt.job,
        "namespace": assistant.namespace,
        "labels": item_labels(assistant, attempt, site, component=component, item_label=item_label),
        "annotations": {labels.FENCE: str(attempt.fence), HISTORY: attempt.history},
        "ownerReferences": [
            {
                "apiVersion": labels.API_VERSION,
                "kind": "Assistant",
                "name": assistant.name,
                "uid": assistant.uid,
                "controller": False,
                "blockOwnerDeletion": False,
            }
        ],
    }


def item_labels(
    assistant: AssistantIdentity, attempt: Attempt, site: Site, *, component: Component, item_label: str
) -> dict[str, str]:
    """The labels of the Job and of its pod."""
    return {
        **labels.common(
            instance=assistant.name,
            studio=site.studio,
            component=component,
            managed_by=labels.MANAGED_BY_MODEL_SERVICE,
            version=site.version,
        ),
        labels.ASSISTANT: assistant.name,
        item_label: attempt.item,
        labels.ATTEMPT: str(attempt.number),
    }


def pod_spec(engine: EnginePod, site: Site, *, component: Component, grace_seconds: int, **rest: Any) -> Manifest:
    """The pod around the containers given in `rest`: Pod Security restricted, no API token, the user's scheduling."""
    spec: Manifest = {
        "restartPolicy": "Never",
        "serviceAccountName": names.child(site.studio, component),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_seconds,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **rest,
    }
    pull_secrets = dict.fromkeys([*engine.image_pull_secrets, *site.helper_pull_secrets])
    optional = {
        "imagePullSecrets": [{"name": name} for name in pull_secrets],
        "nodeSelector": dict(engine.node_selector),
        "tolerations": list(engine.tolerations),
        "affinity": engine.affinity,
        "priorityClassName": engine.priority_class_name,
    }
    return spec | {key: value for key, value in optional.items() if value}


def helper(process: str, attempt: Attempt, site: Site, *, mounts: Iterable[Manifest], **rest: Any) -> Manifest:
    """A container of ours; only such containers mount the token for the orchestrator."""
    return {
        "name": process,
        "image": site.helper_image,
        "imagePullPolicy": site.helper_pull_policy,
        "command": ["python3", "-m", "studio", process],
        "env": [
            *_env(
                {
                    "STUDIO": site.studio,
                    "VERSION": site.version,
                    "LOG_LEVEL": site.log_level,
                    "ORCHESTRATOR_URL": site.orchestrator_url,
                    "ORCHESTRATOR_TOKEN_FILE": f"{TOKEN_FOLDER}/token",
                    "ITEM": attempt.item,
                    "ATTEMPT": str(attempt.number),
                }
            ),
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
        "resources": _HELPER_RESOURCES,
        "securityContext": _SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "token", "mountPath": TOKEN_FOLDER, "readOnly": True},
            {"name": "helper-tmp", "mountPath": "/tmp"},  # noqa: S108
            *mounts,
        ],
        **rest,
    }


def engine(
    name: str, pod: EnginePod, script: str, *, resources: Manifest, mounts: Iterable[Manifest], **rest: Any
) -> Manifest:
    """The container of the engine: no token, no storage credentials; what the user sets comes after our environment."""
    own = _ENGINE_ENV | rest.pop("env", {})
    chosen = {variable["name"] for variable in pod.env}
    licence = [
        {"name": variable, "valueFrom": {"secretKeyRef": {"name": pod.licence.name, "key": pod.licence.key}}}
        for variable in ("RASA_PRO_LICENSE", "RASA_LICENSE")
        if pod.licence and variable not in chosen
    ]
    return {
        "name": name,
        "image": pod.image,
        "imagePullPolicy": pod.image_pull_policy,
        "command": ["/bin/sh", "-c", script],
        "workingDir": "/tmp",  # noqa: S108
        "env": [*_env({key: value for key, value in own.items() if key not in chosen}), *licence, *pod.env],
        "resources": resources,
        "securityContext": _SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, *mounts],  # noqa: S108
        **rest,
    }


def volumes(**empty_dirs: str) -> list[Manifest]:
    """The token's volume, and an emptyDir per keyword (underscores become hyphens) of at most the given size."""
    token = {"serviceAccountToken": {"audience": labels.AUDIENCE, "expirationSeconds": TOKEN_SECONDS, "path": "token"}}
    return [
        {"name": "token", "projected": {"sources": [token]}},
        {"name": "helper-tmp", "emptyDir": {"sizeLimit": "16Mi"}},
        *({"name": name.replace("_", "-"), "emptyDir": {"sizeLimit": size}} for name, size in empty_dirs.items()),
    ]


def _env(variables: Mapping[str, str]) -> list[Manifest]:
    return [{"name": name, "value": value} for name, value in variables.items()]
