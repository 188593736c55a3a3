"""Configuration files of containerd, the network plugins, kubelet and kube-proxy, rendered from the plan."""

from cluster.base_images import PAUSE
from cluster.local.addresses import AddressPlan
from cluster.paths import Paths

NETWORK_NAME = "studio-operator"
PLUGINS = "/usr/lib/cni"
CGROUP = "studio-operator"
MAX_PODS = 250


def containerd_config(paths: Paths) -> str:
    """Render containerd's configuration, version 2 (containerd 1.6)."""
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""version = 2
root = "{paths.containerd_root}"
state = "{paths.containerd_state}"

[grpc]
address = "{paths.containerd_socket}"

[debug]
level = "warn"

[plugins."io.containerd.internal.v1.opt"]
path = "{paths.containerd_root}/opt"

[{cri}]
sandbox_image = "{PAUSE}"
# Hosts without CAP_SYS_RESOURCE may not lower a process's OOM score: every sandbox would fail.
restrict_oom_score_adj = true
# Pods' network namespaces lie in our own folder instead of /run/netns: whatever is there is ours to remove.
netns_mounts_under_state_dir = true

[{cri}.cni]
bin_dir = "{PLUGINS}"
conf_dir = "{paths.state}/cni"

[{cri}.containerd]
snapshotter = "overlayfs"

[{cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[{cri}.containerd.runtimes.runc.options]
SystemdCgroup = false
Root = "{paths.runc_root}"
"""


def network_config(paths: Paths, plan: AddressPlan) -> dict[str, object]:
    """Render the network plugins' configuration (CNI 1.0).

    ``ptp`` routes every pod by itself. A bridge would hand replies between pods over without address translation,
    so Services would need the kernel module br_netfilter.
    """
    address_management = {
        "type": "host-local",
        "dataDir": f"{paths.state}/pod-addresses",
        "ranges": [[{"subnet": str(plan.pods)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    return {
        "cniVersion": "1.0.0",
        "name": NETWORK_NAME,
        "plugins": [
            {"type": "ptp", "ipMasq": False, "ipam": address_management},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def kubelet_config(paths: Paths, plan: AddressPlan) -> dict[str, object]:
    """Render a KubeletConfiguration (kubelet.config.k8s.io/v1beta1)."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{CGROUP}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "containerRuntimeEndpoint": f"unix://{paths.containerd_socket}",
        "clusterDNS": [str(plan.dns_service)],
        "clusterDomain": "cluster.local",
        "resolvConf": f"{paths.state}/resolv.conf",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{paths.pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{paths.pki}/kubelet-server.crt",
        "tlsPrivateKeyFile": f"{paths.pki}/kubelet-server.key",
        "maxPods": MAX_PODS,
        # How soon pods see changes of mounted ConfigMaps; by default it takes a minute.
        "syncFrequency": "10s",
        # No image can be pulled again, so no image is ever collected.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1Gi", "imagefs.available": "1Gi"},
        "podLogsDir": str(paths.pod_logs),
        "volumePluginDir": f"{paths.state}/volume-plugins",
        "enableProfilingHandler": False,
        "logging": {"verbosity": 0},
    }


def proxy_config(paths: Paths, plan: AddressPlan, node: str) -> dict[str, object]:
    """Render a KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1)."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(paths.kubeconfig("proxy"))},
        "clusterCIDR": str(plan.pods),
        "hostnameOverride": node,
        "mode": "iptables",
        # The limits of connection tracking belong to the whole host: zero leaves them as they are.
        "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
    }
