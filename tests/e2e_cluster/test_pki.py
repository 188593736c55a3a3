"""Certificates and kubeconfig files."""

import base64
import json
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cluster.local.addresses import AddressPlan
from cluster.local.pki import certificate_plan, write_kubeconfig, write_pki

PLAN = AddressPlan(IPv4Network("10.244.0.0/16"))


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pki")
    write_pki(folder, certificate_plan(PLAN, "local"))
    return folder


def read(folder: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes())


def test_the_plan_grants_each_user_its_own_group() -> None:
    groups = {plan.file: (plan.common_name, plan.organization) for plan in certificate_plan(PLAN, "local")}
    assert groups["admin"] == ("admin", "system:masters")
    assert groups["kubelet"] == ("system:node:local", "system:nodes")
    assert groups["scheduler"] == ("system:kube-scheduler", "")


def test_every_certificate_is_signed_by_the_authority(pki: Path) -> None:
    authority = read(pki, "ca")
    for plan in certificate_plan(PLAN, "local"):
        read(pki, plan.file).verify_directly_issued_by(authority)


def test_the_api_server_is_valid_under_each_of_its_names(pki: Path) -> None:
    names = read(pki, "apiserver").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "kubernetes.default.svc" in names.get_values_for_type(x509.DNSName)
    assert {IPv4Address("10.244.192.2"), IPv4Address("10.244.128.1")} <= set(names.get_values_for_type(x509.IPAddress))


@pytest.mark.parametrize(
    ("name", "purpose"), [("admin", ExtendedKeyUsageOID.CLIENT_AUTH), ("apiserver", ExtendedKeyUsageOID.SERVER_AUTH)]
)
def test_clients_and_servers_have_one_purpose(pki: Path, name: str, purpose: x509.ObjectIdentifier) -> None:
    usage = read(pki, name).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [purpose]


def test_private_files_are_for_their_owner_only(pki: Path) -> None:
    assert {path.stat().st_mode & 0o777 for path in pki.iterdir()} == {0o600}


def test_a_kubeconfig_needs_no_other_file(pki: Path, tmp_path: Path) -> None:
    target = tmp_path / "admin.kubeconfig"
    write_kubeconfig(target, "https://10.244.192.2:6443", pki, "admin")
    config = json.loads(target.read_text())
    assert config["clusters"][0]["cluster"]["server"] == "https://10.244.192.2:6443"
    user = config["users"][0]["user"]
    certificate = x509.load_pem_x509_certificate(base64.b64decode(user["client-certificate-data"]))
    assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "admin"
    assert base64.b64decode(user["client-key-data"]) == (pki / "admin.key").read_bytes()
    assert target.stat().st_mode & 0o777 == 0o600
