"""The Studio's public address on this machine: a forwarder that outlives the command and follows new pods."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from cluster.errors import ClusterError
from cluster.local.processes import ProcessTable
from cluster.paths import Paths
from cluster.progress import Progress
from stage.kubectl import Kubectl

STUDIO = "studio"
SERVICE_PORT = 8080
LOOPBACK = ("localhost", "127.0.0.1")
ANSWERS_WITHIN = 60.0
POLL_SECONDS = 0.5
RESTART_SECONDS = 1.0
_NAME = "entry"


def open_entry(kubectl: Kubectl, namespace: str, progress: Progress) -> str:
    """Make the Studio of a namespace reachable at its public URL from this machine; returns that URL.

    A URL that is not of this machine is an Ingress's business and left to it.

    Raises:
        ClusterError: there is no such Studio, somebody else has the port, or nothing answers.
    """
    url = public_url(kubectl, namespace)
    where = urlsplit(url)
    if where.hostname not in LOOPBACK:
        return url
    port = where.port or 80
    with progress.step(f"{url} answers"):
        close_entry()
        if _taken(port):
            raise ClusterError(
                f"Port {port} of this machine is in use, so {url} cannot be opened: end what uses it and run "
                f"make open, or set spec.publicUrl of Studio {namespace}/{STUDIO} to a free port."
            )
        _processes().start(_NAME, _command(namespace, port), _log())
        _wait_answer(url)
    return url


def close_entry() -> None:
    """End the forwarder, if there is one."""
    _processes().stop([_NAME])


def public_url(kubectl: Kubectl, namespace: str) -> str:
    """Where people find the Studio of a namespace. Raises ClusterError."""
    studio = kubectl.objects.get("studio", STUDIO, namespace)
    url = (studio or {}).get("status", {}).get("url")
    if not url:
        raise ClusterError(
            f"Studio {namespace}/{STUDIO} has no public address yet: see kubectl -n {namespace} get studios"
        )
    return str(url)


def forward_for_ever(kubectl: Kubectl, namespace: str, port: int) -> None:
    """Forward a loopback port to the entry proxy; kubectl ends with the pod it chose, so it is started again."""
    service = f"service/{STUDIO}-entry-proxy"
    while True:
        subprocess.run(kubectl.command("-n", namespace, "port-forward", service, f"{port}:{SERVICE_PORT}"), check=False)
        time.sleep(RESTART_SECONDS)


def _command(namespace: str, port: int) -> list[str]:
    return [sys.executable, "-m", "stage", "forward", "--namespace", namespace, "--port", str(port)]


def _processes() -> ProcessTable:
    return ProcessTable(Paths.from_environment().run / "stage")


def _log() -> Path:
    return Paths.from_environment().run / "stage" / "entry.log"


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_answer(url: str) -> None:
    deadline, problem = time.monotonic() + ANSWERS_WITHIN, ""
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/api/v1/config", timeout=5):
                return
        except (OSError, urllib.error.URLError) as error:
            problem = str(error)
        time.sleep(POLL_SECONDS)
    raise ClusterError(f"{url} does not answer: {problem}; see {_log()}")
