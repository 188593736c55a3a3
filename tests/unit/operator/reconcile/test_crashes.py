"""The operator may die before or after any of its writes: the end is always the same."""

from collections.abc import Awaitable, Callable

import pytest
from tests.fakes.cluster import Crash
from tests.unit.operator.reconcile.world import World

from studio.kube import ASSISTANT, STUDIO

Step = Callable[[World], Awaitable[None]]


async def settle(world: World) -> None:
    """Until nothing changes; a process that dies is followed by a new one."""
    for _ in range(3):
        try:
            await world.settle()
        except Crash:
            world.restart()
        else:
            return
    raise AssertionError("it died more than once")


async def first_apply(world: World) -> None:
    world.put_assistant("concierge", actions={"image": "actions:1"})
    world.put_assistant("porter")
    await settle(world)


async def train_and_serve(world: World) -> None:
    for name in ("concierge", "porter"):
        world.model_service.train(name)
        world.model_service.serve(name)
    await settle(world)


async def change(world: World) -> None:
    world.put(STUDIO, "studio", training={"consumers": 2}, components={"runningOrchestrator": {"replicas": 2}})
    world.put_assistant("concierge")
    await settle(world)


async def delete(world: World) -> None:
    await world.delete(ASSISTANT, "porter")
    await settle(world)


STORY: tuple[Step, ...] = (first_apply, train_and_serve, change, delete)


async def told(world: World) -> World:
    for step in STORY:
        await step(world)
    return world


async def test_dying_at_any_write_makes_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """After each write and before the first; what is left behind before a write is what was left after the last one."""
    # The migration Job is named after a digest of the passwords, among others.
    monkeypatch.setattr("studio_operator.reconcile.secrets.secrets.token_hex", lambda size: "5e" * size)
    undisturbed = await told(World())
    expected = undisturbed.picture()
    steps = undisturbed.lifeline.steps
    assert steps > 60
    for dies_at in range(steps + 1):
        world = await told(World(dies_at=max(dies_at, 1), after=dies_at > 0))
        assert world.lifeline.steps >= dies_at
        assert world.picture() == expected, f"died after write {dies_at}"
        assert len(world.model_service.assistants) == 1


@pytest.mark.parametrize("after", [False, True])
async def test_a_secret_is_made_once_whatever_happens(after: bool) -> None:
    """Passwords that were given to a database must never be made anew."""
    for dies_at in range(1, 12):
        world = World(dies_at=dies_at, after=after)
        world.put(STUDIO, "studio")
        await settle(world)
        created = [request.name for request in world.kube.writes() if request.kind == "Secret"]
        assert sorted(set(created)) == sorted(created)
