from pathlib import Path

from studio_e2e import processes

KIB = 1024
UID = "6e4f9a0c-1111-2222-3333-444455556666"
STATUS = "Name:\t{name}\nUid:\t65532\t65532\t65532\t65532\nVmRSS:\t    2048 kB\n"


def process(root: Path, pid: int, *, group: str, name: str = "python3") -> None:
    folder = root / str(pid)
    folder.mkdir()
    (folder / "cgroup").write_text(f"0::{group}\n")
    (folder / "status").write_text(STATUS.format(name=name))
    (folder / "cmdline").write_bytes(b"python3\0-m\0studio\0")


def test_the_processes_of_a_pod_without_its_sandbox(tmp_path: Path) -> None:
    process(tmp_path, 10, group=f"/kubepods/burstable/pod{UID}/abc")
    process(tmp_path, 11, group=f"/kubepods/burstable/pod{UID}/def", name="pause")
    process(tmp_path, 12, group="/kubepods/burstable/pod-of-another/abc")
    assert processes.of_pod(UID, tmp_path) == [
        processes.Process(10, 65532, "python3 -m studio", 2048 * KIB, 2048 * KIB)
    ]


def test_the_sandbox_of_a_pod_stays_while_no_process_of_it_lives(tmp_path: Path) -> None:
    process(tmp_path, 11, group=f"/kubepods/burstable/pod{UID}/def", name="pause")
    assert processes.of_pod(UID, tmp_path) == []
    assert processes.has_sandbox(UID, tmp_path)


def test_other_processes_and_other_pods_are_no_sandbox(tmp_path: Path) -> None:
    process(tmp_path, 10, group=f"/kubepods/burstable/pod{UID}/abc")
    process(tmp_path, 12, group="/kubepods/burstable/pod-of-another/abc", name="pause")
    assert not processes.has_sandbox(UID, tmp_path)


def test_a_sandbox_that_has_ended_is_none(tmp_path: Path) -> None:
    process(tmp_path, 11, group=f"/kubepods/burstable/pod{UID}/def", name="pause")
    (tmp_path / "11" / "status").write_text("Name:\tpause\nState:\tZ (zombie)\nUid:\t0\t0\t0\t0\n")
    assert not processes.has_sandbox(UID, tmp_path)


def test_shared_memory_is_divided_where_the_kernel_tells(tmp_path: Path) -> None:
    process(tmp_path, 10, group=f"/kubepods/burstable/pod{UID}/abc")
    rollup = "55f0-7ffd ---p 00000000 00:00 0 [rollup]\nRss:  2048 kB\nPss:  700 kB\nPss_Dirty:  90 kB\n"
    (tmp_path / "10" / "smaps_rollup").write_text(rollup)
    (found,) = processes.of_pod(UID, tmp_path)
    assert (found.rss, found.pss) == (2048 * KIB, 700 * KIB)


def test_the_systemd_driver_writes_uids_with_underscores(tmp_path: Path) -> None:
    process(tmp_path, 10, group=f"/kubepods.slice/kubepods-pod{UID.replace('-', '_')}.slice/cri-abc.scope")
    assert [found.pid for found in processes.of_pod(UID, tmp_path)] == [10]


def test_processes_that_ended_meanwhile_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "10").mkdir()
    (tmp_path / "self").mkdir()
    assert processes.of_pod(UID, tmp_path) == []
