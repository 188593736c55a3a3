"""What this machine must have, what is noted of it, and what is put back."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.local import preflight
from cluster.local.control_groups import hierarchies, members_of, missing_controllers
from cluster.local.host_settings import note_settings, remove_traces, restore_settings
from cluster.local.mounts import file_system_of, mounts_below
from cluster.local.teardown import remove_folders
from cluster.packages import install_sentence, missing_packages
from cluster.paths import Paths

V1 = "".join(
    f"cgroup /sys/fs/cgroup/{name} cgroup rw,relatime,{name} 0 0\n"
    for name in ("cpu", "cpuacct", "cpuset", "memory", "pids")
)
V2 = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n"


def test_a_machine_with_everything_passes() -> None:
    preflight.check_user(0)
    preflight.check_system("Linux")
    preflight.check_disk(100 * preflight.GIGABYTE, False, Path("/cache"))
    preflight.check_file_systems("nodev\tproc\nnodev\toverlay\n")
    preflight.check_snapshots("ext4", Path("/cache"))
    preflight.check_namespaces(lambda _: True)
    preflight.check_control_groups(V1, "")
    preflight.check_control_groups(V2, "cpuset cpu io memory pids")


def test_each_lack_is_one_sentence_with_a_remedy() -> None:
    lacks: dict[str, Callable[[], None]] = {
        "needs root.*with sudo": lambda: preflight.check_user(1000),
        "not Darwin.*Docker": lambda: preflight.check_system("Darwin"),
        "/cache has only 1.0 GB left and the cluster needs 4 GB": lambda: preflight.check_disk(
            10**9, True, Path("/cache")
        ),
        "needs 12 GB": lambda: preflight.check_disk(5 * 10**9, False, Path("/cache")),
        "no overlayfs.*modprobe overlay": lambda: preflight.check_file_systems("nodev\tproc\n"),
        "/cache lies on overlayfs.*XDG_CACHE_HOME": lambda: preflight.check_snapshots("overlay", Path("/cache")),
        "no net namespaces": lambda: preflight.check_namespaces(lambda path: not path.endswith("net")),
        "controllers memory are missing": lambda: preflight.check_control_groups(V2, "cpuset cpu pids"),
    }
    for words, check in lacks.items():
        with pytest.raises(ClusterError, match=words) as caught:
            check()
        assert "\n" not in str(caught.value)


def test_controllers_of_both_versions_count() -> None:
    assert missing_controllers(V1, "") == ()
    assert missing_controllers(V1.replace("cgroup rw,relatime,pids", "cgroup rw"), "") == ("pids",)
    assert missing_controllers("", "") == ("cpu", "cpuset", "memory", "pids")


def test_every_control_group_hierarchy_is_found() -> None:
    mounts = "proc /proc proc rw 0 0\n" + V2.replace("/sys/fs/cgroup", "/sys/fs/cgroup/unified") + V1
    assert hierarchies(mounts)[0] == Path("/sys/fs/cgroup/unified")
    assert len(hierarchies(mounts)) == 6


def test_missing_packages_are_named_once_and_sorted() -> None:
    missing = missing_packages(["runc", "gcc", "runc"], lambda name: name == "gcc")
    assert missing == ("runc",)
    assert install_sentence(missing) == (
        "The packages runc are missing: install them as root (on Debian: apt-get install runc)."
    )


def test_only_mounts_at_or_below_our_folders_are_found_last_first() -> None:
    line = "36 35 98:0 / {} rw - ext4 /dev/x rw"
    points = ["/", "/run/ours", "/run/ours/a\\040b", "/run/ours-not", "/run/other"]
    found = mounts_below("\n".join(line.format(point) for point in points), [Path("/run/ours")])
    assert found == ("/run/ours/a b", "/run/ours")


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/usr", "overlay"),
        ("/root/.cache/studio-operator", "ext4"),
        ("/root/.cached", "overlay"),
        ("/root/my files/cache", "xfs"),
        ("/twice", "tmpfs"),
    ],
)
def test_a_folder_is_on_the_file_system_of_the_nearest_mount(folder: str, kind: str) -> None:
    mountinfo = """\
1 0 0:50 / / rw,relatime - overlay overlay rw,lowerdir=/a,upperdir=/b
2 1 8:1 / /root/.cache rw,relatime shared:1 master:2 - ext4 /dev/sda1 rw
3 1 8:2 / /root/my\\040files rw - xfs /dev/sda2 rw
4 1 8:3 / /twice rw - ext4 /dev/sda3 rw
5 4 0:51 / /twice rw - tmpfs tmpfs rw
"""
    assert file_system_of(mountinfo, Path(folder)) == kind


def test_what_cannot_be_removed_is_named_and_the_rest_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state, run = tmp_path / "cluster", tmp_path / "run"
    for folder in (state, run):
        (folder / "sub").mkdir(parents=True)
        (folder / "sub" / "file").touch()
    busy, unlink = state / "sub" / "busy", os.unlink
    busy.touch()

    def refusing(path: str, *, dir_fd: int | None = None) -> None:
        if path == busy.name:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), path)
        unlink(path, dir_fd=dir_fd)

    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", refusing)
        with pytest.raises(ClusterError, match=rf"^{busy} \(Device or resource busy\) could not be removed") as caught:
            remove_folders([state, run])
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == [state, busy.parent, busy]
    for _ in range(2):
        remove_folders([state, run])
        assert list(tmp_path.iterdir()) == []


def test_kernel_settings_are_put_back(tmp_path: Path) -> None:
    kernel, note = tmp_path / "sys", tmp_path / "run" / "note.json"
    setting = kernel / "vm" / "overcommit_memory"
    setting.parent.mkdir(parents=True)
    setting.write_text("0\n")
    note_settings(note, kernel)
    setting.write_text("1\n")
    note_settings(note, kernel)
    restore_settings(note, kernel)
    assert setting.read_text() == "0"
    assert not note.exists()
    restore_settings(note, kernel)


def test_traces_of_our_pods_go_and_others_stay(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "cache")
    logs, results = tmp_path / "containers", tmp_path / "results"
    logs.mkdir()
    results.mkdir()
    (logs / "ours.log").symlink_to(paths.pod_logs / "pod" / "0.log")
    (logs / "other.log").symlink_to("/var/log/pods/pod/0.log")
    for name in ("studio-operator-1-eth0", "cni-loopback-1-lo", "cni-loopback-2-lo", "podman-2-eth0"):
        (results / name).touch()
    remove_traces(paths, logs, results)
    remove_traces(paths, tmp_path / "absent", tmp_path / "absent")
    assert [path.name for path in logs.iterdir()] == ["other.log"]
    assert sorted(path.name for path in results.iterdir()) == ["cni-loopback-2-lo", "podman-2-eth0"]


def test_groups_that_vanish_while_they_are_read_are_passed_over(tmp_path: Path) -> None:
    for number, group in enumerate((tmp_path, tmp_path / "pods", tmp_path / "pods" / "pod")):
        group.mkdir(exist_ok=True)
        (group / "cgroup.procs").write_text(f"{number}\n")
    found = iter(members_of([tmp_path]))
    assert next(found) == 0
    shutil.rmtree(tmp_path / "pods")
    assert list(found) == []
