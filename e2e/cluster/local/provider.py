"""Provider for machines without Docker: one node made of plain processes."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from cluster.errors import ClusterError
from cluster.local.addons import DEPLOYMENTS
from cluster.local.addresses import AddressPlan
from cluster.local.api_client import ApiClient
from cluster.local.bootstrap import API_SERVICE_PORT, Bootstrap, answers
from cluster.local.containerd import Containerd
from cluster.local.preflight import check_caller, check_machine, check_user
from cluster.local.processes import ProcessTable
from cluster.local.teardown import COMPONENTS, take_down
from cluster.packages import CLUSTER_PACKAGES, ensure_packages
from cluster.paths import Paths
from cluster.progress import Progress
from cluster.toolchain import CLUSTER_TOOLS, Toolchain

NOT_RUNNING = "The local cluster is not running: start it with `python -m cluster up`."


class LocalCluster:
    """The one local cluster of this machine."""

    def __init__(self, paths: Paths, toolchain: Toolchain, progress: Progress) -> None:
        """Keep files in ``paths`` and report steps to ``progress``."""
        self._paths = paths
        self._toolchain = toolchain
        self._progress = progress

    def check(self) -> None:
        """Check what the machine lacks, unless the cluster runs: then it lacks nothing.

        Raises:
            ClusterError: the machine lacks something.
        """
        check_caller()
        if not self.status()[0]:
            check_machine(self._paths, self._toolchain.has(CLUSTER_TOOLS))

    def up(self) -> None:
        """Start the cluster; one that is damaged is taken down first.

        Raises:
            ClusterError: the machine lacks something, or a step failed.
        """
        check_caller()
        with self._locked():
            healthy, line = self.status()
            if healthy:
                self._progress.say(line)
                return
            check_machine(self._paths, self._toolchain.has(CLUSTER_TOOLS))
            ensure_packages(CLUSTER_PACKAGES, self._progress.say)
            tools = self._toolchain.ensure(CLUSTER_TOOLS)
            if self._paths.run.exists() or self._paths.state.exists():
                with self._progress.step("remains of an earlier cluster removed"):
                    take_down(self._paths)
            Bootstrap(self._paths, tools, self._progress).run()

    def down(self) -> None:
        """Stop the cluster and delete its state; images and tools stay.

        Raises:
            ClusterError: not root, or something could not be removed.
        """
        if not self._paths.run.exists() and not self._paths.state.exists():
            return
        check_user(os.geteuid())
        with self._locked(), self._progress.step("cluster removed"):
            take_down(self._paths)

    def load(self, archive: Path) -> None:
        """Import the archive's images into containerd."""
        containerd = self._running_containerd()
        with self._progress.step(f"{archive.name}"):
            loaded = containerd.load(archive)
            self._progress.say(f"imported {', '.join(loaded)}" if loaded else "all images are present")

    def images(self) -> tuple[str, ...]:
        """Names of the images in containerd."""
        return tuple(sorted(self._running_containerd().images()))

    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig; it exists while the cluster is up."""
        return self._paths.kubeconfig()

    def status(self) -> tuple[bool, str]:
        """Check the processes, the API server, the node and the add-ons."""
        addresses = self._paths.state / "addresses.json"
        if not addresses.exists() or not self._paths.records.exists():
            return False, NOT_RUNNING
        table = ProcessTable(self._paths.records)
        ended = [name for name in COMPONENTS if not table.running(name)]
        if ended:
            return False, f"The local cluster is damaged ({', '.join(ended)} ended): `python -m cluster up` repairs it."
        plan = AddressPlan.from_json(addresses.read_text())
        api = ApiClient(plan, self._paths.pki)
        checks: dict[str, Callable[[], bool]] = {
            "the API server": api.ready,
            "the node": api.node_ready,
            **{name: partial(api.available, name) for name in DEPLOYMENTS},
            "containerd": Containerd(self._paths).answers,
            "the route to Services": partial(answers, str(plan.api_service), API_SERVICE_PORT),
        }
        for name, check in checks.items():
            if not check():
                return False, f"The local cluster is damaged ({name} is not ready): `python -m cluster up` repairs it."
        return True, f"local cluster: ready, API server at {plan.node}, kubeconfig {self.kubeconfig()}"

    def _running_containerd(self) -> Containerd:
        containerd = Containerd(self._paths)
        if not containerd.answers():
            raise ClusterError(NOT_RUNNING)
        return containerd

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let only one process at a time start or stop the cluster, and only with the cache that started it."""
        self._paths.lock.parent.mkdir(parents=True, exist_ok=True)
        with self._paths.lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            owner = self._paths.run / "cache"
            if owner.exists() and owner.read_text() != str(self._paths.cache):
                raise ClusterError(
                    f"The cluster on this machine was started with XDG_CACHE_HOME={Path(owner.read_text()).parent}: "
                    "set the same value to use it or to take it down."
                )
            yield
