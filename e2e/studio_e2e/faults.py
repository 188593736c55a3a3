"""Faults as they happen: processes killed with SIGKILL, or standing still."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from studio_e2e import processes
from studio_e2e.space import Space, is_ready
from studio_e2e.waiting import NotYet, eventually

Manifest = dict[str, Any]
OPERATOR_NAMESPACE = "studio-operator-system"
OPERATOR = "studio-operator"
# The old pod may take its grace period to end, the new one as long as an installation.
RENEWED_WITHIN = 120.0


def sigkill(space: Space, pod: Manifest) -> bool:
    """Kill every process of a pod with SIGKILL, so that nothing in it can say goodbye; whether there was one.

    There is none while a container that died repeatedly waits for its next start: only the pod's sandbox is there.
    Where not even that is on this machine the pod is deleted without grace, which is as near as one can get.
    """
    uid = pod["metadata"]["uid"]
    if _send(processes.of_pod(uid), signal.SIGKILL):
        return True
    if processes.has_sandbox(uid):
        return False
    space.delete("pod", pod["metadata"]["name"], "--grace-period=0", "--force")
    return True


def lose(space: Space, pod: Manifest) -> None:
    """Kill a pod's processes for good, as when its node is lost: another pod comes instead of it, by another name."""
    sigkill(space, pod)
    space.delete("pod", pod["metadata"]["name"], "--grace-period=0", "--force", "--wait=false")


def cut_off(pod: Manifest) -> None:
    """Take a pod's network away: what it has open is never closed towards others. Skips where it is out of reach."""
    network = f"--net=/proc/{_within_reach(pod)[0].pid}/ns/net"
    subprocess.run(["nsenter", network, "ip", "link", "set", "eth0", "down"], check=True, timeout=10)


def delete(kind: str, name: str, space: Space) -> Callable[[], bool]:
    """Delete an object of ours, as somebody might; gives whether it has been made anew."""
    uid = space.must_get(kind, name)["metadata"]["uid"]
    space.delete(kind, name, "--wait=false")

    def made_anew() -> bool:
        live = space.get(kind, name)
        return live is not None and live["metadata"]["uid"] != uid

    return made_anew


def kill_operator(home: Space) -> bool:
    """Kill the operator of a namespace, wherever it is in its work; whether there was one to kill."""
    killed = [sigkill(home, pod) for pod in operator_pods(home)]
    return any(killed)


def renew_operator(home: Space) -> None:
    """Another pod for the operator of a namespace; returns when it is ready, and leads.

    However often the old one's container was killed, the kubelet restarts that of the new one without a pause.
    """
    for pod in operator_pods(home):
        home.delete("pod", pod["metadata"]["name"], "--wait=false")

    def leads() -> bool:
        ready = {pod["metadata"]["name"] for pod in operator_pods(home) if is_ready(pod)}
        if (holder := leader(home)) not in ready:
            raise NotYet(f"{holder or 'nobody'} leads, {sorted(ready)} are ready")
        return True

    eventually("another pod of the operator leads", leads, within=RENEWED_WITHIN)


def leader(home: Space) -> str:
    """The pod of the operator that leads; empty if the lease was given back."""
    return str(home.must_get("lease", OPERATOR)["spec"].get("holderIdentity", ""))


def operator_pods(home: Space) -> list[Manifest]:
    """The pods of the operator's Deployment that are not on their way out."""
    deployment = home.must_get("deployment", OPERATOR)
    selector = ",".join(f"{key}={value}" for key, value in deployment["spec"]["selector"]["matchLabels"].items())
    pods = home.list("pods", selector=selector)
    return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]


@contextmanager
def held(*pods: Manifest, program: str = "") -> Iterator[None]:
    """Let the processes of pods, or only a program, stand still while the block runs. Skips where out of reach."""
    found = [process for process in _within_reach(*pods) if program in process.command]
    assert found, f"none of the processes is {program}"
    _send(found, signal.SIGSTOP)
    try:
        yield
    finally:
        _send(found, signal.SIGCONT)


def _within_reach(*pods: Manifest) -> list[processes.Process]:
    """The processes of pods; skips the test where there are none on this machine."""
    found = [process for pod in pods for process in processes.of_pod(pod["metadata"]["uid"])]
    if not found:
        pytest.skip("the processes of pods are not on this machine")
    return found


def _send(found: Sequence[processes.Process], number: signal.Signals) -> bool:
    """Whether any of them was still there to get the signal."""
    got = False
    for process in found:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
            got = True
    return got
