"""Process records: no other process is ever mistaken for one that was started."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from cluster.local import components
from cluster.local.addresses import AddressPlan
from cluster.local.processes import (
    ProcessRecord,
    ProcessTable,
    end_all,
    end_process,
    is_running,
    parse_start,
    running_processes,
    start_of,
)
from cluster.local.teardown import COMPONENTS, is_component, is_shim
from cluster.paths import Paths
from cluster.toolchain import CLUSTER_TOOLS

FOREVER = [sys.executable, "-c", "import signal; print('up', flush=True); signal.pause()"]


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(FOREVER, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    yield child
    child.kill()
    child.wait()
    child.stdout.close()


def record_of(process: subprocess.Popen[bytes]) -> ProcessRecord:
    started = start_of(process.pid)
    assert started is not None
    return ProcessRecord("child", process.pid, started)


def test_the_start_time_is_read_past_a_name_with_spaces_and_parentheses() -> None:
    fields = ["S", *(str(number) for number in range(4, 52))]
    assert parse_start(f"7 (a ) b (c)) {' '.join(fields)}") == 22


@pytest.mark.parametrize("state", ["Z", "X"])
def test_a_zombie_has_ended(state: str) -> None:
    assert parse_start(f"7 (x) {state} " + " ".join("1" for _ in range(50))) is None


def test_a_process_with_the_same_id_and_another_start_time_is_another_process(
    process: subprocess.Popen[bytes],
) -> None:
    record = record_of(process)
    other = replace(record, started=record.started - 1)
    assert is_running(record)
    assert not is_running(other)
    assert end_process(other, signal.SIGKILL, 5)
    assert process.poll() is None
    end_all([other])
    assert process.poll() is None


def test_the_recorded_process_is_ended(process: subprocess.Popen[bytes]) -> None:
    assert end_process(record_of(process), signal.SIGTERM, 5)
    assert process.wait(5) == -signal.SIGTERM


def test_a_process_that_is_gone_counts_as_ended(process: subprocess.Popen[bytes]) -> None:
    record = record_of(process)
    process.kill()
    process.wait(5)
    assert not is_running(record)
    assert end_process(record, signal.SIGKILL, 5)


def test_a_table_starts_finds_and_stops_its_processes(tmp_path: Path) -> None:
    table = ProcessTable(tmp_path / "records")
    table.start("one", FOREVER, tmp_path / "logs" / "one.log")
    table.start("two", FOREVER, tmp_path / "logs" / "two.log")
    pids = {record.name: record.pid for record in ProcessTable(tmp_path / "records").records()}
    assert sorted(pids) == ["one", "two"]
    assert table.running("one")
    table.stop(["one"], force=True)
    assert not table.running("one")
    assert table.running("two")
    table.stop()
    assert table.records() == ()
    for pid in pids.values():
        os.waitpid(pid, 0)


def test_an_unfinished_record_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.json").write_text('{"name": "b"}')
    assert ProcessTable(tmp_path).records() == ()
    assert not ProcessTable(tmp_path / "absent").running("a")


def test_running_processes_are_chosen_by_their_command_line(process: subprocess.Popen[bytes]) -> None:
    found = running_processes(lambda words: list(words) == FOREVER)
    assert process.pid in {record.pid for record in found}


PATHS = Paths(Path("/cache/studio-operator"))


@pytest.mark.parametrize(
    ("command", "ours"),
    [
        ("/cache/studio-operator/tools/1/bin/kubelet --config=/cache/studio-operator/cluster/kubelet.json", True),
        ("containerd --config /cache/studio-operator/cluster/containerd.toml", True),
        ("containerd --config /etc/containerd/config.toml", False),
        ("/usr/bin/kubelet --config=/cache/studio-operator/cluster/kubelet.json", False),
        ("/cache/studio-operator/tools/1/bin/kubelet --config=/etc/kubelet.json", False),
        ("/cache/studio-operator/tools/1/bin/kubectl --kubeconfig=/cache/studio-operator/cluster/a get pods", False),
        ("tail -f /cache/studio-operator/cluster/logs/kubelet.log", False),
        ("/cache/studio-operator/tools/1/bin/etcd --data-dir=/cache/studio-operator/cluster-of-another/etcd", False),
    ],
)
def test_a_component_without_a_record_is_known_by_program_and_state_folder(command: str, ours: bool) -> None:
    assert is_component(command.split(), PATHS) is ours


def test_every_component_that_is_started_is_known_without_a_record() -> None:
    plan = AddressPlan(IPv4Network("10.244.0.0/16"))
    tools = {name: PATHS.tools / "key" / "bin" / name for name in CLUSTER_TOOLS}
    started = (
        components.etcd(PATHS, tools),
        components.api_server(PATHS, plan, tools),
        components.controller_manager(PATHS, tools),
        components.scheduler(PATHS, tools),
        components.kubelet(PATHS, plan, tools),
        components.proxy(PATHS, tools),
        components.containerd(PATHS),
    )
    assert {one.name for one in started} == set(COMPONENTS)
    assert all(is_component(one.command, PATHS) for one in started)


@pytest.mark.parametrize(
    ("command", "ours"),
    [
        ("/usr/bin/containerd-shim-runc-v2 -id 1 -address /run/studio-operator/containerd/containerd.sock", True),
        ("/usr/bin/containerd-shim-runc-v2 -id 1 -address /run/containerd/containerd.sock", False),
        ("ctr -address /run/studio-operator/containerd/containerd.sock", False),
    ],
)
def test_only_shims_of_our_containerd_are_ours(command: str, ours: bool) -> None:
    assert is_shim(command.split(), PATHS) is ours
