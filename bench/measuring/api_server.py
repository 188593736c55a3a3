"""An API server alone: etcd and kube-apiserver on loopback, of the local cluster's toolchain, and nothing else.

There are no controllers and no nodes: whatever is created stays as it is until somebody writes it again.
"""

import base64
import contextlib
import json
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from ssl import create_default_context

from tests.support.ports import free_ports

from cluster.errors import ClusterError
from cluster.local.addresses import CANDIDATES, AddressPlan
from cluster.local.components import ISSUER
from cluster.local.pki import certificate_plan, write_pki
from cluster.paths import Paths
from cluster.toolchain import Toolchain

READY_WITHIN = 120.0
NAME = "alone"


@contextlib.contextmanager
def alone() -> Iterator[Path]:
    """Start one; gives a kubeconfig file whose token may do everything. All is gone at the end. Raises ClusterError."""
    tools = Toolchain(Paths.from_environment().tools, print).ensure(["etcd", "kube-apiserver"])
    with tempfile.TemporaryDirectory(prefix="studio-api-server-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        client, peer, secure = free_ports(3)
        plan = AddressPlan(CANDIDATES[0])
        write_pki(folder, certificate_plan(plan, "none"))
        url = f"https://127.0.0.1:{secure}"
        token = secrets.token_hex(16)
        (folder / "tokens.csv").write_text(f"{token},bench,bench,system:masters\n")
        stack.enter_context(_running(folder, [tools["etcd"], *_etcd(folder, client, peer)]))
        server = [tools["kube-apiserver"], *_api_server(folder, plan, client, secure)]
        process = stack.enter_context(_running(folder, server))
        _wait_ready(url, token, folder, process)
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(_kubeconfig(url, token, folder))
        yield kubeconfig


def _etcd(folder: Path, client: int, peer: int) -> list[str]:
    """With etcd's own defaults, so that it waits for the disk as in any other cluster."""
    return [
        f"--data-dir={folder}/etcd",
        f"--listen-client-urls=http://127.0.0.1:{client}",
        f"--advertise-client-urls=http://127.0.0.1:{client}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}",
        "--log-level=error",
    ]


def _api_server(folder: Path, plan: AddressPlan, client: int, secure: int) -> list[str]:
    flags = {
        "etcd-servers": f"http://127.0.0.1:{client}",
        "bind-address": "127.0.0.1",
        "secure-port": secure,
        "endpoint-reconciler-type": "none",
        "tls-cert-file": folder / "apiserver.crt",
        "tls-private-key-file": folder / "apiserver.key",
        "token-auth-file": folder / "tokens.csv",
        "service-account-issuer": ISSUER,
        "service-account-key-file": folder / "service-account.pub",
        "service-account-signing-key-file": folder / "service-account.key",
        "service-cluster-ip-range": plan.services,
        "authorization-mode": "Node,RBAC",
    }
    return [f"--{name}={value}" for name, value in flags.items()]


def _kubeconfig(url: str, token: str, folder: Path) -> str:
    """With a token, as a pod has one."""
    authority = base64.b64encode((folder / "ca.crt").read_bytes()).decode()
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": NAME, "cluster": {"server": url, "certificate-authority-data": authority}}],
            "users": [{"name": NAME, "user": {"token": token}}],
            "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
            "current-context": NAME,
        }
    )


@contextlib.contextmanager
def _running(folder: Path, command: list[object]) -> Iterator[subprocess.Popen[bytes]]:
    words = [str(word) for word in command]
    with (folder / f"{Path(words[0]).name}.log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_ready(url: str, token: str, folder: Path, process: subprocess.Popen[bytes]) -> None:
    trust = create_default_context(cafile=str(folder / "ca.crt"))
    request = urllib.request.Request(f"{url}/readyz", headers={"Authorization": f"Bearer {token}"})
    deadline = time.monotonic() + READY_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError, urllib.error.URLError):
            urllib.request.urlopen(request, context=trust, timeout=5).close()
            return
        time.sleep(0.2)
    log = (folder / "kube-apiserver.log").read_text(errors="replace")
    print(log[-2000:], file=sys.stderr)
    raise ClusterError("the API server alone was not ready in time")
