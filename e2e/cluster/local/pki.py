"""Certificates, keys and kubeconfig files of the control plane.

Which certificate needs which names and organisations: "PKI certificates and requirements" in the Kubernetes docs.
"""

import base64
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes, PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cluster.local.addresses import AddressPlan

VALID = timedelta(days=365)
# Clocks of other machines that read the kubeconfig may lag behind.
BACKDATED = timedelta(minutes=5)
SERVICE_ACCOUNT_KEY_BITS = 2048


@dataclass(frozen=True)
class CertificatePlan:
    """One certificate to issue.

    Attributes:
        file: base name of its files.
        common_name: the user's or server's name.
        organization: the Kubernetes group, or an empty text.
        names: DNS names and IP addresses of a server; a client has none.
        kubeconfig: whether a kubeconfig file with this certificate is written.
    """

    file: str
    common_name: str
    organization: str = ""
    names: Sequence[str] = ()
    kubeconfig: bool = False


def certificate_plan(addresses: AddressPlan, node: str) -> tuple[CertificatePlan, ...]:
    """Every certificate that the cluster's authority issues."""
    local = ("localhost", "127.0.0.1", str(addresses.node))
    service = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
    return (
        CertificatePlan("apiserver", "kube-apiserver", names=(*service, str(addresses.api_service), *local)),
        CertificatePlan("apiserver-kubelet", "kube-apiserver-kubelet-client", "system:masters"),
        CertificatePlan("front-proxy", "front-proxy-client"),
        CertificatePlan("kubelet-server", f"system:node:{node}", "system:nodes", names=(node, *local)),
        CertificatePlan("admin", "admin", "system:masters", kubeconfig=True),
        CertificatePlan("controller-manager", "system:kube-controller-manager", kubeconfig=True),
        CertificatePlan("scheduler", "system:kube-scheduler", kubeconfig=True),
        CertificatePlan("kubelet", f"system:node:{node}", "system:nodes", kubeconfig=True),
        CertificatePlan("proxy", "system:kube-proxy", kubeconfig=True),
    )


def write_pki(folder: Path, plans: Sequence[CertificatePlan]) -> None:
    """Make an authority, the planned certificates and the key pair that signs service account tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _sign(authority_key, "kubernetes-ca", None, authority_key)
    _write_pair(folder, "ca", authority, authority_key)
    for plan in plans:
        key = ec.generate_private_key(ec.SECP256R1())
        _write_pair(folder, plan.file, _sign(authority_key, plan.common_name, plan, key), key)
    # RSA, because every JWT library can verify RS256, so tokens can be checked by anything that reads the key set.
    signer = rsa.generate_private_key(public_exponent=65537, key_size=SERVICE_ACCOUNT_KEY_BITS)
    _write(folder / "service-account.key", _private_pem(signer))
    public = signer.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    _write(folder / "service-account.pub", public)


def kubeconfig(server: str, authority: bytes, certificate: bytes, key: bytes) -> str:
    """Render a kubeconfig file that needs no other file; JSON is valid YAML."""
    encoded = {name: base64.b64encode(pem).decode() for name, pem in (("c", certificate), ("k", key))}
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(authority).decode()}
    user = {"client-certificate-data": encoded["c"], "client-key-data": encoded["k"]}
    name = "studio-operator"
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        }
    )


def write_kubeconfig(target: Path, server: str, folder: Path, file: str) -> None:
    """Write the kubeconfig file of one issued certificate."""
    pem = [(folder / name).read_bytes() for name in ("ca.crt", f"{file}.crt", f"{file}.key")]
    _write(target, kubeconfig(server, *pem).encode())


def _sign(
    authority_key: CertificateIssuerPrivateKeyTypes,
    common_name: str,
    plan: CertificatePlan | None,
    key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    now = datetime.now(UTC)
    names = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if plan and plan.organization:
        names.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, plan.organization))
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(names))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes-ca")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + VALID)
        .add_extension(x509.BasicConstraints(ca=plan is None, path_length=None), critical=True)
    )
    if plan:
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if plan.names else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        if plan.names:
            alternatives = x509.SubjectAlternativeName([_general_name(name) for name in plan.names])
            builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(authority_key, hashes.SHA256())


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _private_pem(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write_pair(folder: Path, file: str, certificate: x509.Certificate, key: PrivateKeyTypes) -> None:
    _write(folder / f"{file}.crt", certificate.public_bytes(serialization.Encoding.PEM))
    _write(folder / f"{file}.key", _private_pem(key))


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
