"""What a kill hits, from processes and a namespace that are lists."""

import os
from collections.abc import Callable
from typing import Any, cast

import pytest

from studio_e2e import faults, processes
from studio_e2e.space import Space

Manifest = dict[str, Any]
LIVING = [processes.Process(10, 65532, "python3 -m studio", 1, 1), processes.Process(11, 65532, "java", 1, 1)]


class Killed(list[int]):
    """The processes that got a signal; those of `ended` are gone already."""

    def __init__(self, *ended: int) -> None:
        super().__init__()
        self.ended = ended

    def __call__(self, pid: int, _: int) -> None:
        if pid in self.ended:
            raise ProcessLookupError
        self.append(pid)


class FakeSpace:
    """The operator's namespace; a deleted pod is followed by another one, which is ready some looks later."""

    def __init__(self, *pods: str) -> None:
        self.pods = [pod(name) for name in pods]
        self.deleted: list[tuple[str, ...]] = []
        self.holder = pods[0] if pods else ""
        self.looks = 0

    def must_get(self, kind: str, name: str) -> Manifest:
        if kind == "lease":
            return {"spec": {"holderIdentity": self.holder}}
        return {"spec": {"selector": {"matchLabels": {"app.kubernetes.io/name": name}}}}

    def list(self, kinds: str, *, selector: str) -> list[Manifest]:
        if self.deleted:
            self.looks += 1
            newest = self.pods[-1]
            newest["status"] = {"conditions": [{"type": "Ready", "status": str(self.looks > 1)}]}
            self.holder = newest["metadata"]["name"] if self.looks > 2 else self.holder
        return self.pods

    def delete(self, kind: str, name: str, *options: str) -> None:
        self.deleted.append((kind, name, *options))
        self.pods = [one for one in self.pods if one["metadata"]["name"] != name] + [pod(f"after-{name}")]


def pod(name: str) -> Manifest:
    return {"metadata": {"name": name, "uid": f"uid-of-{name}"}}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Killed]:
    """What of every pod is on this machine."""

    def has(found: list[processes.Process], *, sandbox: bool = True, ended: tuple[int, ...] = ()) -> Killed:
        killed = Killed(*ended)
        monkeypatch.setattr(processes, "of_pod", lambda uid: found)
        monkeypatch.setattr(processes, "has_sandbox", lambda uid: sandbox)
        monkeypatch.setattr(os, "kill", killed)
        return killed

    return has


def sigkill(space: FakeSpace) -> bool:
    return faults.sigkill(cast("Space", space), pod("a"))


def test_every_process_of_a_pod_is_killed(machine: Callable[..., Killed]) -> None:
    space, killed = FakeSpace("a"), machine(LIVING)
    assert sigkill(space)
    assert (killed, space.deleted) == ([10, 11], [])


@pytest.mark.parametrize(("found", "ended"), [([], ()), (LIVING, (10, 11))])
def test_a_container_that_waits_for_its_next_start_is_left_alone(
    machine: Callable[..., Killed], found: list[processes.Process], ended: tuple[int, ...]
) -> None:
    space, killed = FakeSpace("a"), machine(found, ended=ended)
    assert not sigkill(space)
    assert (killed, space.deleted) == ([], [])


def test_a_pod_on_another_machine_is_deleted_without_grace(machine: Callable[..., Killed]) -> None:
    space, _ = FakeSpace("a"), machine([], sandbox=False)
    assert sigkill(space)
    assert space.deleted == [("pod", "a", "--grace-period=0", "--force")]


def test_all_pods_of_the_operator_are_killed(machine: Callable[..., Killed]) -> None:
    killed = machine(LIVING)
    assert faults.kill_operator(cast("Space", FakeSpace("a", "b")))
    assert killed == [10, 11, 10, 11]


def test_an_operator_that_is_dead_cannot_be_killed(machine: Callable[..., Killed]) -> None:
    machine([])
    assert not faults.kill_operator(cast("Space", FakeSpace("a", "b")))
    assert not faults.kill_operator(cast("Space", FakeSpace()))


def test_an_operator_is_renewed_once_another_pod_is_ready_and_leads() -> None:
    space = FakeSpace("a")
    faults.renew_operator(cast("Space", space))
    assert space.deleted == [("pod", "a", "--wait=false")]
    assert space.holder == "after-a"
    assert space.looks > 2
