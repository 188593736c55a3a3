"""Builds the cluster's programs from source, once for each state of their sources, and keeps them in the cache."""

import fcntl
import hashlib
import platform
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster.command import run
from cluster.errors import ClusterError

SOURCES = Path(__file__).parent / "tools"
KUBERNETES_VERSION = "v1.34.4"
BUILD_SECONDS = 3600

_VERSION_PACKAGE = "k8s.io/component-base/version"
_MAJOR, _MINOR, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
GO_FLAGS = (
    "-trimpath",
    "-ldflags",
    (
        f"-s -w -X {_VERSION_PACKAGE}.gitVersion={KUBERNETES_VERSION}"
        f" -X {_VERSION_PACKAGE}.gitMajor={_MAJOR} -X {_VERSION_PACKAGE}.gitMinor={_MINOR}"
    ),
)
C_FLAGS = ("-static", "-Os", "-s")


@dataclass(frozen=True)
class Tool:
    """One program.

    Attributes:
        folder: folder under ``tools`` that holds its Go module or its C source.
        package: Go package of its main function, or name of the C source.
        needed: whether the local cluster cannot run without it; other tools are built when first asked for.
    """

    folder: str
    package: str
    needed: bool = False

    @property
    def is_go(self) -> bool:
        """Whether it is built by Go and not by the C compiler."""
        return not self.package.endswith(".c")

    @property
    def built_as(self) -> str:
        """The file name that ``go build`` gives the program: the last element of the package that is no version."""
        elements = [part for part in self.package.split("/") if not (part[0] == "v" and part[1:].isdigit())]
        return elements[-1]


TOOLS = {
    **{
        name: Tool(".", f"k8s.io/kubernetes/cmd/{name}", needed=True)
        for name in (
            "kube-apiserver",
            "kube-controller-manager",
            "kube-proxy",
            "kube-scheduler",
            "kubectl",
            "kubelet",
        )
    },
    "coredns": Tool(".", "./dns", needed=True),
    "etcd": Tool(".", "go.etcd.io/etcd/server/v3", needed=True),
    "helm": Tool("helm3", "helm.sh/helm/v3/cmd/helm"),
    "helm4": Tool("helm4", "helm.sh/helm/v4/cmd/helm"),
    "kind": Tool("kind", "sigs.k8s.io/kind"),
    "local-path-provisioner": Tool("local-path", "github.com/rancher/local-path-provisioner", needed=True),
    "pause": Tool("pause", "pause.c", needed=True),
    "versitygw": Tool("versitygw", "github.com/versity/versitygw/cmd/versitygw"),
}
CLUSTER_TOOLS = tuple(name for name, tool in TOOLS.items() if tool.needed)


def content_key(folder: Path, flags: Sequence[str], machine: str) -> str:
    """Name one state of a tool's sources: 16 hexadecimal digits.

    Args:
        folder: the Go module or C source folder; nested modules are not part of it.
        flags: compiler flags, in order.
        machine: the processor architecture.
    """
    patterns = ("go.mod", "go.sum", "*.go", "*.c", "dns/*.go")
    files = sorted({path for pattern in patterns for path in folder.glob(pattern)})
    digest = hashlib.sha256("\0".join((*flags, machine)).encode())
    for path in files:
        content = path.read_bytes()
        digest.update(f"\0{path.relative_to(folder)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def required_go(module: str) -> str:
    """The version of Go that the text of a go.mod asks for, for example ``1.25.0``."""
    return next(line.split()[1] for line in module.splitlines() if line.startswith("go "))


def check_go(said: str, needed: str) -> None:
    """Let a Go pass that is new enough, or that does not tell its version.

    Args:
        said: what ``go version`` prints.
        needed: as ``required_go`` gives it.

    Raises:
        ClusterError: it is too old.
    """
    found = re.search(r"\bgo(\d+\.\d+(?:\.\d+)?)", said)
    if found and _numbers(found[1]) < _numbers(needed):
        raise ClusterError(f"Go {found[1]} is too old: install Go {needed} or newer and put it first on the PATH.")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


class Toolchain:
    """The built programs in a cache folder."""

    def __init__(self, cache: Path, say: Callable[[str], None], sources: Path = SOURCES) -> None:
        """Keep binaries in ``cache``/<content key>/bin and report progress lines through ``say``."""
        self._cache = cache
        self._say = say
        self._sources = sources

    def path(self, name: str) -> Path:
        """Where a tool's binary is, or will be once it is built.

        Raises:
            ClusterError: no tool has this name.
        """
        if name not in TOOLS:
            raise ClusterError(f"There is no tool {name!r}; the tools are {', '.join(sorted(TOOLS))}.")
        tool = TOOLS[name]
        flags = GO_FLAGS if tool.is_go else C_FLAGS
        key = content_key(self._sources / tool.folder, flags, platform.machine())
        return self._cache / key / "bin" / name

    def find(self, name: str) -> Path:
        """The program on the PATH, else the built one: for what works with another version as well.

        Raises:
            ClusterError: as ``ensure`` does.
        """
        on_path = shutil.which(name)
        return Path(on_path) if on_path else self.ensure([name])[name]

    def has(self, names: Iterable[str]) -> bool:
        """Whether all of them are built."""
        return all(self.path(name).exists() for name in names)

    def ensure(self, names: Iterable[str]) -> dict[str, Path]:
        """Build the tools that are not in the cache yet and return the path of every binary.

        Raises:
            ClusterError: a name is unknown, Go is missing or too old, or a build failed.
        """
        paths = {name: self.path(name) for name in names}
        if all(path.exists() for path in paths.values()):
            return paths
        with self._alone():
            missing = [name for name, path in paths.items() if not path.exists()]
            for folder in sorted({TOOLS[name].folder for name in missing}):
                self._build(folder, {name: paths[name] for name in missing if TOOLS[name].folder == folder})
        return paths

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one process at a time build, so that none does again what another is doing; begin with a tidy cache."""
        self._cache.mkdir(parents=True, exist_ok=True)
        with (self._cache / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._say("waiting for another process that builds programs")
                fcntl.flock(lock, fcntl.LOCK_EX)
            # Only a build that was killed leaves its folder.
            for left in self._cache.glob("build-*"):
                shutil.rmtree(left, ignore_errors=True)
            yield

    def _build(self, folder: str, targets: dict[str, Path]) -> None:
        self._say(f"building {', '.join(targets)} (minutes the first time)")
        with tempfile.TemporaryDirectory(dir=self._cache, prefix="build-") as temporary:
            self._compile(self._sources / folder, [TOOLS[name] for name in targets], Path(temporary))
            for name, target in targets.items():
                target.parent.mkdir(parents=True, exist_ok=True)
                # Renaming is atomic: another process sees either no binary or a complete one.
                (Path(temporary) / TOOLS[name].built_as).rename(target)

    @staticmethod
    def _compile(source: Path, tools: Sequence[Tool], output: Path) -> None:
        for tool in tools:
            if not tool.is_go:
                run(["gcc", *C_FLAGS, "-o", output / tool.built_as, tool.package], cwd=source, timeout=BUILD_SECONDS)
        packages = [tool.package for tool in tools if tool.is_go]
        if not packages:
            return
        needed = required_go((source / "go.mod").read_text())
        if not shutil.which("go"):
            raise ClusterError(f"Go is missing: install Go {needed} or newer and put it on the PATH.")
        # Asked inside the module: from 1.21 on Go may take a newer one of itself for it, downloaded if need be.
        check_go(run(["go", "version"], cwd=source, timeout=BUILD_SECONDS), needed)
        environment = ["env", "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false"]
        build = ["nice", "-n", "5", *environment, "go", "build", *GO_FLAGS, "-o", f"{output}/", *packages]
        run(build, cwd=source, timeout=BUILD_SECONDS)
