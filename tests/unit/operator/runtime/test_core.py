"""Stores, intake, slow pass, queue and change streams together, over the fake API server."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.fakes.kube import FakeKube

from studio.contract.labels import MANAGED_BY_OPERATOR, PART_OF, Component, common
from studio.kube import ASSISTANT, CONFIGMAP, DEPLOYMENT, STUDIO, Kind, Manifest, NotFound, Unavailable
from studio_operator.ports import Unreachable
from studio_operator.runtime import liveness, slowpass
from studio_operator.runtime.core import Core
from studio_operator.runtime.keys import Key
from studio_operator.runtime.streams import Stream, wanted
from studio_operator.runtime.watched import WATCHED


def resource(kind: Kind, name: str, **spec: Any) -> Manifest:
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"namespace": "n", "name": name},
        "spec": spec,
    }


def orchestrator(component: Component = Component.TRAINING_ORCHESTRATOR, ready: int = 1) -> Manifest:
    labels = common(
        instance="studio", studio="studio", component=component, managed_by=MANAGED_BY_OPERATOR, version="1"
    )
    metadata = {"namespace": "n", "name": f"studio-{component}", "labels": labels}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {},
        "status": {"readyReplicas": ready},
    }


class World:
    """A core whose passes and subscriptions are recorded."""

    def __init__(self) -> None:
        self.kube = FakeKube()
        self.passes: asyncio.Queue[Key] = asyncio.Queue()
        self.subscribed: asyncio.Queue[Stream] = asyncio.Queue()
        self.changes: asyncio.Queue[str | Exception | None] = asyncio.Queue()
        self.core = Core(self.kube, WATCHED, self.subscribe)
        self.core.reconcile_with(self.reconcile)

    async def reconcile(self, key: Key) -> float | None:
        self.passes.put_nowait(key)
        return None

    async def subscribe(self, stream: Stream) -> AsyncIterator[str | None]:
        self.subscribed.put_nowait(stream)
        while True:
            change = await self.changes.get()
            if isinstance(change, Exception):
                raise change
            yield change

    async def passed(self, *names: str) -> None:
        """Wait until each of these had a pass."""
        missing = set(names)
        while missing:
            missing.discard((await self.passes.get()).name)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    running: list[asyncio.Task[None]] = []
    world.start = lambda: running.append(asyncio.create_task(world.core.run()))  # type: ignore[attr-defined]
    yield world
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def test_everything_is_looked_at_once_the_stores_are_full(world: Any) -> None:
    world.kube.put(resource(STUDIO, "studio"))
    world.kube.put(resource(ASSISTANT, "a"))
    assert world.core.unready()
    world.start()
    await world.passed("studio", "a")
    assert world.core.unready() == []
    assert world.core.stores.get(ASSISTANT, "n", "a")


async def test_no_pass_before_every_list_succeeded(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slowpass, "RETRY_SECONDS", 0.001)
    world.kube.put(resource(ASSISTANT, "a"))
    world.kube.fail(NotFound(404, "NotFound", "no such kind"), verb="list", kind=ASSISTANT)
    world.kube.fail(Unavailable(503, "InternalError", "away"), verb="list", kind=DEPLOYMENT)
    world.start()
    await world.passed("a")
    assert world.core.stores.get(ASSISTANT, "n", "a")


async def test_config_maps_are_listed_by_metadata_only(world: Any) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "n", "name": "c"}, "data": {"x": "y"}}
    world.kube.put(body)
    world.start()
    await world.core.filled.wait()
    assert "data" not in world.core.stores.of(CONFIGMAP).get("n", "c")


async def test_events_become_passes(world: Any) -> None:
    world.start()
    await world.core.filled.wait()
    body = world.kube.put(resource(ASSISTANT, "a", source={"configMaps": [{"name": "c"}]}))
    world.core.intake.observe(ASSISTANT, "ADDED", body)
    await world.passed("a", "studio")
    source = world.kube.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "n", "name": "c"}})
    world.core.intake.observe(CONFIGMAP, "ADDED", source)
    await world.passed("a")


def test_an_event_tells_of_the_watch_of_its_namespace() -> None:
    core = Core(FakeKube(), WATCHED, World().subscribe, namespaces=("m", "n"))
    core.intake.observe(ASSISTANT, None, FakeKube().put(resource(ASSISTANT, "a")))
    assert core.activity.last("n", ASSISTANT) is not None
    assert core.activity.last("m", ASSISTANT) is None


async def test_leaving_a_studio_concerns_the_one_that_is_left(world: Any) -> None:
    world.start()
    await world.core.filled.wait()
    world.core.intake.observe(ASSISTANT, "ADDED", world.kube.put(resource(ASSISTANT, "a", studioRef={"name": "one"})))
    await world.passed("a", "one")
    world.core.intake.observe(
        ASSISTANT, "MODIFIED", world.kube.put(resource(ASSISTANT, "a", studioRef={"name": "two"}))
    )
    await world.passed("a", "one", "two")


async def test_our_own_writes_are_news_for_others_only(world: Any) -> None:
    world.start()
    await world.core.filled.wait()
    body = world.kube.put(resource(ASSISTANT, "a"))
    world.core.intake.observe(ASSISTANT, "ADDED", body)
    await world.passed("a", "studio")
    answer = world.kube.set_status(ASSISTANT, "n", "a", {"x": 1})
    world.core.intake.learn(ASSISTANT, answer)
    world.core.intake.observe(ASSISTANT, "MODIFIED", answer)
    await world.passed("studio")
    assert world.passes.empty()
    assert len(world.core.queue) == 0


async def test_a_ghost_is_noticed_by_the_slow_pass(world: Any) -> None:
    """A child deleted while the watch was expired: its owner gets a pass as soon as the list shows it."""
    world.kube.put(resource(STUDIO, "studio"))
    world.kube.put(orchestrator())
    world.start()
    await world.passed("studio")
    world.kube.remove(DEPLOYMENT, "n", "studio-training-orchestrator", silently=True)
    await world.core._slow_pass.once(spread=1000)
    assert world.core.stores.of(DEPLOYMENT).get("n", "studio-training-orchestrator") is None
    await world.passed("studio")


async def test_change_streams_follow_ready_orchestrators(world: Any) -> None:
    world.kube.put(resource(ASSISTANT, "a"))
    world.start()
    await world.passed("a")
    world.core.intake.observe(DEPLOYMENT, "ADDED", world.kube.put(orchestrator(ready=0)))
    assert world.subscribed.empty()
    ready = world.kube.set_status(DEPLOYMENT, "n", "studio-training-orchestrator", {"readyReplicas": 1})
    world.core.intake.observe(DEPLOYMENT, "MODIFIED", ready)
    assert await world.subscribed.get() == Stream("n", "studio", Component.TRAINING_ORCHESTRATOR)
    world.changes.put_nowait(None)
    await world.passed("a")
    world.changes.put_nowait("b")
    await world.passed("b")
    world.changes.put_nowait(Unreachable("gone"))
    assert await world.subscribed.get() == Stream("n", "studio", Component.TRAINING_ORCHESTRATOR)
    world.kube.remove(DEPLOYMENT, "n", "studio-training-orchestrator")
    world.core.intake.observe(DEPLOYMENT, "DELETED", {**ready, "metadata": {**ready["metadata"]}})
    assert wanted(world.core.stores) == set()
    assert not world.core._streams._tasks


async def test_what_becomes_of_a_run_is_looked_at_for_the_slots_of_its_studio(world: Any) -> None:
    world.start()
    running = orchestrator(Component.RUNNING_ORCHESTRATOR)
    world.core.intake.observe(DEPLOYMENT, "ADDED", world.kube.put(running))
    assert await world.subscribed.get() == Stream("n", "studio", Component.RUNNING_ORCHESTRATOR)
    await world.passed("studio")
    world.changes.put_nowait("b")
    await world.passed("b", "studio")


def test_a_deployment_without_its_studio_is_no_orchestrator() -> None:
    core = Core(FakeKube(), WATCHED, World().subscribe)
    body = orchestrator()
    del body["metadata"]["labels"][PART_OF]
    core.stores.of(DEPLOYMENT).observe("ADDED", {**body, "metadata": {**body["metadata"], "resourceVersion": "1"}})
    assert wanted(core.stores) == set()


async def test_a_pass_that_never_returns_is_complained_of(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "LONGEST_PASS_SECONDS", 0.0)

    async def never_returns(key: Key) -> float | None:
        world.passes.put_nowait(key)
        await asyncio.Event().wait()
        return None

    world.core.reconcile_with(never_returns)
    world.kube.put(resource(ASSISTANT, "a"))
    world.core.liveness.lead()
    assert world.core.liveness.complaints() == []
    world.start()
    await world.passed("a")
    (complaint,) = world.core.liveness.complaints()
    assert complaint.startswith("a pass has been running for ")


def test_a_watch_that_is_never_opened_is_complained_of(monkeypatch: pytest.MonkeyPatch) -> None:
    core, now = Core(FakeKube(), WATCHED, World().subscribe), 0.0
    for part in (core.liveness, core.activity):
        monkeypatch.setattr(part, "_clock", lambda: now)
    core.liveness.lead()
    now = liveness.WATCH_SILENCE_SECONDS + 1
    for entry in WATCHED:
        if entry.kind != ASSISTANT:
            core.activity.opened(entry.kind.path())
    assert core.liveness.complaints() == ["the watch of assistants is dead"]
    core.activity.opened(ASSISTANT.path())
    assert core.liveness.complaints() == []
