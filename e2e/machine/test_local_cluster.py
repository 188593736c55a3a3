"""The local cluster on this machine: it comes up once, and goes away whole, used or wherever its start was killed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.base_images import BUSYBOX
from cluster.errors import ClusterError
from cluster.local.teardown import COMPONENTS
from cluster.paths import Paths
from stage.kubectl import REPOSITORY, Kubectl
from studio_e2e import manifests
from studio_e2e.entry import free_origin
from studio_e2e.machine import FORWARDER, processes, traces
from studio_e2e.waiting import NotYet, eventually

Manifest = dict[str, Any]

PATHS = Paths.from_environment()
# Steps of a start, each as it is told when it is over: the kill meets what comes after it.
STEPS = (
    "certificates and configuration",
    "network namespace",
    "containerd and the cluster's own images",
    "API server",
    "DNS and StorageClass applied",
    "node",
)
SECONDS = 300
# In the place of an entry proxy: `make open` only looks for an answer at this path.
SERVE = "mkdir -p /data/api/v1 && echo {} > /data/api/v1/config && exec httpd -f -p 8080 -h /data"

pytestmark = pytest.mark.timeout(2 * SECONDS)


@pytest.fixture(scope="module", autouse=True)
def _no_cluster() -> Iterator[None]:
    """Only where this machine's own cluster would be used, and nobody uses it now."""
    if (provider := cluster("provider").stdout.strip()) != "local":
        pytest.skip(f"the cluster at hand is of another kind: {provider}")
    if cluster("status").returncode == 0:
        pytest.skip("a local cluster is in use: `make down` first lets this be tested")
    assert cluster("down").returncode == 0
    yield
    cluster("down")


@pytest.fixture
def before() -> Iterator[set[str]]:
    """What the machine was like before; nothing stays of what a test has started."""
    yield traces(PATHS)
    cluster("down")


@pytest.fixture
def closing() -> Iterator[None]:
    """The way into the cluster is closed at the end, whatever became of the test."""
    yield
    stage("down")


@pytest.mark.parametrize("step", STEPS)
def test_down_removes_what_a_killed_start_left(step: str, before: set[str]) -> None:
    kill_up_after(step)
    assert traces(PATHS) != before, "the start had begun"
    ended = cluster("down")
    assert ended.returncode == 0, ended.stderr
    assert traces(PATHS) == before


def test_up_repairs_what_a_killed_start_left_and_is_idempotent(before: set[str], closing: None) -> None:
    kill_up_after("API server")
    first = cluster("up")
    assert first.returncode == 0, first.stderr
    assert "remains of an earlier cluster removed" in first.stderr
    running = components()
    assert set(running) == set(COMPONENTS)
    second = cluster("up")
    assert (second.returncode, components()) == (0, running), second.stderr
    assert "local cluster: ready" in second.stderr

    os.kill(running["containerd"], signal.SIGKILL)
    seen = cluster("status")
    assert seen.returncode == 1
    assert "damaged (containerd ended)" in seen.stdout
    assert cluster("up").returncode == 0
    assert cluster("status").returncode == 0
    assert not set(components().values()) & set(running.values()), "nothing of the damaged one runs on"

    use(Kubectl.find())
    assert any(" ".join(FORWARDER) in trace for trace in traces(PATHS) - before)
    assert [make_down() for _ in range(2)] == [[0, 0], [0, 0]]
    assert traces(PATHS) == before


def use(kubectl: Kubectl) -> None:
    """Leave behind what `make up` does: in the cluster a pod with its volume, outside of it the way to that pod.

    The images that a Studio is made of are not there: what serves is one of the cluster's own.
    """
    kinds = (REPOSITORY / "crds" / "studios.yaml").read_text()
    objects = "\n---\n".join(json.dumps(body) for body in stand_in())

    def applied() -> bool:
        """A kind that was just defined, and the account that pods run under, may not be there yet."""
        try:
            kubectl.apply(f"{kinds}\n---\n{objects}", namespace="default")
        except ClusterError as error:
            raise NotYet(str(error)) from error
        return True

    eventually("a Studio is applied", applied, within=30, every=1)
    status = json.dumps({"status": {"url": free_origin()}})
    kubectl.run("-n", "default", "patch", "studio", "studio", "--subresource=status", "--type=merge", "-p", status)
    for what, state in {"pod/entry": "condition=Ready", "pvc/data": "jsonpath={.status.phase}=Bound"}.items():
        kubectl.run("-n", "default", "wait", what, f"--for={state}", "--timeout=90s")
    opened = stage("open", "--namespace", "default")
    assert opened.returncode == 0, opened.stderr


def stand_in() -> list[Manifest]:
    """A Studio that no operator looks after; in the place of its entry proxy a pod that serves a file of its volume."""
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    mounts = [{"name": "data", "mountPath": "/data"}]
    container = {"name": "main", "image": BUSYBOX, "command": ["/bin/sh", "-c", SERVE], "volumeMounts": mounts}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "16Mi"}}}
    service = {"selector": {"app": "entry"}, "ports": [{"port": 8080}]}
    return [
        core("PersistentVolumeClaim", "data", claim),
        core("Pod", "entry", {"containers": [container], "volumes": [volume]}),
        core("Service", "studio-entry-proxy", service),
        manifests.studio(),
    ]


def core(kind: str, name: str, spec: Manifest) -> Manifest:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "labels": {"app": "entry"}}, "spec": spec}


def components() -> dict[str, int]:
    """The ids of the cluster's own processes, by the name of the program."""
    running = {Path(command.split()[0]).name: pid for pid, command in processes(PATHS).items()}
    return {name: running[name] for name in COMPONENTS if name in running}


def kill_up_after(step: str) -> None:
    """Kill a start with SIGKILL as soon as it tells that a step is over."""
    with subprocess.Popen(_command("cluster", "up"), env=_environment(), stderr=subprocess.PIPE, text=True) as starting:
        assert starting.stderr is not None
        told = []
        for line in starting.stderr:
            told.append(line)
            if step in line:
                starting.kill()
                break
        else:
            pytest.fail(f"it never told of {step!r}: {''.join(told)}")
    assert starting.returncode == -signal.SIGKILL


def make_down() -> list[int]:
    """Both commands of `make down`; their exit statuses."""
    return [stage("down").returncode, cluster("down").returncode]


def cluster(command: str) -> subprocess.CompletedProcess[str]:
    """Run one command of the cluster to its end."""
    return _run("cluster", command)


def stage(*words: str) -> subprocess.CompletedProcess[str]:
    """Run one command of the stage to its end."""
    return _run("stage", *words)


def _run(module: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(module, *words), env=_environment(), capture_output=True, text=True, timeout=SECONDS, check=False
    )


def _command(module: str, *words: str) -> list[str]:
    return [sys.executable, "-m", module, *words]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
