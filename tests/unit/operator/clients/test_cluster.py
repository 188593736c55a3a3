import pytest
from tests.fakes.kube import FakeKube

from studio.kube import ASSISTANT, DEPLOYMENT, SECRET, STUDIO, Manifest
from studio_operator.clients.cluster import KubeCluster
from studio_operator.runtime.gate import NotLeader, WriteGate
from studio_operator.runtime.intake import Intake
from studio_operator.runtime.keys import Key
from studio_operator.runtime.stores import Store, Stores

STUDIO_BODY: Manifest = {
    "apiVersion": STUDIO.api_version,
    "kind": "Studio",
    "metadata": {"namespace": "n", "name": "studio"},
    "spec": {},
}


class World:
    def __init__(self) -> None:
        self.kube = FakeKube()
        self.gate = WriteGate(lambda: 0.0)
        self.gate.open_until(10)
        self.keys: list[Key] = []
        stores = Stores([Store(STUDIO), Store(ASSISTANT), Store(DEPLOYMENT)])
        self.cluster = KubeCluster(self.kube, self.gate, stores, Intake(stores, self.keys.append))


@pytest.fixture
def world() -> World:
    return World()


async def test_own_writes_are_cached_at_once(world: World) -> None:
    made = await world.cluster.create(STUDIO_BODY)
    held = world.cluster.cached(STUDIO, "n", "studio")
    assert held is not None
    assert held["metadata"]["uid"] == made["metadata"]["uid"]
    assert world.cluster.select(STUDIO, "n") == [held]
    assert world.keys == [Key("Studio", "n", "studio")], "who creates it is not the pass that looks after it"
    world.keys.clear()
    await world.cluster.write_status(STUDIO, "n", "studio", {"x": 1})
    held = world.cluster.cached(STUDIO, "n", "studio")
    assert held is not None
    assert held["status"] == {"x": 1}
    assert world.keys == []


async def test_the_studio_s_status_wakes_its_assistants(world: World) -> None:
    await world.cluster.create(STUDIO_BODY)
    body = {**STUDIO_BODY, "apiVersion": ASSISTANT.api_version, "kind": "Assistant"}
    await world.cluster.apply({**body, "metadata": {"namespace": "n", "name": "a"}})
    world.keys.clear()
    await world.cluster.write_status(STUDIO, "n", "studio", {"x": 1})
    assert world.keys == [Key("Assistant", "n", "a")]


async def test_secrets_are_read_live(world: World) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "n", "name": "s"}, "data": {}}
    await world.cluster.create(secret)
    assert world.cluster.cached(SECRET, "n", "s") is None
    assert await world.cluster.get(SECRET, "n", "s") is not None
    assert [request.verb for request in world.kube.requests] == ["create", "get"]


async def test_without_the_lease_nothing_is_written(world: World) -> None:
    live = await world.cluster.create(STUDIO_BODY)
    version = live["metadata"]["resourceVersion"]
    world.kube.requests.clear()
    world.gate.close()
    for write in (
        world.cluster.apply(STUDIO_BODY),
        world.cluster.create(STUDIO_BODY),
        world.cluster.delete(STUDIO, "n", "studio"),
        world.cluster.patch(STUDIO, "n", "studio", {}, resource_version=version),
        world.cluster.write_status(STUDIO, "n", "studio", {}),
    ):
        with pytest.raises(NotLeader):
            await write
    assert world.kube.requests == []
    assert await world.cluster.get(STUDIO, "n", "studio") is not None


async def test_delete_and_patch(world: World) -> None:
    live = await world.cluster.create(STUDIO_BODY)
    patched = await world.cluster.patch(
        STUDIO,
        "n",
        "studio",
        {"metadata": {"finalizers": ["x"]}},
        resource_version=live["metadata"]["resourceVersion"],
    )
    assert patched["metadata"]["finalizers"] == ["x"]
    assert not await world.cluster.delete(STUDIO, "n", "studio", uid="another")
    assert await world.cluster.delete(STUDIO, "n", "studio", uid=live["metadata"]["uid"])
