"""The command line, the choice of provider, the toolchain and the helpers below them."""

import fcntl
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from cluster import cli
from cluster.command import CommandError, run, succeeds
from cluster.errors import ClusterError
from cluster.existing import ExistingCluster
from cluster.local.provider import NOT_RUNNING, LocalCluster
from cluster.paths import Paths
from cluster.progress import Progress
from cluster.provider import choose_provider
from cluster.toolchain import (
    C_FLAGS,
    CLUSTER_TOOLS,
    SOURCES,
    TOOLS,
    Tool,
    Toolchain,
    check_go,
    content_key,
    required_go,
)
from cluster.waiting import wait_until


@pytest.mark.parametrize(
    ("wanted", "kubeconfig", "docker", "chosen"),
    [
        ("auto", "/k", True, "existing"),
        ("auto", "", True, "kind"),
        ("auto", "", False, "local"),
        ("local", "/k", True, "local"),
        ("kind", "", False, "kind"),
    ],
)
def test_the_provider_fits_the_machine_unless_one_is_wanted(
    wanted: str, kubeconfig: str, docker: bool, chosen: str
) -> None:
    assert choose_provider(wanted, {"KUBECONFIG": kubeconfig}, docker) == chosen


def test_a_shell_that_exported_the_kubeconfig_of_our_own_cluster_still_means_that_cluster() -> None:
    ours = {"local": Path("/cache/admin.kubeconfig")}
    assert choose_provider("auto", {"KUBECONFIG": "/cache/admin.kubeconfig"}, False, ours) == "local"
    assert choose_provider("auto", {"KUBECONFIG": "/elsewhere"}, False, ours) == "existing"


def test_an_existing_cluster_takes_no_archives_and_needs_a_kubeconfig(tmp_path: Path) -> None:
    cluster = ExistingCluster("", lambda: Path("kubectl"))
    with pytest.raises(ClusterError, match="push its images to a registry"):
        cluster.load(tmp_path / "image.tar")
    with pytest.raises(ClusterError, match="KUBECONFIG names no file"):
        cluster.kubeconfig()
    cluster.down()


def local_cluster(folder: Path) -> LocalCluster:
    paths = Paths(folder / "cache", folder / "run")
    progress = Progress(io.StringIO())
    return LocalCluster(paths, Toolchain(paths.tools, progress.say), progress)


def test_a_local_cluster_that_is_down_says_how_to_start_it(tmp_path: Path) -> None:
    cluster = local_cluster(tmp_path)
    assert cluster.status() == (False, NOT_RUNNING)
    with pytest.raises(ClusterError, match="start it with"):
        cluster.images()
    cluster.down()


def test_a_local_cluster_with_ended_processes_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "cache" / "cluster").mkdir(parents=True)
    (tmp_path / "cache" / "cluster" / "addresses.json").write_text('{"block": "10.244.0.0/16"}')
    (tmp_path / "run" / "processes").mkdir(parents=True)
    healthy, line = local_cluster(tmp_path).status()
    assert not healthy
    assert "etcd" in line
    assert "repairs it" in line


@pytest.fixture
def nearly_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root on a disk with less room than a start needs."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=3.9e9))


@pytest.mark.usefixtures("nearly_full")
def test_a_healthy_cluster_needs_no_room_to_be_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalCluster, "status", lambda _self: (True, "local cluster: ready"))
    local_cluster(tmp_path).check()
    local_cluster(tmp_path).up()


@pytest.mark.usefixtures("nearly_full")
@pytest.mark.parametrize("asked", [LocalCluster.check, LocalCluster.up])
def test_a_cluster_that_must_be_started_needs_room(tmp_path: Path, asked: Callable[[LocalCluster], None]) -> None:
    with pytest.raises(ClusterError, match=r"only 3\.9 GB left and the cluster needs 12 GB"):
        asked(local_cluster(tmp_path))


@pytest.mark.parametrize("asked", [LocalCluster.check, LocalCluster.up])
def test_somebody_else_than_root_is_told_before_anything_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: Callable[[LocalCluster], None]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ClusterError, match="needs root"):
        asked(local_cluster(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_errors_are_one_sentence_on_standard_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "absent"))
    assert cli.main(["kubeconfig"]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == "KUBECONFIG names no file: set it to the path of one kubeconfig file.\n"


def test_the_kubeconfig_command_prints_the_path_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cli.main(["--provider", "local", "kubeconfig"]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/studio-operator/cluster/admin.kubeconfig\n"


def test_a_tool_is_built_once_and_under_its_own_name(tmp_path: Path) -> None:
    if not shutil.which("gcc"):
        pytest.skip("gcc builds the smallest tool")
    said: list[str] = []
    toolchain = Toolchain(tmp_path / "tools", said.append)
    first = toolchain.ensure(["pause"])
    assert toolchain.ensure(["pause"]) == first
    assert first["pause"].stat().st_mode & 0o111
    assert len(said) == 1
    assert [path.name for path in first["pause"].parent.iterdir()] == ["pause"]
    assert [path.name for path in (tmp_path / "tools").iterdir() if path.is_dir()] == [
        first["pause"].parent.parent.name
    ]


class Workshop(Toolchain):
    """Makes empty programs, and says what else was in the cache meanwhile."""

    def __init__(self, cache: Path) -> None:
        super().__init__(cache, lambda _line: None)
        self.cache, self.builds = cache, list[str]()

    # It remembers, which a static method cannot.
    def _compile(self, source: Path, tools: Sequence[Tool], output: Path) -> None:  # type: ignore[override]
        del source
        self.builds += sorted(path.name for path in self.cache.glob("build-*") if path != output)
        with (self.cache / "lock").open() as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for tool in tools:
            (output / tool.built_as).touch()


def test_a_build_has_the_cache_alone_and_removes_what_killed_builds_left(tmp_path: Path) -> None:
    (tmp_path / "build-killed").mkdir()
    (tmp_path / "build-killed" / "kubelet").touch()
    workshop = Workshop(tmp_path)
    built = workshop.ensure(["pause", "kind"])
    assert all(path.exists() for path in built.values())
    assert workshop.builds == []
    assert list(tmp_path.glob("build-*")) == []


def test_what_another_process_has_built_meanwhile_is_not_built_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop = Workshop(tmp_path)
    program = workshop.path("kind")

    def other_ends_first(_file: object, _operation: int) -> None:
        program.parent.mkdir(parents=True)
        program.write_text("of the other")

    monkeypatch.setattr(fcntl, "flock", other_ends_first)
    assert workshop.ensure(["kind"]) == {"kind": program}
    assert program.read_text() == "of the other"


def put(folder: Path, name: str, script: str = "") -> Path:
    """Put a program into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


def test_a_program_on_the_path_is_taken_before_one_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    toolchain = Workshop(tmp_path / "tools")
    built = toolchain.find("kind")
    assert built == toolchain.path("kind")
    assert toolchain.find("kind") == built
    on_path = put(tmp_path / "bin", "kind")
    assert toolchain.find("kind") == on_path


def test_providers_use_the_programs_of_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config"
    config.touch()
    put(tmp_path / "bin", "kubectl", f"echo kubectl >> {tmp_path}/calls")
    put(tmp_path / "bin", "kind", f"echo kind >> {tmp_path}/calls")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("KUBECONFIG", str(config))
    paths, progress = Paths(tmp_path / "cache", tmp_path / "run"), Progress(io.StringIO())
    toolchain = Toolchain(paths.tools, progress.say)
    assert cli.make_provider("existing", paths, toolchain, progress).status()[0]
    cli.make_provider("kind", paths, toolchain, progress).down()
    assert (tmp_path / "calls").read_text() == "kubectl\nkind\n"
    assert not paths.tools.exists()


def test_the_version_of_go_that_a_module_asks_for_is_read() -> None:
    assert required_go("module a\n\ngo 1.25.0\n\nrequire b v1.2.3\n") == "1.25.0"
    assert required_go((SOURCES / TOOLS["kubelet"].folder / "go.mod").read_text()) == "1.25.0"


@pytest.mark.parametrize(
    "said",
    [
        "go version go1.25.0 linux/amd64",
        "go version go1.26rc1 linux/amd64",
        "go version go1.100.1 linux/arm64",
        "go version go2.0 linux/amd64",
        "go version devel +abcdef linux/amd64",
    ],
)
def test_a_go_that_is_new_enough_or_of_an_unknown_version_may_build(said: str) -> None:
    check_go(said, "1.25.0")


@pytest.mark.parametrize("found", ["1.19.8", "1.24", "1.9"])
def test_a_go_that_is_too_old_is_named_with_the_one_that_is_needed(found: str) -> None:
    with pytest.raises(ClusterError, match=rf"Go {found} is too old: install Go 1\.25\.0 or newer.*on the PATH"):
        check_go(f"go version go{found} linux/amd64", "1.25.0")


def test_nothing_is_compiled_by_a_go_that_is_missing_or_too_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    toolchain = Toolchain(tmp_path / "tools", lambda _line: None)
    with pytest.raises(ClusterError, match=r"Go is missing: install Go 1\.25\.0 or newer"):
        toolchain.ensure(["kubectl"])
    put(tmp_path / "bin", "go", '[ "$1" = version ] && echo go version go1.19.8 linux/amd64')
    with pytest.raises(ClusterError, match=r"Go 1\.19\.8 is too old"):
        toolchain.ensure(["kubectl"])


def test_the_content_key_changes_with_sources_flags_and_machine(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("1")
    key = content_key(tmp_path, C_FLAGS, "x86_64")
    assert content_key(tmp_path, C_FLAGS, "x86_64") == key
    assert content_key(tmp_path, C_FLAGS, "aarch64") != key
    assert content_key(tmp_path, (), "x86_64") != key
    (tmp_path / "a.c").write_text("2")
    assert content_key(tmp_path, C_FLAGS, "x86_64") != key


def test_a_nested_module_does_not_change_the_key_of_its_parent(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module a")
    key = content_key(tmp_path, (), "x86_64")
    (tmp_path / "nested").mkdir()
    (tmp_path / "nested" / "go.mod").write_text("module b")
    assert content_key(tmp_path, (), "x86_64") == key


def test_every_tool_has_sources_and_the_name_that_its_build_gives() -> None:
    assert all((SOURCES / tool.folder).is_dir() for tool in TOOLS.values())
    assert TOOLS["etcd"].built_as == "server"
    assert TOOLS["coredns"].built_as == "dns"
    assert TOOLS["kubelet"].built_as == "kubelet"
    assert "helm" not in CLUSTER_TOOLS


def test_an_unknown_tool_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="There is no tool 'x'"):
        Toolchain(tmp_path, print).path("x")


def test_a_command_that_fails_says_its_status_and_reason() -> None:
    assert run(["cat"], text="in") == "in"
    with pytest.raises(CommandError, match=r"`sh -c 'echo bad >&2; exit 3'` failed with status 3: bad"):
        run(["sh", "-c", "echo bad >&2; exit 3"])
    with pytest.raises(CommandError, match="'no-such-program' is not installed"):
        run(["no-such-program"])
    with pytest.raises(CommandError, match=r"did not end within 0\.05 s"):
        run(["sh", "-c", "read -r line < /dev/zero"], timeout=0.05)
    assert not succeeds(["false"])
    assert succeeds(["true"])


def test_waiting_ends_when_the_condition_holds_or_the_deadline_passes() -> None:
    answers = iter([False, False, True])
    waits: list[float] = []
    wait_until("it is so", lambda: next(answers), seconds=10, clock=lambda: 0.0, pause=waits.append)
    assert waits == [0.1, 0.1]
    clock = count()
    with pytest.raises(ClusterError, match="Waited 3 s in vain until it is so"):
        wait_until("it is so", lambda: False, seconds=3, clock=lambda: float(next(clock)), pause=waits.append)


def test_progress_tells_the_seconds_of_a_step_and_its_failure() -> None:
    stream, clock = io.StringIO(), count()
    progress = Progress(stream, lambda: float(next(clock)))
    with progress.step("work"):
        pass
    with pytest.raises(ValueError, match="x"), progress.step("more"):
        raise ValueError("x")
    assert stream.getvalue() == "   3.0 s  work (1.0 s)\n   5.0 s  more: failed\n"


def test_paths_follow_the_cache_setting() -> None:
    assert Paths.from_environment({"XDG_CACHE_HOME": "/x"}).tools == Path("/x/studio-operator/tools")
    assert Paths.from_environment({"XDG_CACHE_HOME": ""}).cache == Path.home() / ".cache" / "studio-operator"


@pytest.mark.parametrize(
    ("user", "environment", "run"),
    [
        (0, {"XDG_RUNTIME_DIR": "/run/user/0"}, "/run/studio-operator"),
        (1000, {"XDG_RUNTIME_DIR": "/run/user/1000"}, "/run/user/1000/studio-operator"),
        (1000, {}, f"{tempfile.gettempdir()}/studio-1000"),
    ],
)
def test_somebody_else_than_root_has_records_of_their_own(user: int, environment: dict[str, str], run: str) -> None:
    assert Paths.from_environment(environment, user=user).run == Path(run)
