import pytest
from tests.fakes.kube import FakeKube

from studio.kube import EVENT, Manifest, Unavailable
from studio_operator.runtime.events import MESSAGE_MAX, QUIET_SECONDS, EventRecorder
from studio_operator.runtime.gate import WriteGate

ABOUT: Manifest = {
    "apiVersion": "studio-operator.io/v1alpha1",
    "kind": "Assistant",
    "metadata": {"namespace": "n", "name": "a", "uid": "u-1"},
}


class World:
    def __init__(self) -> None:
        self.now = 0.0
        self.kube = FakeKube()
        self.gate = WriteGate(lambda: self.now)
        self.gate.open_until(1e9)
        self.recorder = self.restarted()

    def restarted(self) -> EventRecorder:
        return EventRecorder(self.kube, self.gate, instance="pod", clock=lambda: self.now)

    async def record(self, message: str = "Trained: it works", reason: str = "Trained") -> None:
        await self.recorder.record(ABOUT, reason=reason, message=message, warning=False)

    async def events(self) -> list[Manifest]:
        return await self.kube.list(EVENT, "n")


@pytest.fixture
def world() -> World:
    return World()


async def test_one_event(world: World) -> None:
    await world.record()
    (event,) = await world.events()
    assert event["involvedObject"]["uid"] == "u-1"
    assert (event["type"], event["reason"], event["message"]) == ("Normal", "Trained", "Trained: it works")
    assert len(event["metadata"]["name"]) <= 253


async def test_the_same_is_told_once(world: World) -> None:
    for _ in range(3):
        await world.record()
    await world.record("another")
    assert len(world.kube.writes()) == 2


async def test_later_it_is_counted(world: World) -> None:
    await world.record()
    world.now += QUIET_SECONDS + 1
    await world.record()
    world.recorder = world.restarted()
    await world.record()
    (event,) = await world.events()
    assert event["count"] == 2


async def test_long_messages_are_cut(world: World) -> None:
    await world.record("x" * 5000)
    (event,) = await world.events()
    assert len(event["message"]) == MESSAGE_MAX


async def test_an_event_never_fails_a_pass(world: World) -> None:
    world.kube.fail(Unavailable(500, "InternalError", "boom"))
    await world.record()
    world.gate.close()
    await world.record()
    assert await world.events() == []
    world.gate.open_until(1e9)
    await world.record()
    assert len(await world.events()) == 1, "what was not published is told the next time"
