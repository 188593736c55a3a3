"""The programs of the control plane and the node, with their flags."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cluster.local.addresses import AddressPlan
from cluster.paths import Paths

NODE = "local"
API_PORT = 6443
ISSUER = "https://kubernetes.default.svc.cluster.local"
ETCD = "http://127.0.0.1:2379"


@dataclass(frozen=True)
class Component:
    """One process of the cluster: its name and its command line."""

    name: str
    command: tuple[str, ...]


def api_url(plan: AddressPlan) -> str:
    """Where the API server listens."""
    return f"https://{plan.node}:{API_PORT}"


def etcd(paths: Paths, tools: Mapping[str, Path]) -> Component:
    """The store; it does not wait for the disk, as its data need not survive a crash of the machine."""
    listen = (f"--listen-client-urls={ETCD}", f"--advertise-client-urls={ETCD}")
    peers = "--listen-peer-urls=http://127.0.0.1:2380"
    options = (*listen, peers, "--unsafe-no-fsync", "--log-level=warn")
    return Component("etcd", (str(tools["etcd"]), f"--data-dir={paths.state}/etcd", *options))


def api_server(paths: Paths, plan: AddressPlan, tools: Mapping[str, Path]) -> Component:
    """kube-apiserver with the standard admission plugins (among them PodSecurity) and NodeRestriction."""
    pki = paths.pki
    flags = {
        "etcd-servers": ETCD,
        "bind-address": "0.0.0.0",
        "advertise-address": plan.node,
        "secure-port": API_PORT,
        "tls-cert-file": pki / "apiserver.crt",
        "tls-private-key-file": pki / "apiserver.key",
        "client-ca-file": pki / "ca.crt",
        "kubelet-client-certificate": pki / "apiserver-kubelet.crt",
        "kubelet-client-key": pki / "apiserver-kubelet.key",
        "kubelet-certificate-authority": pki / "ca.crt",
        # Logs and exec would otherwise try to resolve the node's name, which no name server knows.
        "kubelet-preferred-address-types": "InternalIP",
        "service-account-issuer": ISSUER,
        "service-account-key-file": pki / "service-account.pub",
        "service-account-signing-key-file": pki / "service-account.key",
        "service-cluster-ip-range": plan.services,
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "allow-privileged": "true",
        "enable-aggregator-routing": "true",
        "requestheader-client-ca-file": pki / "ca.crt",
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-username-headers": "X-Remote-User",
        "proxy-client-cert-file": pki / "front-proxy.crt",
        "proxy-client-key-file": pki / "front-proxy.key",
        "profiling": "false",
    }
    return _component("kube-apiserver", tools, flags)


def controller_manager(paths: Paths, tools: Mapping[str, Path]) -> Component:
    """kube-controller-manager; pods get addresses from the network plugin, so nodes need no address ranges."""
    flags = {
        "kubeconfig": paths.kubeconfig("controller-manager"),
        "bind-address": "127.0.0.1",
        "leader-elect": "false",
        # The default of 20 requests a second delays the start by five seconds.
        "kube-api-qps": 200,
        "kube-api-burst": 400,
        "controllers": "*,-node-ipam-controller",
        "use-service-account-credentials": "true",
        "service-account-private-key-file": paths.pki / "service-account.key",
        "root-ca-file": paths.pki / "ca.crt",
        "cluster-signing-cert-file": paths.pki / "ca.crt",
        "cluster-signing-key-file": paths.pki / "ca.key",
        "profiling": "false",
    }
    return _component("kube-controller-manager", tools, flags)


def scheduler(paths: Paths, tools: Mapping[str, Path]) -> Component:
    """kube-scheduler."""
    flags = {
        "kubeconfig": paths.kubeconfig("scheduler"),
        "bind-address": "127.0.0.1",
        "leader-elect": "false",
        "profiling": "false",
    }
    return _component("kube-scheduler", tools, flags)


def containerd(paths: Paths) -> Component:
    """Containerd with a socket, a state folder and a root of our own: another containerd is not disturbed."""
    return Component("containerd", ("containerd", "--config", f"{paths.state}/containerd.toml"))


def kubelet(paths: Paths, plan: AddressPlan, tools: Mapping[str, Path]) -> Component:
    """Kubelet of the one node."""
    flags = {
        "config": paths.state / "kubelet.json",
        "kubeconfig": paths.kubeconfig("kubelet"),
        "root-dir": paths.state / "kubelet",
        "cert-dir": paths.state / "kubelet-certificates",
        "hostname-override": NODE,
        "node-ip": plan.node,
        # Where container statistics come from; not a kubelet setting but one of the cAdvisor library inside it.
        "containerd": paths.containerd_socket,
        # Container statistics every 30 s instead of 10 s: they cost processor time for every pod.
        "housekeeping-interval": "30s",
    }
    return _component("kubelet", tools, flags)


def proxy(paths: Paths, tools: Mapping[str, Path]) -> Component:
    """kube-proxy."""
    return _component("kube-proxy", tools, {"config": paths.state / "proxy.json"})


def _component(name: str, tools: Mapping[str, Path], flags: Mapping[str, object]) -> Component:
    return Component(name, (str(tools[name]), *(f"--{flag}={value}" for flag, value in flags.items())))
