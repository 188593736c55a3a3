"""An Assistant and its Studio as a user sees them: conditions, Jobs, slots, and the pods behind the Service."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml

from stage.kubectl import conditions
from studio.contract import labels, names
from studio.contract.labels import Component
from studio_e2e import content, manifests
from studio_e2e.space import Space
from studio_e2e.waiting import NotYet, eventually

Manifest = dict[str, Any]
READY_WITHIN = 180.0
# Keycloak makes its tables at its first start, which takes minutes where everything else starts beside it.
STUDIO_READY_WITHIN = 300.0
GONE_WITHIN = 90.0


@dataclass(frozen=True)
class Assistant:
    """One Assistant of a namespace, existing or not."""

    space: Space
    name: str

    def apply(self, source: Manifest, **spec: Any) -> None:
        """Apply it with small requests."""
        self.space.apply(manifests.small_assistant(self.name, source, **spec))

    def live(self) -> Manifest:
        """The resource as it is now."""
        return self.space.must_get("assistant", self.name)

    @property
    def status(self) -> Manifest:
        """Its status, `{}` before the first one."""
        status: Manifest = self.live().get("status", {})
        return status

    @property
    def conditions(self) -> dict[str, Manifest]:
        """Its conditions by type."""
        return conditions(self.live())

    def wait_for(
        self, kind: str, status: str = "True", *, reason: str = "", saying: str = "", within: float = 60
    ) -> Manifest:
        """The condition, once it has the status and, if given, the reason and these words in its message."""

        def holds() -> Manifest:
            found = self.conditions.get(kind, {})
            as_wanted = found.get("status") == status and (not reason or found.get("reason") == reason)
            if not as_wanted or saying not in found.get("message", ""):
                raise NotYet(f"{kind}={found.get('status')} {found.get('reason')}: {found.get('message')}")
            return found

        wanted = f"assistant {self.name}: {kind}={status} {reason} {saying}".rstrip()
        return eventually(wanted, holds, within=within, every=0.5)

    def wait_ready(self, *, other_than: str = "", within: float = READY_WITHIN) -> Manifest:
        """The resource, once Ready for its generation, with another fingerprint than `other_than`."""

        def ready() -> Manifest:
            live = self.live()
            status, found = live.get("status", {}), conditions(live)
            current = status.get("observedGeneration") == live["metadata"]["generation"]
            as_wanted = status.get("fingerprint") != other_than
            if current and as_wanted and found.get("Ready", {}).get("status") == "True":
                return live
            raise NotYet(summary(live))

        return eventually(f"assistant {self.name} is Ready", ready, within=within)

    def set_content(self, files: Mapping[str, str]) -> None:
        """Replace the ConfigMap `<name>-content`."""
        self.space.apply(manifests.config_map(f"{self.name}-content", files))

    @contextmanager
    def without_warming(self) -> Iterator[None]:
        """Engines are started with their model while the block runs."""
        self.space.patch("assistant", self.name, {"spec": {"running": {"warming": False}}})
        try:
            yield
        finally:
            self.space.patch("assistant", self.name, {"spec": {"running": {"warming": None}}})

    def apply_with_content(self, files: Mapping[str, str], **spec: Any) -> None:
        """Apply the ConfigMap `<name>-content` and the Assistant that is made of it."""
        self.set_content(files)
        self.apply(manifests.from_config_map(f"{self.name}-content"), **spec)

    def wait_training_job(self, *, within: float = 60) -> Manifest:
        """A training Job of it whose pod exists."""

        def active() -> Manifest | None:
            return next((job for job in self.jobs(Component.TRAINING) if job.get("status", {}).get("active")), None)

        return eventually(f"a training Job of {self.name} is active", active, within=within, every=0.5)

    def wait_training_done(self, job: Manifest, *, within: float = 120) -> None:
        """Until this training Job has ended, or is gone."""
        name = job["metadata"]["name"]

        def ended() -> bool:
            live = self.space.get("job", name)
            return live is None or has_ended(live)

        eventually(f"the training Job {name} has ended", ended, within=within, every=0.5)

    def jobs(self, component: Component) -> list[Manifest]:
        """Its Jobs: trainings or runs."""
        return self.space.list("jobs", component=component.value, assistant=self.name)

    def runs(self) -> list[Manifest]:
        """Its run Jobs that have not ended: that of a lost attempt stays for an hour, to be looked at."""
        return [job for job in self.jobs(Component.RUN) if not has_ended(job)]

    def delete(self, *, within: float = GONE_WITHIN) -> None:
        """Delete it and wait until it, its Jobs and its Service are gone."""
        self.space.delete("assistant", self.name, f"--timeout={within:g}s")
        eventually(f"nothing is left of {self.name}", self._nothing_left, within=within)

    def serving(self) -> list[Manifest]:
        """The pods behind the ready addresses of its Service."""
        slices = self.space.list("endpointslices", selector=f"kubernetes.io/service-name={self.name}")
        pods = {pod["metadata"]["name"]: pod for pod in self.space.list("pods")}
        return [pods[name] for name in ready_targets(slices) if name in pods]

    def wait_serving(self) -> Manifest:
        """The one pod behind its Service: endpoints are written a moment after the status."""

        def single() -> Manifest:
            found = self.serving()
            if len(found) != 1:
                raise NotYet(f"{[pod['metadata']['name'] for pod in found]} serve")
            return found[0]

        return eventually(f"one pod serves {self.name}", single, within=30)

    def _nothing_left(self) -> bool:
        live = self.space.list("jobs,pods,services,deployments", assistant=self.name)
        actions = names.child_of_assistant(self.name, Component.ACTIONS)
        live += [found for kind in ("deployment", "service") if (found := self.space.get(kind, actions))]
        if live:
            raise NotYet(", ".join(f"{o['kind']} {o['metadata']['name']}" for o in live))
        return True


@dataclass(frozen=True)
class Porter(Assistant):
    """The assistant that tests share: each may leave it with other words, and the model of them."""

    @property
    def files(self) -> dict[str, str]:
        """Its content."""
        data: dict[str, str] = self.space.must_get("configmap", f"{self.name}-content")["data"]
        return data

    @property
    def greeting(self) -> str:
        """What it answers to a good day."""
        text: str = yaml.safe_load(self.files["domain.yml"])["responses"]["utter_greet"][0]["text"]
        return text

    def make_ready(self) -> None:
        """Have it Ready: as an earlier test left it, or with its first content."""
        if self.space.get("assistant", self.name) is None or "Stalled" in self.conditions:
            self.set_content(content.porter())
        self.apply(manifests.from_config_map(f"{self.name}-content"))
        self.wait_ready()


def ready_targets(slices: Sequence[Manifest]) -> list[str]:
    """Names of the pods behind the ready endpoints of EndpointSlices."""
    endpoints = [e for item in slices for e in item.get("endpoints") or []]
    return [e["targetRef"]["name"] for e in endpoints if e.get("conditions", {}).get("ready") and "targetRef" in e]


def has_ended(job: Manifest) -> bool:
    """Whether a Job has completed or failed."""
    return any(conditions(job).get(kind, {}).get("status") == "True" for kind in ("Complete", "Failed"))


def summary(resource: Manifest) -> str:
    """All conditions of a resource in one line each."""
    found = conditions(resource).values()
    lines = [f"  {c['type']}={c['status']} {c['reason']}: {c['message']}" for c in found]
    metadata, observed = resource["metadata"], resource.get("status", {}).get("observedGeneration")
    return "\n".join([f"{resource['kind']} {metadata['name']} {observed} of {metadata['generation']}", *lines])


def wait_studio_ready(space: Space, name: str = "studio", *, within: float = STUDIO_READY_WITHIN) -> Manifest:
    """The Studio, once every part of it works: by its status, and by its workloads, which know a moment earlier."""

    def ready() -> Manifest:
        live = space.get("studio", name)
        if live is None:
            raise NotYet("no such Studio")
        current = live.get("status", {}).get("observedGeneration") == live["metadata"]["generation"]
        if not current or conditions(live).get("Ready", {}).get("status") != "True":
            raise NotYet(summary(live))
        workloads = space.list("deployments,statefulsets", selector=f"{labels.INSTANCE}={name}")
        there = {each["metadata"]["labels"][labels.COMPONENT] for each in workloads}
        if missing := {each["name"] for each in live["status"]["components"]} - there:
            raise NotYet(f"{', '.join(sorted(missing))}: not there")
        if moving := [each["metadata"]["name"] for each in workloads if not _rolled_out(each)]:
            raise NotYet(f"{', '.join(moving)}: not rolled out")
        return live

    return eventually(f"studio {name} is Ready", ready, within=within)


def _rolled_out(workload: Manifest) -> bool:
    replicas, status = workload["spec"]["replicas"], workload.get("status", {})
    current = status.get("observedGeneration") == workload["metadata"]["generation"]
    return current and all(status.get(key, 0) == replicas for key in ("replicas", "readyReplicas", "updatedReplicas"))


def slots(space: Space, studio: str = "studio") -> int:
    """Replicas of the running consumer."""
    return int(space.must_get("deployment", f"{studio}-running-consumer")["spec"]["replicas"])


def wait_slots(space: Space, count: int, *, within: float = 30) -> None:
    """Until the running consumer has exactly this number of replicas."""

    def equal() -> bool:
        if (now := slots(space)) != count:
            raise NotYet(f"{now} replicas")
        return True

    eventually(f"running consumers = {count}", equal, within=within, every=0.5)


def set_training_consumers(space: Space, count: int, *, studio: str = "studio") -> None:
    """Change one field of a Studio and leave the rest as it is."""
    space.patch("studio", studio, {"spec": {"training": {"consumers": count}}})
