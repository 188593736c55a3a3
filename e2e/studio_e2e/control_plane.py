"""Faults of the control plane, for the local cluster: its processes run on this machine and are known by their ids."""

import fcntl
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster.command import run
from cluster.local import components
from cluster.local.addresses import AddressPlan
from cluster.local.api_client import ApiClient
from cluster.local.network import enter
from cluster.local.processes import ProcessRecord, ProcessTable, is_running
from cluster.paths import Paths
from cluster.toolchain import Toolchain
from studio_e2e.waiting import eventually

API_SERVER = "kube-apiserver"
READY_WITHIN = 60.0
# etcd's JSON gateway: https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/
_COMPACT = """\
import json, sys, urllib.request as u
def call(path, body):
    return json.load(u.urlopen(u.Request(sys.argv[1] + path, json.dumps(body).encode()), timeout=20))
revision = call("/v3/kv/range", {"key": "AA=="})["header"]["revision"]
call("/v3/kv/compaction", {"revision": revision, "physical": True})
print(revision)
"""


class ControlPlane:
    """API server and etcd of the local cluster."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._table = ProcessTable(paths.records)
        self._plan = AddressPlan.from_json((paths.state / "addresses.json").read_text())
        self._api = ApiClient(self._plan, paths.pki)

    @classmethod
    def find(cls, kubeconfig: str) -> "ControlPlane | None":
        """That of the cluster of this kubeconfig; None where its processes are out of reach."""
        paths = Paths.from_environment()
        return cls(paths) if Path(kubeconfig) == paths.kubeconfig() else None

    @classmethod
    def at_hand(cls, kubeconfig: str) -> "ControlPlane":
        """The same; skips the test where there is none."""
        if (found := cls.find(kubeconfig)) is None:
            pytest.skip("needs the control plane and the pods on this machine, as only the local cluster has them")
        return found

    @property
    def host(self) -> str:
        """The address at which it finds this machine."""
        return str(self._plan.host)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep everybody else from repairing the cluster while it is damaged on purpose."""
        with self._paths.lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def held(self, name: str = API_SERVER) -> Iterator[None]:
        """A process that takes connections and never answers, for as long as the block runs."""
        process = self._process(name)
        with self.alone():
            os.kill(process.pid, signal.SIGSTOP)
            try:
                yield
            finally:
                os.kill(process.pid, signal.SIGCONT)
                self._wait_ready()

    def restart_api_server(self) -> None:
        """Kill it with all its connections and what it remembers of the past; back when it is ready again."""
        tools = Toolchain(self._paths.tools, lambda _line: None).ensure([API_SERVER])
        component = components.api_server(self._paths, self._plan, tools)
        with self.alone():
            self._table.stop([API_SERVER], force=True)
            log = self._paths.logs / f"{API_SERVER}.log"
            self._table.start(API_SERVER, (*enter(self._paths.namespace), *component.command), log)
            self._wait_ready()

    def compact(self) -> int:
        """Make etcd forget everything before now; returns the revision of now."""
        script = (sys.executable, "-c", _COMPACT, components.ETCD)
        return int(json.loads(run([*enter(self._paths.namespace), *script])))

    def _process(self, name: str) -> ProcessRecord:
        return next(record for record in self._table.records() if record.name == name and is_running(record))

    def _wait_ready(self) -> None:
        eventually("the API server is ready", self._api.ready, within=READY_WITHIN, every=0.2)
