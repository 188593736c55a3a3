"""A cluster and a model service in memory, the reconciler on top, and the controllers played by hand."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.clone import clone
from tests.fakes.cluster import FakeCluster, Lifeline
from tests.fakes.contents import FakeContents
from tests.fakes.identity import FakeIdentity
from tests.fakes.kube import FakeKube
from tests.fakes.model_service import FakeModelService
from tests.fakes.recorder import FakeRecorder

from studio.contract import labels
from studio.contract.labels import Component
from studio.kube import ASSISTANT, DEPLOYMENT, JOB, STATEFULSET, STUDIO, Kind, Manifest
from studio_operator.images import Images
from studio_operator.reconcile import Reconciler, Services, Settings
from studio_operator.runtime.keys import Key

TEAM = "team"
IMAGES = Images(
    operator="operator:1",
    services="services:1",
    engine="engine:1",
    database="pg:1",
    object_store="s3:1",
    event_broker="kafka:1",
    keycloak="keycloak:1",
    web_client="web:1",
    entry_proxy="proxy:1",
)
FILES = {"config.yml": "recipe: default.v1\n", "domain.yml": "intents: [greet]\n"}
# What is random or counted, and so differs between two runs of the same story.
VOLATILE = ("resourceVersion", "uid", "generation", "creationTimestamp")


class TickingClock:
    """Every look at it takes a second."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        self.advance(1)
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)


class World:
    """See the module."""

    def __init__(self, *, version: str = "1.0.0", dies_at: int | None = None, after: bool = False) -> None:
        self.kube = FakeKube()
        self.lifeline = Lifeline(dies_at=dies_at, after=after)
        self.cluster = FakeCluster(self.kube, self.lifeline)
        self.model_service = FakeModelService(self.lifeline)
        self.contents = FakeContents()
        self.identity = FakeIdentity()
        self.recorder = FakeRecorder()
        self.clock = TickingClock()
        self.kube.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": TEAM}})
        self.restart(version=version)

    def restart(self, *, version: str = "1.0.0", auto_create: bool = True, **images: str) -> None:
        """A new process of the operator: nothing is remembered."""
        settings = Settings(
            version=version,
            images=Images(**{**vars(IMAGES), **images}),
            operator_subject="system:serviceaccount:system:studio-operator",
            auto_create_studio=auto_create,
        )
        services = Services(models=self.model_service, contents=self.contents, identity=self.identity)
        self._asked: list[Key] = []
        self.reconciler = Reconciler(
            self.cluster, services, self.recorder, self.clock, settings, ask=self._asked.append
        )

    # What people do.

    def put(self, kind: Kind, name: str, **spec: Any) -> Manifest:
        """Create or edit a custom resource; its status and metadata stay."""
        live = self.kube.objects.get((kind, TEAM, name), {})
        body = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name, "namespace": TEAM}}
        return self.kube.put({**clone(live or body), "spec": spec})

    def put_assistant(self, name: str = "concierge", **spec: Any) -> Manifest:
        return self.put(ASSISTANT, name, **({"source": {"files": FILES}} | spec))

    async def delete(self, kind: Kind, name: str) -> None:
        await self.kube.delete(kind, TEAM, name)

    # What the operator does.

    async def look_at(self, kind: Kind, name: str) -> float | None:
        """A turn of the resource, and of all that it asks for; gives what the last turn of its own returned."""
        key = Key("Studio" if kind == STUDIO else "Assistant", TEAM, name)
        again = await self.reconciler.reconcile(key)
        while self._asked:
            asked = self._asked.pop(0)
            answer = await self.reconciler.reconcile(asked)
            again = answer if asked == key else again
        return again

    async def look_at_all(self) -> None:
        for kind in (STUDIO, ASSISTANT):
            for place in [place for place in self.kube.objects if place[0] == kind]:
                await self.look_at(kind, place[2])

    async def settle(self, rounds: int = 12) -> None:
        """Passes and healthy controllers in turn, until nothing changes any more."""
        for _ in range(rounds):
            # What changes is another object from then on.
            before = dict(self.kube.objects)
            self.play_controllers()
            await self.look_at_all()
            if self.kube.objects == before:
                return
        raise AssertionError("the world does not come to rest")

    # What controllers do.

    def play_controllers(self, *, without: Iterable[Component] = ()) -> None:
        """Bring workloads up and let Jobs complete, except those of some components."""
        left_out = {component.value for component in without}
        for (kind, namespace, name), body in list(self.kube.objects.items()):
            if body["metadata"].get("labels", {}).get(labels.COMPONENT) in left_out:
                continue
            if kind in (DEPLOYMENT, STATEFULSET):
                self.kube.set_status(kind, namespace, name, _rolled_out(body))
            elif kind == JOB and not body.get("status"):
                self.finish_job(name)

    def put_unschedulable_pod(self, kind: Kind, workload: str) -> None:
        """The newest pod of a workload finds no node."""
        condition = {"type": "PodScheduled", "reason": "Unschedulable", "message": "no node is large enough"}
        metadata = {
            "name": f"{workload}-0",
            "namespace": TEAM,
            "labels": self.get(kind, workload)["metadata"]["labels"],
        }
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
        self.kube.put({**body, "status": {"conditions": [{**condition, "status": "False"}]}})

    def finish_job(self, name: str, *, failure: str = "", at: datetime | None = None) -> None:
        condition = {"type": "Failed" if failure else "Complete", "status": "True", "reason": "Played"}
        conditions = [condition | {"message": failure} | ({"lastTransitionTime": f"{at:%FT%TZ}"} if at else {})]
        self.kube.set_status(JOB, TEAM, name, {"conditions": conditions})

    # What can be seen.

    def get(self, kind: Kind, name: str) -> Manifest:
        return self.kube.objects[kind, TEAM, name]

    def names(self, kind: Kind) -> list[str]:
        return sorted(name for its_kind, _, name in self.kube.objects if its_kind == kind)

    def status(self, kind: Kind, name: str) -> dict[str, Any]:
        status: dict[str, Any] = self.get(kind, name).get("status", {})
        return status

    def conditions(self, kind: Kind, name: str) -> dict[str, tuple[str, str]]:
        """Status and reason by type."""
        return {c["type"]: (c["status"], c["reason"]) for c in self.status(kind, name).get("conditions", [])}

    def message(self, kind: Kind, name: str, condition: str) -> str:
        return next(str(c["message"]) for c in self.status(kind, name)["conditions"] if c["type"] == condition)

    def picture(self) -> dict[tuple[str, str], Any]:
        """Everything in the cluster, without what differs between two runs of the same story."""
        return {(kind.kind, name): _comparable(body) for (kind, _, name), body in self.kube.objects.items()}


def _rolled_out(body: Manifest) -> Manifest:
    replicas = body["spec"].get("replicas", 1)
    return {
        "observedGeneration": body["metadata"]["generation"],
        "replicas": replicas,
        "readyReplicas": replicas,
        "updatedReplicas": replicas,
    }


def _comparable(body: Manifest) -> Manifest:
    kept = clone(body)
    for field in VOLATILE:
        kept["metadata"].pop(field, None)
    kept["metadata"].pop("annotations", None)
    if kept["apiVersion"] == DEPLOYMENT.api_version:
        kept.get("status", {}).pop("observedGeneration", None)
    for owner in kept["metadata"].get("ownerReferences", []):
        owner["uid"] = "the owner's"
    for condition in kept.get("status", {}).get("conditions", []):
        condition.pop("lastTransitionTime", None)
    if kept["kind"] == "Secret":
        kept["data"] = sorted(kept["data"])
    return kept
