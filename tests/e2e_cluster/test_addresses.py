"""Which addresses the cluster takes."""

import json
from ipaddress import IPv4Network

import pytest

from cluster.errors import ClusterError
from cluster.local.addresses import CANDIDATES, AddressPlan, choose_addresses, used_networks
from cluster.local.network import setup_commands
from cluster.paths import Paths


def networks(*texts: str) -> tuple[IPv4Network, ...]:
    return tuple(IPv4Network(text) for text in texts)


def test_the_first_candidate_is_taken_on_a_host_that_uses_other_addresses() -> None:
    assert choose_addresses(networks("192.0.2.0/24", "127.0.0.0/8")).block == CANDIDATES[0]


@pytest.mark.parametrize("used", ["10.244.3.0/24", "10.0.0.0/8", "10.244.0.1/32"])
def test_a_candidate_that_overlaps_the_host_is_passed_over(used: str) -> None:
    block = choose_addresses(networks(used)).block
    assert not block.overlaps(IPv4Network(used))


def test_every_candidate_in_use_is_said_with_each_clash_and_the_remedy() -> None:
    used = networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
    with pytest.raises(ClusterError) as caught:
        choose_addresses(used)
    assert "10.244.0.0/16 (overlaps 10.0.0.0/8)" in str(caught.value)
    assert "set STUDIO_CLUSTER_RANGE" in str(caught.value)


def test_a_wanted_range_is_the_only_candidate() -> None:
    assert choose_addresses((), "10.7.0.0/16").block == IPv4Network("10.7.0.0/16")
    with pytest.raises(ClusterError, match=r"10\.7\.0\.0/16 \(overlaps 10\.7\.1\.0/24\)"):
        choose_addresses(networks("10.7.1.0/24"), "10.7.0.0/16")


@pytest.mark.parametrize("wanted", ["10.7.0.0/24", "10.7.0.1/16", "nonsense", "fd00::/16"])
def test_a_wanted_range_must_be_a_16(wanted: str) -> None:
    with pytest.raises(ClusterError, match="STUDIO_CLUSTER_RANGE="):
        choose_addresses((), wanted)


def test_pods_services_and_link_lie_in_the_block_and_do_not_overlap() -> None:
    plan = AddressPlan(IPv4Network("10.244.0.0/16"))
    parts = (plan.pods, plan.services, plan.link)
    assert [str(part) for part in parts] == ["10.244.0.0/17", "10.244.128.0/18", "10.244.192.0/30"]
    assert str(plan.api_service) == "10.244.128.1"
    assert {str(plan.host), str(plan.node)} == {"10.244.192.1", "10.244.192.2"}


def test_a_plan_survives_writing_and_reading() -> None:
    plan = AddressPlan(IPv4Network("172.29.0.0/16"))
    assert AddressPlan.from_json(plan.to_json()) == plan


def test_routes_addresses_and_name_servers_count_as_used_and_the_default_route_does_not() -> None:
    routes = json.dumps([{"dst": "default", "gateway": "192.0.2.1"}, {"dst": "10.8.0.0/24"}, {"dst": "192.0.2.255"}])
    addresses = json.dumps([{"addr_info": [{"family": "inet", "local": "192.0.2.2", "prefixlen": 24}]}])
    resolv_conf = "# comment\nsearch example.org\nnameserver 10.244.0.53\nnameserver fd00::1\n"
    used = used_networks(routes, addresses, resolv_conf)
    assert set(used) == set(networks("10.8.0.0/24", "192.0.2.255/32", "192.0.2.0/24", "10.244.0.53/32"))


def test_output_of_a_host_without_routes_is_no_error() -> None:
    assert used_networks("", "", "") == ()


def test_the_namespace_gets_no_default_route() -> None:
    plan = AddressPlan(IPv4Network("10.244.0.0/16"))
    commands = [" ".join(command) for command in setup_commands(plan, Paths.from_environment({}).namespace)]
    assert not any("default" in command or "0.0.0.0/0" in command for command in commands)
    assert "ip route add 10.244.128.0/18 via 10.244.192.2 dev studio-host" in commands
