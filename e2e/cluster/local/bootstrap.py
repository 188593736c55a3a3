"""Makes a cluster from nothing: files, namespace, processes and add-ons, in the order in which they need each other."""

import json
import socket
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from cluster.base_images import base_images
from cluster.errors import ClusterError
from cluster.local import components, configs
from cluster.local.addons import DEPLOYMENTS, apply_addons
from cluster.local.api_client import ApiClient
from cluster.local.components import Component
from cluster.local.containerd import Containerd
from cluster.local.control_groups import create_groups
from cluster.local.host_settings import note_settings
from cluster.local.network import create_network, enter, free_addresses
from cluster.local.pki import certificate_plan, write_kubeconfig, write_pki
from cluster.local.processes import ProcessTable
from cluster.oci_archive import content_name, write_archive
from cluster.paths import Paths
from cluster.progress import Progress
from cluster.waiting import wait_until

READY_SECONDS = 120
LOG_LINES = 3
API_SERVICE_PORT = 443


class Bootstrap:
    """One start of the cluster on a machine where nothing of it is left."""

    def __init__(self, paths: Paths, tools: Mapping[str, Path], progress: Progress) -> None:
        """Choose the cluster's addresses.

        Raises:
            ClusterError: no address range is free.
        """
        self._paths = paths
        self._tools = tools
        self._progress = progress
        self._plan = free_addresses()
        self._table = ProcessTable(paths.records)
        self._api = ApiClient(self._plan, paths.pki)
        self._containerd = Containerd(paths)

    def run(self) -> None:
        """Start everything and return when pods can be scheduled and names resolve.

        Raises:
            ClusterError: a step failed; what was made so far stays for a look at the logs, until ``down`` or ``up``.
        """
        paths, plan, tools, step = self._paths, self._plan, self._tools, self._progress.step
        with step("certificates and configuration"):
            self._write_files()
        with step(f"network namespace with addresses from {plan.block}"):
            note_settings(paths.run / "host-settings.json")
            create_groups()
            create_network(plan, paths.namespace)
        self._start(components.etcd(paths, tools), components.api_server(paths, plan, tools))
        with step("containerd and the cluster's own images"):
            self._start_containerd()
            self._load_images()
        with step("API server"):
            self._wait("the API server was ready", self._api.ready)
        self._start(
            components.kubelet(paths, plan, tools),
            components.controller_manager(paths, tools),
            components.scheduler(paths, tools),
            components.proxy(paths, tools),
        )
        with step("DNS and StorageClass applied"):
            apply_addons(paths, plan, tools["kubectl"])
        with step("node"):
            self._wait("the node was ready", self._api.node_ready)
        with step("DNS and StorageClass running"):
            for deployment in DEPLOYMENTS:
                self._wait(f"{deployment} was available", partial(self._api.available, deployment))
        with step("Services reachable from the host"):
            self._wait("a Service answered the host", lambda: answers(str(plan.api_service), API_SERVICE_PORT))

    def _write_files(self) -> None:
        paths, plan = self._paths, self._plan
        for folder in (paths.state / "cni", paths.logs, paths.pod_logs, paths.volumes, paths.run):
            folder.mkdir(parents=True, exist_ok=True)
        (paths.run / "cache").write_text(str(paths.cache))
        (paths.state / "addresses.json").write_text(plan.to_json())
        (paths.state / "resolv.conf").write_text("")
        (paths.state / "containerd.toml").write_text(configs.containerd_config(paths))
        for name, config in (
            ("cni/10-pods.conflist", configs.network_config(paths, plan)),
            ("kubelet.json", configs.kubelet_config(paths, plan)),
            ("proxy.json", configs.proxy_config(paths, plan, components.NODE)),
        ):
            (paths.state / name).write_text(json.dumps(config, indent=1))
        plans = certificate_plan(plan, components.NODE)
        write_pki(paths.pki, plans)
        for certificate in plans:
            if certificate.kubeconfig:
                target = paths.kubeconfig(certificate.file)
                write_kubeconfig(target, components.api_url(plan), paths.pki, certificate.file)

    def _start(self, *started: Component) -> None:
        for component in started:
            log = self._paths.logs / f"{component.name}.log"
            self._table.start(component.name, (*enter(self._paths.namespace), *component.command), log)

    def _start_containerd(self) -> None:
        component = components.containerd(self._paths)
        self._start(component)
        self._wait("containerd answered", self._containerd.answers)
        if self._containerd.containers():
            # A crash left them behind. Started anew, containerd's Kubernetes plugin does not know them any more.
            self._containerd.remove_containers()
            self._table.stop([component.name])
            self._start(component)
            self._wait("containerd answered", self._containerd.answers)

    def _load_images(self) -> None:
        for image in base_images(self._tools):
            archive = self._paths.archives / content_name(image)
            if not archive.exists():
                write_archive(image, archive)
            self._containerd.load(archive)

    def _wait(self, what: str, condition: Callable[[], bool]) -> None:
        def holds() -> bool:
            for record in self._table.records():
                if not self._table.running(record.name):
                    raise ClusterError(self._end_sentence(record.name))
            return condition()

        wait_until(what, holds, seconds=READY_SECONDS)

    def _end_sentence(self, name: str) -> str:
        log = self._paths.logs / f"{name}.log"
        last = " / ".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:]) if log.exists() else ""
        return f"{name} ended unexpectedly, see {log}: {last or 'no output'}"


def answers(host: str, port: int) -> bool:
    """Tell whether a TCP connection can be made."""
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True
