"""The scenarios of the whole studio: one first apply with every part, and what the web client sends at first load."""

import gzip
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass

from cluster.errors import ClusterError
from measuring import cluster_facts, scenarios
from measuring.cluster_facts import Memory
from stage.kubectl import REPOSITORY, Kubectl
from studio.contract import labels
from studio.contract.labels import Component
from studio_e2e import assistants, browser, entry, manifests

DIST = REPOSITORY / "web" / "dist"
_ENTRY_SCRIPTS = re.compile(r'<(?:script[^>]+src|link[^>]+rel="modulepreload"[^>]+href)="/?([^"]+\.js)"')
# Their memory is the engine's or Keycloak's business.
_ENGINES = (Component.RUN, Component.TRAINING)


@dataclass(frozen=True)
class Arrival:
    """Seconds from the apply to Ready, memory by component (every pod), and what a page asks for."""

    seconds: float
    memory: dict[str, list[Memory]]
    page_requests: list[str]

    @property
    def own(self) -> dict[str, Memory]:
        """The sums of all components but engines and Keycloak."""
        keycloak = Component.KEYCLOAK.value
        return {name: added(parts) for name, parts in sorted(self.memory.items()) if name != keycloak}

    @property
    def keycloak_memory(self) -> float:
        """Keycloak's, resident, in MiB."""
        return added(self.memory.get(Component.KEYCLOAK.value, [])).resident


def added(parts: Iterable[Memory]) -> Memory:
    """The sum of several."""
    several = list(parts)
    return Memory(sum(part.resident for part in several), sum(part.proportional for part in several))


def arrival(kubectl: Kubectl) -> Arrival:
    """The concert hall, without its action server, applied into an empty namespace; then everything left to rest."""
    with scenarios.namespace(kubectl, "whole") as space:
        space.apply(manifests.studio(publicUrl=entry.free_origin()))
        seconds, _ = scenarios.arrive(space, "hall")
        assistants.wait_studio_ready(space)
        time.sleep(scenarios.SETTLE_SECONDS)
        memory: dict[str, list[Memory]] = {}
        for pod in space.list("pods"):
            component = pod["metadata"]["labels"].get(labels.COMPONENT, "")
            if pod["status"]["phase"] == "Running" and component not in _ENGINES:
                memory.setdefault(component, []).append(cluster_facts.memory(space, pod))
        with entry.forwarded(space) as origin:
            asked = browser.requests_at_rest(origin, *entry.administrator(space))
        return Arrival(seconds, memory, asked)


def first_load() -> tuple[float, str]:
    """Kilobytes (1000 bytes) of gzipped JavaScript that the page loads before anything is clicked, and its files.

    Raises ClusterError where the web client was not built.
    """
    page = DIST / "index.html"
    if not page.exists():
        raise ClusterError(f"{page} does not exist: build the web client first (make web)")
    files = sorted(set(_ENTRY_SCRIPTS.findall(page.read_text())))
    sizes = {name: len(gzip.compress((DIST / name).read_bytes(), 9)) / 1000 for name in files}
    return sum(sizes.values()), ", ".join(f"{name} {size:.0f} kB" for name, size in sizes.items())
