"""Configuration files, flags and manifests that are rendered from paths and addresses."""

import tomllib
from ipaddress import IPv4Network
from pathlib import Path

import pytest
import yaml

from cluster.local import components, configs
from cluster.local.addons import DEPLOYMENTS, MANIFESTS, render_addons
from cluster.local.addresses import AddressPlan
from cluster.paths import Paths
from cluster.toolchain import CLUSTER_TOOLS

PATHS = Paths(Path("/cache/studio-operator"))
PLAN = AddressPlan(IPv4Network("10.244.0.0/16"))
TOOLS = {name: Path("/tools") / name for name in CLUSTER_TOOLS}


def flags(component: components.Component) -> dict[str, str]:
    return dict(word.removeprefix("--").split("=", 1) for word in component.command[1:])


def test_containerd_keeps_everything_in_our_folders() -> None:
    config = tomllib.loads(configs.containerd_config(PATHS))
    assert config["root"] == "/cache/studio-operator/containerd"
    assert config["state"] == "/run/studio-operator/containerd"
    assert config["grpc"]["address"] == "/run/studio-operator/containerd/containerd.sock"
    cri = config["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["netns_mounts_under_state_dir"] is True
    assert cri["restrict_oom_score_adj"] is True
    assert cri["sandbox_image"] == "localhost/studio-operator/pause:1"
    assert cri["containerd"]["runtimes"]["runc"]["options"]["Root"] == "/run/studio-operator/runc"


def test_kubelet_works_with_our_containerd_group_and_name_server() -> None:
    config = configs.kubelet_config(PATHS, PLAN)
    assert config["containerRuntimeEndpoint"] == f"unix://{PATHS.containerd_socket}"
    assert config["clusterDNS"] == ["10.244.128.10"]
    assert config["cgroupRoot"] == "/studio-operator"
    assert config["failCgroupV1"] is False
    assert config["maxPods"] == 250


def test_kubelet_never_collects_images() -> None:
    assert configs.kubelet_config(PATHS, PLAN)["imageGCHighThresholdPercent"] == 100


def test_pods_get_addresses_from_the_plan() -> None:
    config = configs.network_config(PATHS, PLAN)
    first = config["plugins"][0]  # type: ignore[index]
    assert first["type"] == "ptp"
    assert first["ipam"]["ranges"] == [[{"subnet": "10.244.0.0/17"}]]
    assert configs.proxy_config(PATHS, PLAN, "local")["clusterCIDR"] == "10.244.0.0/17"


def test_the_api_server_has_the_issuer_admission_and_aggregation_that_the_operator_needs() -> None:
    given = flags(components.api_server(PATHS, PLAN, TOOLS))
    assert given["service-account-issuer"] == "https://kubernetes.default.svc.cluster.local"
    assert given["enable-admission-plugins"] == "NodeRestriction"
    assert given["service-cluster-ip-range"] == "10.244.128.0/18"
    assert given["kubelet-preferred-address-types"] == "InternalIP"
    assert given["requestheader-allowed-names"] == "front-proxy-client"


def test_every_component_that_listens_for_the_cluster_alone_stays_inside_the_namespace() -> None:
    assert flags(components.controller_manager(PATHS, TOOLS))["bind-address"] == "127.0.0.1"
    assert flags(components.scheduler(PATHS, TOOLS))["bind-address"] == "127.0.0.1"
    words = components.etcd(PATHS, TOOLS).command
    assert "--listen-client-urls=http://127.0.0.1:2379" in words


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_addons_run_restricted_and_from_local_images(name: str) -> None:
    manifests = list(yaml.safe_load_all(render_addons(MANIFESTS.read_text(), PLAN, PATHS.volumes)))
    spec = next(one for one in manifests if one["kind"] == "Deployment" and one["metadata"]["name"] == name)
    pod = spec["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["containers"][0]["image"].startswith("localhost/studio-operator/")
    assert pod["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_addons_use_the_planned_addresses_and_folders() -> None:
    manifests = list(yaml.safe_load_all(render_addons(MANIFESTS.read_text(), PLAN, PATHS.volumes)))
    by_name = {(one["kind"], one["metadata"]["name"]): one for one in manifests}
    assert by_name["Service", "kube-dns"]["spec"]["clusterIP"] == "10.244.128.10"
    config = by_name["ConfigMap", "local-path-provisioner"]["data"]
    assert "/cache/studio-operator/cluster/volumes" in config["config.json"]
    assert 'mkdir -m 0777 -p "$VOL_DIR"' in config["setup"]
    annotations = by_name["StorageClass", "local-path"]["metadata"]["annotations"]
    assert annotations == {"storageclass.kubernetes.io/is-default-class": "true"}


def test_an_unknown_placeholder_is_an_error() -> None:
    with pytest.raises(KeyError):
        render_addons("image: ${other}", PLAN, PATHS.volumes)
