"""The stage of the running orchestrator's tests: assistants, models, runs and Services."""

from datetime import datetime
from typing import Any

from tests.fakes.kube import FakeKube
from tests.unit.services.orchestrators.models import model
from tests.unit.services.orchestrators.world import UID, World, desired_running

from studio.contract import labels, names
from studio.contract.model_service import EventBrokerLogin, TrackerStore
from studio.model_service.items import Lease
from studio.model_service.orchestrators.running.reconciler import Reconciler
from studio.model_service.orchestrators.running.service_object import SINCE


class FakeTrackers:
    """Remembers what was made and dropped."""

    def __init__(self, stores: str = "here") -> None:
        self.stores = stores
        self.made: list[str] = []
        self.dropped: list[str] = []
        self.last: datetime | Exception | None = None

    def stores_digest(self, events: EventBrokerLogin | None) -> str:
        del events
        return self.stores

    async def heard(self, uid: str) -> datetime | None:
        del uid
        if isinstance(self.last, Exception):
            raise self.last
        return self.last

    async def ensure(self, uid: str) -> TrackerStore:
        self.made.append(uid)
        name = names.tracker_schema(uid)
        return TrackerStore(
            host="db", port=5432, database="trackers", db_schema=name, username=name, password="p"
        )  # fmt: skip

    async def drop(self, uid: str) -> None:
        self.dropped.append(uid)


async def put(world: World, **changes: Any) -> dict[str, Any]:
    desired = desired_running(**changes)
    status, observed = await world.operator("PUT", f"/v1/assistants/{desired.name}", json=desired.model_dump())
    assert status == 200, observed
    return dict(observed)


async def add_model(world: World, version: int, content: str = "a", image: str = "engine:1") -> None:
    made = model(version, content, image)
    await world.made.pool.execute(
        """insert into models (uid, version, fingerprint, sha256, size, members, object_key, engine_image, training)
           values ($1, $2, $3, $4, $5, $6, $7, $8, 't')""",
        UID, version, made.fingerprint, made.sha256, made.size, made.members, made.object_key, image,
    )  # fmt: skip
    world.store.objects[made.object_key] = b"model"


async def make_ready(world: World, holder: str) -> Lease:
    lease = await world.queue.claim("run", holder)
    assert lease is not None
    await world.queue.update(lease, state="Ready", reason="Ready")
    return lease


async def serve_the_first(world: World, reconciler: Reconciler) -> Lease:
    """The first model of a wished assistant is run by c0, and serves."""
    await put(world)
    await add_model(world, 1)
    await reconciler.reconcile(UID)
    lease = await make_ready(world, "c0")
    await reconciler.reconcile(UID)
    return lease


def service(kube: FakeKube) -> Any:
    found = [body for body in kube.objects.values() if body["kind"] == "Service"]
    return found[0] if found else None


def served(kube: FakeKube) -> str:
    return str(service(kube)["spec"]["selector"][labels.RUN])


def age_the_flip(kube: FakeKube) -> None:
    """As if the Service had been flipped long ago."""
    body = service(kube)
    body["metadata"]["annotations"][SINCE] = "2026-01-01T00:00:00.000+00:00"
    kube.put(body)
