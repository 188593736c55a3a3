"""Chooses addresses that the host does not use."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address, IPv4Network, ip_network

from cluster.errors import ClusterError

RANGE_VARIABLE = "STUDIO_CLUSTER_RANGE"

# Private ranges (RFC 1918) and one of carrier-grade NAT (RFC 6598), in parts that few networks use.
CANDIDATES = tuple(
    IPv4Network(text)
    for text in ("10.244.0.0/16", "172.29.0.0/16", "10.133.0.0/16", "192.168.0.0/16", "172.20.0.0/16", "100.96.0.0/16")
)


@dataclass(frozen=True)
class AddressPlan:
    """Every address of the cluster, taken from one block of 65536 addresses.

    Attributes:
        block: the first half is for pods, the third quarter for Services, and the last quarter begins with the link
            between host and node.
    """

    block: IPv4Network

    @property
    def pods(self) -> IPv4Network:
        """32768 addresses for pods."""
        return next(self.block.subnets(new_prefix=17))

    @property
    def services(self) -> IPv4Network:
        """16384 addresses for Services."""
        return list(self.block.subnets(new_prefix=18))[2]

    @property
    def link(self) -> IPv4Network:
        """The four addresses of the link between host and node."""
        return next(list(self.block.subnets(new_prefix=18))[3].subnets(new_prefix=30))

    @property
    def host(self) -> IPv4Address:
        """The host's end of the link."""
        return self.link[1]

    @property
    def node(self) -> IPv4Address:
        """The node's end of the link, and the API server's address."""
        return self.link[2]

    @property
    def api_service(self) -> IPv4Address:
        """ClusterIP of the Service ``kubernetes``: by definition the first of the range."""
        return self.services[1]

    @property
    def dns_service(self) -> IPv4Address:
        """ClusterIP of the cluster's name server: by custom the tenth of the range."""
        return self.services[10]

    def to_json(self) -> str:
        """The plan as ``from_json`` reads it."""
        return json.dumps({name: str(value) for name, value in asdict(self).items()})

    @classmethod
    def from_json(cls, text: str) -> "AddressPlan":
        """Read a plan that ``to_json`` wrote."""
        return cls(IPv4Network(json.loads(text)["block"]))


def used_networks(routes: str, addresses: str, resolv_conf: str) -> tuple[IPv4Network, ...]:
    """Collect the IPv4 networks that the host uses.

    Args:
        routes: output of ``ip -4 -json route show table all``; default routes do not count as use.
        addresses: output of ``ip -4 -json address``.
        resolv_conf: content of /etc/resolv.conf, whose servers may lie behind the default route.
    """
    found = [route["dst"] for route in json.loads(routes or "[]") if route.get("dst", "default") != "default"]
    found += [
        f"{address['local']}/{address['prefixlen']}"
        for link in json.loads(addresses or "[]")
        for address in link.get("addr_info", [])
        if address.get("family") == "inet"
    ]
    words = [line.split() for line in resolv_conf.splitlines()]
    found += [word[1] for word in words if len(word) > 1 and word[0] == "nameserver" and ":" not in word[1]]
    networks = (ip_network(text, strict=False) for text in found)
    return tuple(network for network in networks if isinstance(network, IPv4Network) and network.prefixlen > 0)


def choose_addresses(used: Iterable[IPv4Network], wanted: str = "") -> AddressPlan:
    """Take the first candidate that overlaps no used network.

    Args:
        used: the host's networks.
        wanted: a range that the user asks for instead of the candidates, or an empty text.

    Raises:
        ClusterError: ``wanted`` is no IPv4 network of 65536 addresses, or every candidate is in use.
    """
    used = tuple(used)
    candidates = (_parse(wanted),) if wanted else CANDIDATES
    for block in candidates:
        if not any(block.overlaps(network) for network in used):
            return AddressPlan(block)
    clashes = ", ".join(
        f"{block} (overlaps {next(network for network in used if block.overlaps(network))})" for block in candidates
    )
    raise ClusterError(
        f"The host uses every address range that the cluster may take: {clashes}; "
        f"set {RANGE_VARIABLE} to an IPv4 range a.b.0.0/16 that the host does not use."
    )


def _parse(text: str) -> IPv4Network:
    try:
        block = IPv4Network(text)
    except ValueError as error:
        raise ClusterError(f"{RANGE_VARIABLE}={text} is no IPv4 network: give one like 10.244.0.0/16.") from error
    if block.prefixlen != 16:  # noqa: PLR2004 - the plan divides 65536 addresses
        raise ClusterError(f"{RANGE_VARIABLE}={text} has the wrong size: give a /16 like 10.244.0.0/16.")
    return block
