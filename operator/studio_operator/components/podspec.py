"""Pods that pass Pod Security "restricted", on a read-only root file system, and the containers in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from studio_operator.api.quantity import Requirements, merged
from studio_operator.api.v1alpha1.common import Resources
from studio_operator.components.metadata import Manifest
from studio_operator.images import Images

UID = 65532
TMP_SIZE = "256Mi"


@dataclass(frozen=True)
class Volume:
    """A volume and where the container sees it: `source` is the volume's source, None one of the pod's own claims."""

    name: str
    mount_path: str
    source: Manifest | None
    read_only: bool = True


@dataclass(frozen=True)
class Container:
    """The one container of a pod of ours."""

    name: str
    image: str
    resources: Requirements
    args: Sequence[str] = ()
    env: Sequence[Manifest] = ()
    ports: Mapping[str, int] = field(default_factory=dict)
    volumes: Sequence[Volume] = ()
    probes: Manifest = field(default_factory=dict)


def secret_volume(
    name: str, secret: str, mount_path: str, items: Mapping[str, str], *, optional: bool = False
) -> Volume:
    """Keys of a Secret as files: `items` maps key to file name; `optional`: keys may be missing."""
    paths = [{"key": key, "path": path} for key, path in items.items()]
    # Readable for the group: the kubelet gives the files to fsGroup.
    source: Manifest = {"secretName": secret, "items": paths, "defaultMode": 0o440}
    return Volume(name, mount_path, {"secret": source | ({"optional": True} if optional else {})})


def config_volume(name: str, config_map: str, mount_path: str) -> Volume:
    """All keys of a ConfigMap as files, which follow its changes."""
    return Volume(name, mount_path, {"configMap": {"name": config_map, "defaultMode": 0o444}})


def token_volume(mount_path: str, audience: str, seconds: int = 600) -> Volume:
    """A projected service-account token in the file `token`; the kubelet renews it before it expires."""
    token = {"serviceAccountToken": {"audience": audience, "expirationSeconds": seconds, "path": "token"}}
    return Volume("token", mount_path, {"projected": {"sources": [token], "defaultMode": 0o440}})


def scratch_volume(name: str, mount_path: str, size: str) -> Volume:
    """A folder that lives as long as the pod."""
    return Volume(name, mount_path, {"emptyDir": {"sizeLimit": size}}, read_only=False)


def http_probes(port: str, *, alive: str, ready: str, started: str | None = None, start_seconds: int = 120) -> Manifest:
    """Probes by HTTP; while it starts, a pod is asked every second, so that nothing waits for it."""

    def get(path: str) -> Manifest:
        return {"httpGet": {"path": path, "port": port}}

    # Alive is enough to have started: a dependency that is away must not restart the pod.
    return _probes(get(started or alive), get(alive), get(ready), start_seconds)


def tcp_probes(port: str, *, start_seconds: int = 120) -> Manifest:
    """Probes that only connect."""
    connect: Manifest = {"tcpSocket": {"port": port}}
    return _probes(connect, connect, connect, start_seconds)


def _probes(started: Manifest, alive: Manifest, ready: Manifest, start_seconds: int) -> Manifest:
    return {
        "startupProbe": started | {"periodSeconds": 1, "timeoutSeconds": 3, "failureThreshold": start_seconds},
        "readinessProbe": ready | {"periodSeconds": 3, "timeoutSeconds": 3, "failureThreshold": 2},
        "livenessProbe": alive | {"periodSeconds": 15, "timeoutSeconds": 5, "failureThreshold": 4},
    }


def pod_spec(
    container: Container,
    images: Images,
    *,
    service_account: str | None = None,
    api_token: bool = False,
    grace_seconds: int = 30,
    restart_policy: str = "Always",
) -> Manifest:
    """The spec of a pod with one container; `api_token`: whether it may talk to the API server."""
    volumes = [*container.volumes, scratch_volume("tmp", "/tmp", TMP_SIZE)]  # noqa: S108 - a volume of its own
    spec: Manifest = {
        "containers": [_container(container, volumes, images.pull_policy)],
        "volumes": [{"name": volume.name} | volume.source for volume in volumes if volume.source is not None],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": UID,
            "runAsGroup": UID,
            "fsGroup": UID,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "automountServiceAccountToken": api_token,
        "enableServiceLinks": False,
        "restartPolicy": restart_policy,
        "terminationGracePeriodSeconds": grace_seconds,
    }
    if service_account:
        spec["serviceAccountName"] = service_account
    if images.pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in images.pull_secrets]
    return spec


def _container(container: Container, volumes: Sequence[Volume], pull_policy: str) -> Manifest:
    spec: Manifest = {
        "name": container.name,
        "image": container.image,
        "imagePullPolicy": pull_policy,
        "resources": container.resources,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [_mount(volume) for volume in volumes],
    }
    if container.args:
        spec["args"] = list(container.args)
    if container.env:
        spec["env"] = list(container.env)
    if container.ports:
        ports = container.ports.items()
        spec["ports"] = [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports]
    return spec | container.probes


def _mount(volume: Volume) -> Manifest:
    mount: Manifest = {"name": volume.name, "mountPath": volume.mount_path}
    return mount | ({"readOnly": True} if volume.read_only else {})


def sized(defaults: Requirements, resources: Resources) -> Requirements:
    """The resources of a container: the defaults with what its custom resource says."""
    return merged(defaults, resources.requirements())
