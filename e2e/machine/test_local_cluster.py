"""The local cluster on this machine: it comes up once, and goes away whole wherever its start was killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.local.teardown import COMPONENTS
from cluster.paths import Paths
from studio_e2e.machine import processes, traces

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


@pytest.mark.parametrize("step", STEPS)
def test_down_removes_what_a_killed_start_left(step: str, before: set[str]) -> None:
    kill_up_after(step)
    assert traces(PATHS) != before, "the start had begun"
    ended = cluster("down")
    assert ended.returncode == 0, ended.stderr
    assert traces(PATHS) == before


def test_up_repairs_what_a_killed_start_left_and_is_idempotent(before: set[str]) -> None:
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

    assert [cluster("down").returncode for _ in range(2)] == [0, 0]
    assert traces(PATHS) == before


def components() -> dict[str, int]:
    """The ids of the cluster's own processes, by the name of the program."""
    running = {Path(command.split()[0]).name: pid for pid, command in processes(PATHS).items()}
    return {name: running[name] for name in COMPONENTS if name in running}


def kill_up_after(step: str) -> None:
    """Kill a start with SIGKILL as soon as it tells that a step is over."""
    with subprocess.Popen(_command("up"), env=_environment(), stderr=subprocess.PIPE, text=True) as starting:
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


def cluster(command: str) -> subprocess.CompletedProcess[str]:
    """Run one command of the cluster to its end."""
    return subprocess.run(
        _command(command), env=_environment(), capture_output=True, text=True, timeout=SECONDS, check=False
    )


def _command(name: str) -> list[str]:
    return [sys.executable, "-m", "cluster", name]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
