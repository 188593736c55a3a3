"""Which kubectl is used, on which cluster, and what a person's shell needs to use it as well."""

import os
import subprocess
from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.paths import Paths
from cluster.toolchain import Toolchain
from stage import example
from stage.kubectl import Kubectl


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubeconfig in KUBECONFIG, an empty cache, and no kubectl and no Go on the PATH."""
    config = tmp_path / "config"
    config.touch()
    monkeypatch.setenv("KUBECONFIG", str(config))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return config


def put(program: Path) -> Path:
    """A program that does nothing."""
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return program


def built() -> Path:
    """Where the built kubectl is."""
    return Toolchain(Paths.from_environment().tools, print).path("kubectl")


def test_the_kubectl_of_the_path_is_used(config: Path, tmp_path: Path) -> None:
    program = put(tmp_path / "bin" / "kubectl")
    assert Kubectl.find() == Kubectl(str(program), str(config))


def test_the_built_kubectl_is_used_where_the_path_has_none(config: Path) -> None:
    program = put(built())
    found = Kubectl.find()
    assert found == Kubectl(str(program), str(config))
    assert found.run("version") == ""


def test_a_kubectl_that_cannot_be_built_is_one_sentence(config: Path) -> None:
    with pytest.raises(ClusterError, match="Go is missing"):
        Kubectl.find()


def test_without_a_cluster_no_kubectl_is_built(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Its kubeconfig in KUBECONFIG means the local cluster, which is not up.
    monkeypatch.setenv("KUBECONFIG", str(Paths.from_environment().kubeconfig()))
    with pytest.raises(ClusterError, match=r"There is no cluster at hand.*make up"):
        Kubectl.find()


def test_a_shell_without_kubectl_gets_ours_by_one_line(tmp_path: Path) -> None:
    program = put(tmp_path / "my tools" / "kubectl")
    kubectl = Kubectl(str(program), str(tmp_path / "my config"))
    line = example.shell_line(kubectl, on_path=False)
    script = f'{line}; command -v kubectl; printf "%s\\n" "$KUBECONFIG"'
    shell = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, timeout=10, check=True)
    assert shell.stdout.splitlines() == [str(program), kubectl.kubeconfig]
    assert os.environ["PATH"] not in line


def test_a_shell_with_kubectl_keeps_its_path() -> None:
    assert example.shell_line(Kubectl("/usr/bin/kubectl", "/k"), on_path=True) == "export KUBECONFIG=/k"


def test_the_last_words_prepare_the_shell_before_they_use_kubectl() -> None:
    words = example.last_words(Kubectl("/tools/kubectl", "/k"), "shop", "http://localhost:1", on_path=False)
    lines = [line.strip() for line in words.splitlines()]
    setting_up = lines.index('export KUBECONFIG=/k PATH=/tools:"$PATH"')
    assert setting_up < min(number for number, line in enumerate(lines) if line.startswith("kubectl "))
    assert any(line.startswith("make chat NAMESPACE=shop ") for line in lines)


def test_one_that_does_not_end_is_said_in_a_sentence(tmp_path: Path) -> None:
    program = tmp_path / "kubectl"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    with pytest.raises(ClusterError, match=r"kubectl get pods: it did not end within 0\.2 s"):
        Kubectl(str(program), "/k").run("get", "pods", timeout=0.2)
