"""The node's network namespace, its link to the host and the host's routes into the cluster."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from cluster.command import CommandError, run
from cluster.local.addresses import RANGE_VARIABLE, AddressPlan, choose_addresses, used_networks

HOST_LINK = "studio-host"
NODE_LINK = "eth0"


def enter(namespace: Path) -> tuple[str, ...]:
    """The prefix that runs a command in the namespace.

    Unlike ``ip netns exec``, nsenter keeps the host's /sys/fs/cgroup, which kubelet and containerd work on.
    """
    return ("nsenter", f"--net={namespace}")


def free_addresses() -> AddressPlan:
    """Choose addresses by looking at the host's routes, addresses and name servers.

    Raises:
        ClusterError: no range is free.
    """
    resolv_conf = Path("/etc/resolv.conf")
    used = used_networks(
        run(["ip", "-4", "-json", "route", "show", "table", "all"]),
        run(["ip", "-4", "-json", "address"]),
        resolv_conf.read_text() if resolv_conf.exists() else "",
    )
    return choose_addresses(used, os.environ.get(RANGE_VARIABLE, ""))


def setup_commands(plan: AddressPlan, namespace: Path) -> tuple[Sequence[str], ...]:
    """The commands that make the namespace, in order.

    The namespace has no default route: a pod that wants the world outside is told "network unreachable" at once.
    """
    node_ip, prefix = str(plan.node), plan.link.prefixlen
    inside = (*enter(namespace), "ip")
    return (
        ("unshare", f"--net={namespace}", "true"),
        ("ip", "link", "add", HOST_LINK, "type", "veth", "peer", "name", NODE_LINK, "netns", str(namespace)),
        ("ip", "address", "add", f"{plan.host}/{prefix}", "dev", HOST_LINK),
        ("ip", "link", "set", HOST_LINK, "up"),
        (*inside, "address", "add", f"{node_ip}/{prefix}", "dev", NODE_LINK),
        (*inside, "link", "set", NODE_LINK, "up"),
        (*inside, "link", "set", "lo", "up"),
        (*enter(namespace), "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"),
        ("ip", "route", "add", str(plan.pods), "via", node_ip, "dev", HOST_LINK),
        ("ip", "route", "add", str(plan.services), "via", node_ip, "dev", HOST_LINK),
    )


def create_network(plan: AddressPlan, namespace: Path) -> None:
    """Make the namespace, kept by a file, and the link and routes to it.

    Raises:
        CommandError: a step failed, for example because the kernel has no network namespaces.
    """
    namespace.touch()
    for command in setup_commands(plan, namespace):
        run(command)


def delete_link() -> None:
    """Delete the link if it is there; its other end and the routes go with it.

    The namespace itself ends with its last process and with the mount that keeps it.
    """
    try:
        if _link_exists():
            run(["ip", "link", "delete", HOST_LINK])
    except CommandError:
        # The kernel takes the link away with the namespace at its other end, in its own time.
        if _link_exists():
            raise


def _link_exists() -> bool:
    return HOST_LINK in {link["ifname"] for link in json.loads(run(["ip", "-json", "link"]) or "[]")}
