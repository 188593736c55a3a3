"""Warming against a real database: what is queued, given up, assigned, and told."""

import asyncio
from typing import Any

import pytest
from prometheus_client import REGISTRY
from tests.fakes.kube import FakeKube
from tests.support.patience import STUCK_SECONDS
from tests.support.serving import serving
from tests.unit.services.orchestrators.models import model
from tests.unit.services.orchestrators.running_stage import FakeTrackers, add_model, make_ready, put, served
from tests.unit.services.orchestrators.world import PROCESS, UID, World, desired_running, fingerprint

from studio.contract.model_service import AwaitedModel, WarmTicket
from studio.model_service import queue
from studio.model_service.claiming import COLUMNS
from studio.model_service.items import Item, Lease
from studio.model_service.jobs.parts import Attempt
from studio.model_service.orchestrators import registry
from studio.model_service.orchestrators.orchestrator import Background
from studio.model_service.orchestrators.running.process import build
from studio.model_service.orchestrators.running.reconciler import Reconciler
from studio.model_service.orchestrators.running.warmer import Warmer
from studio.model_service.orchestrators.training import line
from studio.model_service.queue import CHANGES_CHANNEL

ON: dict[str, Any] = {"warming": True}


@pytest.fixture
def warmer(world: World) -> Warmer:
    return Warmer(world.made.pool)


async def train(
    world: World, content: str = "a", *, uid: str = UID, name: str = "concierge", image: str = "engine:1"
) -> Lease:
    """A training whose engine is at work."""
    number = await world.made.pool.fetchval("select count(*) from items")
    async with world.made.pool.acquire() as conn, conn.transaction():
        await queue.insert(
            conn, id=f"{name}-t{number}", kind="training", uid=uid, assistant=name, fingerprint=fingerprint(content),
            spec={"engine": {"image": image}}, spec_digest="d", who="test",
        )  # fmt: skip
    lease = await world.queue.claim("training", f"trainer-{number}")
    assert lease is not None
    await world.queue.update(lease, reason="Training")
    return lease


async def trained(world: World, lease: Lease, version: int, content: str = "a") -> None:
    await add_model(world, version, content)
    await world.queue.finish(lease, "Succeeded", "Trained")


async def runs(world: World) -> list[Item]:
    rows = await world.made.pool.fetch(f"select {COLUMNS} from items where kind = 'run' order by seq")
    return [Item(**row) for row in rows]


async def warmed(world: World, warmer: Warmer, holder: str = "c0") -> Lease:
    """An engine that waits for its model."""
    await world.queue.present("run", holder)
    await warmer.look()
    lease = await world.queue.claim("run", holder)
    assert lease is not None
    assert lease.item.state == "Warming"
    await world.queue.update(lease, reason="Warm")
    return lease


async def fresh(world: World, lease: Lease) -> Item:
    item = await world.queue.get(lease.item.id)
    assert item is not None
    return item


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("studio_run_warmings_total", {"outcome": outcome}) or 0.0


async def test_a_claim_during_the_look_is_no_lack_of_room(
    studio: World, warmer: Warmer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row was read as waiting, the consumer as busy: with what it is busy, is this very engine."""
    await put(studio, **ON)
    await train(studio)
    await studio.queue.present("run", "c0")
    await warmer.look()
    measured, claimed = line.measured, list[Lease | None]()

    async def meanwhile(conn: Any) -> Any:
        claimed.append(await studio.queue.claim("run", "c0"))
        return await measured(conn)

    monkeypatch.setattr(line, "measured", meanwhile)
    await warmer.look()
    (lease,) = claimed
    assert lease is not None
    assert not (await fresh(studio, lease)).stop_requested


async def test_from_the_training_to_the_swap(
    studio: World, kube: FakeKube, reconciler: Reconciler, warmer: Warmer
) -> None:
    await put(studio, **ON)
    await add_model(studio, 1)
    await reconciler.reconcile(UID)
    old = await make_ready(studio, "c0")
    await reconciler.reconcile(UID)
    await put(studio, content="b", **ON)
    training = await train(studio, "b")
    before = counted("used")
    warm = await warmed(studio, warmer, "c1")
    assert await reconciler.reconcile(UID) is not None, "the flip settles"
    observed = await put(studio, content="b", **ON)
    assert observed["warming"]["id"] == warm.item.id
    assert (observed["warming"]["state"], observed["warming"]["model_version"]) == ("Warming", "")
    assert observed["serving"]["id"] == observed["newest"]["id"] == old.item.id
    assert served(kube) == old.item.id
    held = (await studio.operator("GET", "/v1/slots"))[1]["held"]
    assert [(slot["run"], slot["state"]) for slot in held] == [(old.item.id, "Ready"), (warm.item.id, "Warming")]

    await trained(studio, training, 2, "b")
    await reconciler.reconcile(UID)
    item = await fresh(studio, warm)
    assert (item.state, item.reason, item.model_version, item.attempt) == ("Starting", "Assigned", 2, 1)
    assert (item.holder, item.priority, item.spec["model_sha256"]) == ("c1", 0, model(2).sha256)
    assert served(kube) == old.item.id
    assert counted("used") == before + 1
    await warmer.look()
    assert [run.id for run in await runs(studio)] == [old.item.id, warm.item.id], "no other run"
    await studio.queue.update(warm, state="Ready", reason="Ready")
    await reconciler.reconcile(UID)
    assert served(kube) == warm.item.id
    observed = await put(studio, content="b", **ON)
    assert observed["warming"] is None
    assert observed["serving"]["model_version"] == "2"
    reasons = await studio.made.pool.fetch(
        "select reason, who from transitions where item = $1 order by seq", warm.item.id
    )
    told = ["Requested", "Claimed", "Warm", "Assigned", "Ready"]
    assert [row["reason"] for row in reasons] == told
    assert {row["who"] for row in reasons} == {"running-orchestrator", "c1"}


async def test_a_new_assistant_is_warmed_from_the_image(studio: World, reconciler: Reconciler, warmer: Warmer) -> None:
    await put(studio, **ON)
    await train(studio)
    warm = await warmed(studio, warmer)
    ticket = await _post(studio, warm, "warm")
    assert WarmTicket.model_validate(ticket).warm_with is None
    assert (await _post(studio, warm, "start", status=409))["detail"].endswith("is still being trained")
    await reconciler.reconcile(UID)
    assert (await fresh(studio, warm)).state == "Warming"


@pytest.mark.parametrize(
    ("image", "members", "expected"),
    [
        ("engine:1", ["metadata.json"], "1"),
        ("engine:2", ["metadata.json"], None),
        ("engine:1", ["components/train_DIETClassifier4/DIETClassifier.tf_model.index"], None),
    ],
)
async def test_what_it_is_warmed_with(
    studio: World, reconciler: Reconciler, image: str, members: list[str], expected: str | None
) -> None:
    warmer = Warmer(studio.made.pool)
    await put(studio, **ON)
    await add_model(studio, 1)
    await studio.made.pool.execute("update models set members = $1", members)
    await reconciler.reconcile(UID)
    await make_ready(studio, "c0")
    await reconciler.reconcile(UID)
    await put(studio, content="b", **ON)
    await train(studio, "b", image=image)
    warm = await warmed(studio, warmer, "c1")
    ticket = WarmTicket.model_validate(await _post(studio, warm, "warm"))
    assert (ticket.warm_with.model_version if ticket.warm_with else None) == expected
    assert ticket.tracker_store.username


@pytest.mark.parametrize(
    "change",
    [
        {"mode": "Never"},
        {"paused": True},
        {"warming": False},
        {"actions_url": "http://x"},
        {"model": "1"},
    ],
    ids=str,
)
async def test_a_changed_wish_gives_it_up(studio: World, warmer: Warmer, change: dict[str, Any]) -> None:
    await put(studio, **ON)
    await train(studio)
    warm = await warmed(studio, warmer)
    await warmer.look()
    assert not (await fresh(studio, warm)).stop_requested
    await put(studio, **{**ON, **change})
    await warmer.look()
    item = await fresh(studio, warm)
    assert (item.stop_requested, item.stop_reason) == (True, "GivenUp")
    assert item.stop_message == "another engine, or another way to run it, is wanted now"
    await studio.queue.finish(warm, "Stopped", "GivenUp")
    await warmer.look()
    assert len(await runs(studio)) == 1, "one try for a training"


@pytest.mark.parametrize("end", ["Failed", "Cancelled", "Superseded"])
async def test_the_end_of_its_training_gives_it_up(
    studio: World, reconciler: Reconciler, warmer: Warmer, end: str
) -> None:
    await put(studio, **ON)
    training = await train(studio)
    warm = await warmed(studio, warmer)
    await studio.queue.finish(training, end, end)
    await reconciler.reconcile(UID)
    assert not (await fresh(studio, warm)).stop_requested
    await warmer.look()
    assert (await fresh(studio, warm)).stop_message == "there is no training any more whose model it could take"


async def test_an_engine_is_handed_over_to_the_training_that_supersedes(studio: World, warmer: Warmer) -> None:
    await put(studio, **ON)
    first = await train(studio)
    warm = await warmed(studio, warmer)
    await studio.queue.finish(first, "Superseded", "Superseded")
    await train(studio, "b")
    await warmer.look()
    assert not (await fresh(studio, warm)).stop_requested, "the running side hears of the content a moment later"
    await put(studio, content="b", **ON)
    await warmer.look()
    assert not (await fresh(studio, warm)).stop_requested
    assert len(await runs(studio)) == 1


async def test_content_that_is_not_wanted_is_not_warmed_for(studio: World, warmer: Warmer) -> None:
    await put(studio, content="b", **ON)
    await train(studio, "a")
    await studio.queue.present("run", "c0")
    await warmer.look()
    assert await runs(studio) == []


async def test_after_the_success_of_its_training_it_waits_a_moment(studio: World, warmer: Warmer) -> None:
    await put(studio, **ON)
    training = await train(studio)
    warm = await warmed(studio, warmer)
    await trained(studio, training, 1)
    assert 0 < (await warmer.look() or 0) <= 10
    assert not (await fresh(studio, warm)).stop_requested
    await studio.made.pool.execute("update items set finished_at = now() - interval '11 s' where kind = 'training'")
    await warmer.look()
    assert (await fresh(studio, warm)).stop_requested


async def test_it_yields_to_a_run_that_has_its_model(studio: World, warmer: Warmer) -> None:
    await put(studio, **ON)
    await train(studio)
    warm = await warmed(studio, warmer)
    await _another_run(studio)
    await warmer.look()
    item = await fresh(studio, warm)
    assert (item.stop_reason, item.stop_message) == ("GivenUp", "a run that has its model needs the slot")
    await studio.queue.finish(warm, "Stopped", "GivenUp")
    real = await studio.queue.claim("run", "c0")
    assert real is not None
    assert real.item.assistant == "other"


@pytest.mark.parametrize(
    ("reason", "message", "given_up"),
    [
        ("Unschedulable", "0/3 nodes are available: 3 Insufficient memory.", True),
        ("QuotaExceeded", "exceeded quota: studio", True),
        ("Unschedulable", "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.", False),
        ("Starting", "", False),
    ],
)
async def test_it_makes_room_for_what_the_cluster_has_none_for(
    studio: World, warmer: Warmer, reason: str, message: str, given_up: bool
) -> None:
    await put(studio, **ON)
    await train(studio)
    await studio.queue.present("run", "c1")
    warm = await warmed(studio, warmer)
    await _another_run(studio)
    real = await studio.queue.claim("run", "c1")
    assert real is not None
    await studio.queue.update(real, reason=reason, message=message)
    await warmer.look()
    item = await fresh(studio, warm)
    assert (item.stop_reason == "GivenUp", "no room" in item.stop_message) == (given_up, given_up)


async def test_what_has_its_model_is_claimed_first(studio: World, warmer: Warmer) -> None:
    await put(studio, **ON)
    await train(studio)
    await studio.queue.present("run", "c0")
    await warmer.look()
    await _another_run(studio)
    lease = await studio.queue.claim("run", "c0")
    assert lease is not None
    assert (lease.item.assistant, lease.item.state) == ("other", "Starting")
    await warmer.look()
    assert [(run.assistant, run.state) for run in await runs(studio)] == [
        ("concierge", "Stopped"),
        ("other", "Starting"),
    ]


@pytest.mark.parametrize("consumers", [[], ["c0"]])
async def test_without_a_free_slot_nothing_is_warmed(
    studio: World, reconciler: Reconciler, warmer: Warmer, consumers: list[str]
) -> None:
    await put(studio, **ON)
    await add_model(studio, 1)
    await reconciler.reconcile(UID)
    if consumers:
        await make_ready(studio, "c0")
    await put(studio, content="b", **ON)
    await train(studio, "b")
    await warmer.look()
    assert len(await runs(studio)) == 1


async def test_a_long_training_is_looked_at_when_its_end_is_near(studio: World, warmer: Warmer) -> None:
    await put(studio, **ON)
    await add_model(studio, 1)
    await studio.made.pool.execute("update models set seconds = 300")
    await put(studio, content="b", **ON)
    await train(studio, "b")
    await studio.queue.present("run", "c0")
    again = await warmer.look()
    assert again is not None
    assert 230 < again <= 240
    assert await runs(studio) == []
    await studio.made.pool.execute("update items set started_at = now() - interval '250 s'")
    await warmer.look()
    assert [run.state for run in await runs(studio)] == ["Queued"]


async def test_what_waits_in_line_is_not_asked_about(
    studio: World, warmer: Warmer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(studio, **ON)
    await train(studio)
    desired = desired_running(uid="other-uid", name="other", **ON)
    await studio.operator("PUT", "/v1/assistants/other", json=desired.model_dump())
    async with studio.made.pool.acquire() as conn, conn.transaction():
        await queue.insert(
            conn, id="other-t1", kind="training", uid="other-uid", assistant="other", fingerprint="f",
            spec={"engine": {"image": "engine:1"}}, spec_digest="d", who="test",
        )  # fmt: skip
    await studio.queue.present("run", "c0")
    asked, ask = set[str](), registry.assistant

    async def noted(conn: Any, uid: str, **rest: Any) -> Any:
        asked.add(uid)
        return await ask(conn, uid, **rest)

    monkeypatch.setattr(registry, "assistant", noted)
    await warmer.look()
    assert asked == {UID}
    assert [run.assistant for run in await runs(studio)] == ["concierge"]


@pytest.mark.parametrize("reason", ["Claimed", "Pulling", "Unschedulable", "Suspended"])
async def test_a_training_whose_engine_does_not_work_yet_warms_nothing(
    studio: World, warmer: Warmer, reason: str
) -> None:
    await put(studio, **ON)
    training = await train(studio)
    await studio.queue.update(training, reason=reason)
    await studio.queue.present("run", "c0")
    await warmer.look()
    assert await runs(studio) == []


async def test_at_rest_nothing_is_written(studio: World, warmer: Warmer) -> None:
    await put(studio, **ON)
    await train(studio)
    await warmed(studio, warmer)
    audit = await studio.made.pool.fetchval("select max(seq) from transitions")
    for _ in range(3):
        await warmer.look()
    assert await studio.made.pool.fetchval("select max(seq) from transitions") == audit


async def test_several_at_once_warm_one(studio: World, warmer: Warmer) -> None:
    await put(studio, **ON)
    await train(studio)
    for holder in ("c0", "c1", "c2"):
        await studio.queue.present("run", holder)
    await asyncio.gather(*(warmer.look() for _ in range(5)))
    await warmer.look()
    assert len(await runs(studio)) == 1


async def test_a_model_for_what_no_consumer_has_taken_is_an_ordinary_run(
    studio: World, reconciler: Reconciler, warmer: Warmer
) -> None:
    await put(studio, **ON)
    training = await train(studio)
    await studio.queue.present("run", "c0")
    await warmer.look()
    await trained(studio, training, 1)
    await reconciler.reconcile(UID)
    (run,) = await runs(studio)
    assert (run.state, run.model_version, run.priority, run.reason) == ("Queued", 1, 0, "Assigned")
    lease = await studio.queue.claim("run", "c0")
    assert lease is not None
    assert lease.item.state == "Starting"


async def test_a_lost_engine_leaves_the_cold_way(studio: World, reconciler: Reconciler, warmer: Warmer) -> None:
    await put(studio, **ON)
    training = await train(studio)
    warm = await warmed(studio, warmer)
    await studio.queue.finish(warm, "Failed", "PodDeleted", expected="Warming")
    await trained(studio, training, 1)
    await reconciler.reconcile(UID)
    assert [(run.state, run.model_version) for run in await runs(studio)] == [("Failed", None), ("Queued", 1)]


async def test_what_was_assigned_meanwhile_does_not_end_as_lost(
    studio: World, reconciler: Reconciler, warmer: Warmer
) -> None:
    await put(studio, **ON)
    training = await train(studio)
    warm = await warmed(studio, warmer)
    await trained(studio, training, 1)
    await reconciler.reconcile(UID)
    item = await studio.queue.finish(warm, "Failed", "PodDeleted", expected="Warming")
    assert (item.state, item.holder) == ("Starting", "c0")


async def test_it_looks_when_something_has_changed(
    studio: World, warmer: Warmer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.model_service.orchestrators.running.warmer.SLOW_PASS_SECONDS", 10 * STUCK_SECONDS)
    async with studio.made.listener(CHANGES_CHANNEL) as listener, Background() as background:
        background.run("warming", lambda: warmer.follow(listener))
        await studio.queue.present("run", "c0")
        await put(studio, **ON)
        await train(studio)
        async with asyncio.timeout(STUCK_SECONDS):
            while not await runs(studio):  # noqa: ASYNC110 - the database is another process
                await asyncio.sleep(0.01)


async def test_a_database_that_is_away_is_asked_again(
    studio: World, warmer: Warmer, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    async def look() -> float | None:
        nonlocal looks
        looks += 1
        if looks < 3:
            raise OSError("the database is away")
        return None

    monkeypatch.setattr(warmer, "look", look)
    async with studio.made.listener(CHANGES_CHANNEL) as listener, Background() as background:
        background.run("warming", lambda: warmer.follow(listener))
        async with asyncio.timeout(STUCK_SECONDS):
            while looks < 3:  # noqa: ASYNC110 - nothing is told
                await asyncio.sleep(0.01)


async def test_the_model_is_told_at_once(world: World, warmer: Warmer, reconciler: Reconciler) -> None:
    app, changes = build(world.made, world.store, FakeTrackers(), world.access("run"), PROCESS)  # type: ignore[arg-type]
    async with serving(app) as base, Background() as background, world.made.listener(CHANGES_CHANNEL) as listener:
        world.base = base
        background.run("changes", lambda: changes.follow(listener))
        await put(world, **ON)
        training = await train(world)
        warm = await warmed(world, warmer)
        waiting = asyncio.create_task(_post(world, warm, "model"))
        await asyncio.wait({waiting}, timeout=0.1)
        assert not waiting.done()
        await trained(world, training, 1)
        await reconciler.reconcile(UID)
        async with asyncio.timeout(STUCK_SECONDS):
            ticket = AwaitedModel.model_validate(await waiting).model
        assert ticket is not None
        assert (ticket.model_version, ticket.model.sha256) == ("1", model(1).sha256)
        assert ticket.members == ["m"]


async def _another_run(world: World) -> None:
    desired = desired_running(uid="other-uid", name="other")
    await world.operator("PUT", "/v1/assistants/other", json=desired.model_dump())
    async with world.made.pool.acquire() as conn, conn.transaction():
        await queue.insert(
            conn, id="other-r1", kind="run", uid="other-uid", assistant="other", fingerprint="f",
            spec=desired.model_dump(mode="json"), spec_digest="d", who="test", model_version=1,
        )  # fmt: skip


async def _post(world: World, lease: Lease, action: str, *, status: int = 200) -> dict[str, Any]:
    """What the helper of an attempt is told."""
    job = Attempt(lease.item.id, lease.item.attempt, 1).job
    path = f"/v1/runs/{lease.item.id}/attempts/{lease.item.attempt}/{action}"
    found, answer = await world.helper(job, "run")("POST", path, json={})
    assert found == status, answer
    return dict(answer)
