"""The training orchestrator over HTTP, from the wish to the model."""

import asyncio
import hashlib
import io
import json
import tarfile
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from tests.support.patience import STUCK_SECONDS
from tests.support.serving import Client, serving
from tests.unit.services.orchestrators.world import OPERATOR, PROCESS, UID, World, desired_training, fingerprint

from studio.contract import names
from studio.contract.model_service import DesiredTraining, EnginePod, Progress
from studio.model_service import queue
from studio.model_service.items import Lease
from studio.model_service.orchestrators import garbage
from studio.model_service.orchestrators.orchestrator import Background
from studio.model_service.orchestrators.training import line
from studio.model_service.orchestrators.training.estimates import Line
from studio.model_service.orchestrators.training.process import build
from studio.model_service.orchestrators.training.requests import training_digest
from studio.model_service.orchestrators.training.service import TrainingService
from studio.model_service.queue import CHANGES_CHANNEL, ITEM_CHANNEL, QUEUE_CHANNEL

PATH = "/v1/assistants/concierge"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def archive(text: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo("config.yml")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


@pytest.fixture
async def studio(world: World) -> AsyncIterator[World]:
    app, service, changes = build(world.made, world.store, world.access("training"), PROCESS)
    world.extra["service"] = service
    async with serving(app) as base, world.made.listener(CHANGES_CHANNEL) as listener, Background() as background:
        background.run("changes", lambda: changes.follow(listener))
        world.base = base
        yield world


async def put(world: World, desired: DesiredTraining) -> dict[str, Any]:
    status, observed = await world.operator("PUT", f"/v1/assistants/{desired.name}", json=desired.model_dump())
    assert status == 200, observed
    return dict(observed)


async def put_content(world: World, content: str, data: bytes | None = None, name: str = "concierge") -> int:
    data = data if data is not None else content.encode()
    status, _ = await world.operator(
        "PUT", f"/v1/assistants/{name}/content/{fingerprint(content)}", data=data,
        headers={"X-Content-SHA256": sha256(data)},
    )  # fmt: skip
    return status


async def want(world: World, content: str = "a", **changes: Any) -> dict[str, Any]:
    """Desired state and content, as the operator sends them."""
    desired = desired_training(content, **changes)
    observed = await put(world, desired)
    if observed["needs_content"]:
        assert await put_content(world, content, name=desired.name) == 204
        observed = await put(world, desired)
    return observed


async def claim(world: World, holder: str = "c0") -> Lease:
    lease = await world.queue.claim("training", holder)
    assert lease is not None
    return lease


async def upload(world: World, lease: Lease, model: bytes = b"model", *, attempt: int = 1) -> tuple[Client, Any]:
    helper = world.helper(names.job(lease.item.id, attempt))
    base = f"/v1/trainings/{lease.item.id}/attempts/{attempt}"
    log = b"Epochs: 100%"
    status, ticket = await helper(
        "POST", f"{base}/upload",
        json={"model": {"sha256": sha256(model), "size": len(model)}, "log": {"sha256": sha256(log), "size": len(log)}},
    )  # fmt: skip
    assert status == 200, ticket
    world.store.upload(ticket["model_url"], model)
    world.store.upload(ticket["log_url"], log)
    return helper, {"model": {"sha256": sha256(model), "size": len(model)}, "members": ["a", "b"], "seconds": 1.5}


async def train(world: World, model: bytes = b"model") -> Lease:
    """All that a consumer and its helper do for the next training."""
    lease = await claim(world)
    helper, result = await upload(world, lease, model)
    status, answer = await helper("POST", f"/v1/trainings/{lease.item.id}/attempts/1/result", json=result)
    assert status == 204, answer
    await world.queue.finish(lease, "Succeeded", "Trained")
    return lease


async def test_from_the_wish_to_the_model(studio: World) -> None:
    observed = await put(studio, desired_training())
    assert observed == {
        "needs_content": True,
        "training": None,
        "model": None,
        "latest_model": None,
        "cache_hit": False,
    }
    assert await put_content(studio, "a") == 204
    observed = await put(studio, desired_training())
    assert not observed["needs_content"]
    assert observed["training"]["state"] == "Queued"
    assert observed["training"]["position"] == 1

    lease = await claim(studio)
    helper = studio.helper(names.job(lease.item.id, 1))
    status, ticket = await helper("POST", f"/v1/trainings/{lease.item.id}/attempts/1/fetch")
    assert status == 200
    assert studio.store.download(ticket["url"]) == b"a"
    assert (ticket["sha256"], ticket["size"]) == (sha256(b"a"), 1)

    helper, result = await upload(studio, lease)
    for _ in range(2):  # the answer may be lost
        assert (await helper("POST", f"/v1/trainings/{lease.item.id}/attempts/1/result", json=result))[0] == 204
    assert await studio.queue.model_of(lease.item) == 1
    await studio.queue.finish(lease, "Succeeded", "Trained")
    # Once more after the end, by a helper that was slow.
    assert (await helper("POST", f"/v1/trainings/{lease.item.id}/attempts/1/result", json=result))[0] == 204

    observed = await put(studio, desired_training())
    assert observed["model"]["version"] == "1"
    assert observed["model"] == observed["latest_model"]
    assert observed["training"]["model_version"] == "1"
    assert await studio.made.pool.fetchval("select count(*) from items") == 1
    assert await studio.made.pool.fetchval("select count(*) from garbage") == 0
    status, text = await studio.operator("GET", f"/v1/trainings/{lease.item.id}/log")
    assert (status, text) == (200, "Epochs: 100%")
    status, models = await studio.operator("GET", "/v1/models?assistant=concierge")
    assert [model["sha256"] for model in models] == [sha256(b"model")]


async def test_content_that_the_store_has_lost_is_brought_again(studio: World) -> None:
    await want(studio)
    lease = await claim(studio)
    helper, path = studio.helper(names.job(lease.item.id, 1)), f"/v1/trainings/{lease.item.id}/attempts/1/fetch"
    assert (await helper("POST", path, json={"missing": True}))[0] == 200, "nothing is missing"
    studio.store.broken = True
    assert (await helper("POST", path, json={"missing": True}))[0] == 503
    assert not (await put(studio, desired_training()))["needs_content"]
    studio.store.broken = False
    studio.store.objects.clear()
    for _ in range(2):
        status, problem = await helper("POST", path, json={"missing": True})
        assert (status, "brought again" in problem["detail"]) == (503, True)
    observed = await want(studio)
    assert observed["training"]["id"] == lease.item.id
    assert (await helper("POST", path, json={"missing": True}))[0] == 200
    assert await studio.made.pool.fetchval("select count(*) from garbage") == 0


async def test_a_model_that_the_store_has_lost_is_trained_again(studio: World) -> None:
    await want(studio)
    lease = await train(studio)
    by_hand = {"assistant": "concierge"}
    status, hit = await studio.operator("POST", "/v1/trainings", json=by_hand)
    assert (status, hit["reason"]) == (200, "CacheHit")
    studio.store.objects = {key: data for key, data in studio.store.objects.items() if not key.startswith("models/")}
    status, training = await studio.operator("POST", "/v1/trainings", json=by_hand)
    assert (status, training["state"]) == (201, "Queued")
    await train(studio, b"another")
    observed = await put(studio, desired_training())
    assert (observed["model"]["version"], observed["training"]["id"]) == ("2", training["id"])
    assert training["id"] != lease.item.id
    studio.store.objects.clear()
    status, problem = await studio.operator("POST", "/v1/trainings", json=by_hand)
    assert (status, "ask in a moment" in problem["detail"]) == (503, True)


async def test_the_model_of_wanted_content_that_is_gone_is_trained_again_by_itself(studio: World) -> None:
    await want(studio)
    lease = await train(studio)
    await studio.made.pool.execute("delete from models")
    observed = await want(studio)
    assert observed["training"]["state"] == "Queued"
    _, told = await studio.operator("GET", f"/v1/trainings/{observed['training']['id']}/transitions")
    assert told[0]["message"] == f"the model of {lease.item.id} is not stored any more"


async def test_how_far_a_training_is_is_told(studio: World) -> None:
    await want(studio)
    lease = await claim(studio)
    await studio.queue.update(lease, message="it trains", progress=Progress(step="DIETClassifier", percent=40))
    _, told = await studio.operator("GET", f"/v1/trainings/{lease.item.id}")
    assert told["progress"] == {"step": "DIETClassifier", "percent": 40}
    await studio.queue.finish(lease, "Failed", "OutOfMemory")
    assert (await studio.operator("GET", f"/v1/trainings/{lease.item.id}"))[1]["progress"] is None


async def test_the_same_wish_again_writes_nothing(studio: World) -> None:
    await want(studio)
    before = await studio.made.pool.fetchval("select max(seq) from transitions")
    row = await studio.made.pool.fetchval("select xmin from assistants")
    for _ in range(3):
        await put(studio, desired_training())
    assert await studio.made.pool.fetchval("select max(seq) from transitions") == before
    assert await studio.made.pool.fetchval("select xmin from assistants") == row


async def test_newer_content_supersedes_what_waits(studio: World) -> None:
    first = await want(studio, "a")
    second = await want(studio, "b")
    assert second["training"]["id"] != first["training"]["id"]
    status, old = await studio.operator("GET", f"/v1/trainings/{first['training']['id']}")
    assert (status, old["state"], old["reason"]) == (200, "Superseded", "Superseded")


async def test_newer_content_stops_what_runs_and_waits_for_its_end(studio: World) -> None:
    await want(studio, "a")
    lease = await claim(studio)
    second = await want(studio, "b")
    assert second["training"]["state"] == "Queued"
    fresh = await studio.queue.heartbeat(lease)
    assert fresh is not None
    assert (fresh.stop_requested, fresh.stop_reason) == (True, "Superseded")
    assert await studio.queue.claim("training", "c1") is None
    helper = studio.helper(names.job(lease.item.id, 1))
    status, problem = await helper("POST", f"/v1/trainings/{lease.item.id}/attempts/1/fetch")
    assert (status, "being stopped" in problem["detail"]) == (409, True)
    await studio.queue.finish(lease, "Superseded", "Superseded")
    assert (await claim(studio, "c1")).item.id == second["training"]["id"]
    # And back again to the content whose training was superseded.
    third = await want(studio, "a")
    assert third["training"]["state"] == "Queued"


async def test_content_that_was_trained_before_is_a_cache_hit(studio: World) -> None:
    await want(studio, "a")
    await train(studio, b"model a")
    await want(studio, "b")
    await train(studio, b"model b")
    observed = await put(studio, desired_training("a"))
    assert (observed["model"]["version"], observed["latest_model"]["version"]) == ("1", "2")
    assert (observed["needs_content"], observed["cache_hit"]) == (False, True)
    assert (await put(studio, desired_training("a")))["cache_hit"]
    assert await studio.queue.claim("training", "c") is None
    status, hit = await studio.operator("POST", "/v1/trainings", json={"assistant": "concierge"})
    assert (status, hit["reason"], hit["model"]["version"]) == (200, "CacheHit", "1")


async def test_a_model_that_was_trained_for_the_wish_is_no_cache_hit(studio: World) -> None:
    await want(studio, "a")
    await train(studio)
    for _ in range(2):
        observed = await put(studio, desired_training("a", priority=3))
        assert (observed["model"]["version"], observed["cache_hit"]) == ("1", False)


async def test_settings_with_another_priority_move_what_waits(studio: World) -> None:
    await want(studio)
    await want(studio, "b", uid="uid-b", name="bistro")
    observed = await put(studio, desired_training("b", uid="uid-b", name="bistro", priority=7))
    assert (observed["training"]["position"], observed["training"]["priority"]) == (1, 7)
    assert (await put(studio, desired_training()))["training"]["position"] == 2
    # What somebody sets by hand holds until the settings change.
    path = f"/v1/trainings/{observed['training']['id']}"
    status, view = await studio.operator("POST", f"{path}/priority", json={"priority": -5, "who": "ann"})
    assert (status, view["position"], view["priority"]) == (200, 2, -5)
    observed = await put(studio, desired_training("b", uid="uid-b", name="bistro", priority=7))
    assert observed["training"]["priority"] == -5
    observed = await put(studio, desired_training("b", uid="uid-b", name="bistro", priority=8))
    assert observed["training"]["priority"] == 8
    status, told = await studio.operator("GET", f"{path}/transitions")
    assert [(each["who"], each["reason"], each["message"]) for each in told] == [
        ("operator", "Requested", "the content is new"),
        ("operator", "Reprioritised", "priority 0 became 7"),
        ("ann", "Reprioritised", "priority 7 became -5"),
        ("operator", "Reprioritised", "priority -5 became 8"),
    ]
    status, _ = await studio.operator("POST", f"{path}/priority", json={"priority": 1001})
    assert status == 422
    await claim(studio)
    status, problem = await studio.operator("POST", f"{path}/priority", json={"priority": 1})
    assert (status, "only what is Queued" in problem["detail"]) == (409, True)


MORE_MEMORY = EnginePod(image="engine:1", resources={"limits": {"memory": "3Gi"}})
SETTINGS: dict[str, Any] = {
    "stall_seconds": 5,
    "attempts": 7,
    "queue_name": "batch",
    "succeeded_job_seconds": 1,
    "failed_job_seconds": 2,
    "deadline_seconds": 60,
    "engine": MORE_MEMORY,
}


async def transitions(world: World, item_id: str) -> list[tuple[str, str, str]]:
    _, told = await world.operator("GET", f"/v1/trainings/{item_id}/transitions")
    return [(each["who"], each["reason"], each["message"]) for each in told]


@pytest.mark.parametrize("changed", [*([name] for name in SETTINGS), list(SETTINGS)], ids=",".join)
async def test_settings_reach_what_waits(studio: World, changed: list[str]) -> None:
    """It keeps its age, and what somebody has set by hand."""
    first = (await want(studio))["training"]
    await studio.operator("POST", f"/v1/trainings/{first['id']}/priority", json={"priority": 5, "who": "ann"})
    settings = {name: SETTINGS[name] for name in changed}
    for _ in range(2):  # the second time writes nothing
        seen = (await put(studio, desired_training(**settings)))["training"]
    assert (seen["id"], seen["requested_at"], seen["priority"]) == (first["id"], first["requested_at"], 5)
    assert await transitions(studio, first["id"]) == [
        ("operator", "Requested", "the content is new"),
        ("ann", "Reprioritised", "priority 0 became 5"),
        ("operator", "Requested", "its settings changed while it waited"),
    ]
    lease = await claim(studio)
    assert lease.item.id == first["id"]
    assert DesiredTraining.model_validate(lease.item.spec) == desired_training(**settings)
    assert lease.item.spec_digest == training_digest(desired_training(**settings))


async def test_settings_and_priority_that_change_at_once_reach_what_waits(studio: World) -> None:
    first = (await want(studio))["training"]
    seen = (await put(studio, desired_training(priority=7, engine=MORE_MEMORY)))["training"]
    assert (seen["id"], seen["priority"]) == (first["id"], 7)
    assert [reason for _, reason, _ in await transitions(studio, first["id"])] == [
        "Requested",
        "Reprioritised",
        "Requested",
    ]
    assert DesiredTraining.model_validate((await claim(studio)).item.spec).engine == MORE_MEMORY


async def test_what_is_about_the_assistant_leaves_its_training_as_it_is(studio: World) -> None:
    first = (await want(studio))["training"]
    await put(studio, desired_training(paused=True, trigger="Manual", keep_models=3, keep_trainings=4))
    assert len(await transitions(studio, first["id"])) == 1


async def test_settings_reach_what_runs_when_it_waits_again(studio: World) -> None:
    first = (await want(studio))["training"]
    lease = await claim(studio)
    seen = (await put(studio, desired_training(**SETTINGS)))["training"]
    assert (seen["id"], seen["state"]) == (first["id"], "Running")
    fresh = await studio.queue.heartbeat(lease)
    assert fresh is not None
    assert (fresh.stop_requested, fresh.spec, fresh.spec_digest) == (False, lease.item.spec, lease.item.spec_digest)
    await studio.queue.update(lease, state="Queued", attempt=2, reason="Unschedulable", message="no", retry_in=60)
    seen = (await put(studio, desired_training(**SETTINGS)))["training"]
    assert (seen["id"], seen["reason"]) == (first["id"], "Requested")
    again = await claim(studio)
    assert (again.item.attempt, DesiredTraining.model_validate(again.item.spec)) == (2, desired_training(**SETTINGS))


async def test_other_limits_end_the_pause_after_a_failure(studio: World) -> None:
    await want(studio)
    await studio.queue.finish(await claim(studio), "Failed", "AttemptsExhausted", "no storage")
    paused = (await put(studio, desired_training()))["training"]
    await put(studio, desired_training(stall_seconds=5))
    assert await studio.queue.claim("training", "c0") is None, "that has nothing to do with the failure"
    await put(studio, desired_training(stall_seconds=5, engine=MORE_MEMORY))
    assert (await claim(studio)).item.id == paused["id"]


async def test_settings_do_not_reach_what_is_claimed_meanwhile(studio: World) -> None:
    first = (await want(studio))["training"]
    async with studio.made.pool.acquire() as conn:
        claiming = conn.transaction()
        await claiming.start()
        item = await queue.lock(conn, first["id"])
        assert item is not None
        change = asyncio.create_task(put(studio, desired_training(**SETTINGS)))
        blocked = (
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        )
        async with asyncio.timeout(STUCK_SECONDS):
            while not await studio.made.pool.fetchval(blocked):  # noqa: ASYNC110 - the database tells nobody
                await asyncio.sleep(0.01)
        await queue.change(conn, item, who="c0", state="Running", lease="take", holder="c0", ttl=20)
        await claiming.commit()
    assert (await change)["training"]["id"] == first["id"]
    row = await studio.made.pool.fetchrow("select state, spec, spec_digest from items")
    assert tuple(row) == ("Running", item.spec, item.spec_digest)


async def test_what_waits_says_for_what_and_how_long(studio: World) -> None:
    await want(studio, "a")
    await train(studio)
    observed = await want(studio, "b")
    told = observed["training"]
    assert (told["waits_for"], told["starts_in"]) == ("it is next; no training consumer is there", None)
    await studio.queue.present("training", "c0")
    await want(studio, "c", uid="uid-b", name="bistro")
    await claim(studio)
    observed = await put(studio, desired_training("b"))
    assert observed["training"]["waits_for"] == "it is next; the only consumer is busy"
    assert 0 < observed["training"]["starts_in"] <= 1.5  # what the first training took
    lease = await studio.queue.claim("training", "c1")
    assert lease is not None
    observed = await put(studio, desired_training("b"))
    assert (observed["training"]["waits_for"], observed["training"]["starts_in"]) == ("", None)


async def test_the_line_is_read_once_after_each_change_for_everybody(
    studio: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = 0
    read = line.read

    async def counted(conn: asyncpg.Connection) -> Line:
        nonlocal reads
        reads += 1
        return await read(conn)

    monkeypatch.setattr(line, "read", counted)
    monkeypatch.setattr(line, "_FRESH_SECONDS", 1000.0)
    await want(studio, "a")
    await want(studio, "b", uid="uid-b", name="bistro")
    at_first = reads
    for _ in range(5):
        assert (await put(studio, desired_training()))["training"]["position"] == 1
        observed = await put(studio, desired_training("b", uid="uid-b", name="bistro"))
        assert observed["training"]["position"] == 2
    assert reads == at_first
    await claim(studio)
    observed = await put(studio, desired_training("b", uid="uid-b", name="bistro"))
    assert (observed["training"]["position"], reads) == (1, at_first + 1)


async def test_the_line_is_read_again_after_a_change_that_was_committed_late(
    studio: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its entry in the audit has a lower number than what was read last."""
    monkeypatch.setattr(line, "_FRESH_SECONDS", 1000.0)
    await want(studio, "a")
    observed = await want(studio, "b", uid="uid-b", name="bistro")
    later = await want(studio, "c", uid="uid-c", name="cafe")
    async with studio.made.pool.acquire() as conn:
        slow = conn.transaction()
        await slow.start()
        item = await queue.lock(conn, observed["training"]["id"])
        assert item is not None
        await queue.reprioritise(conn, item, 7, who="ann")
        await studio.operator("POST", f"/v1/trainings/{later['training']['id']}/priority", json={"priority": 3})
        assert (await put(studio, desired_training()))["training"]["position"] == 2
        await slow.commit()
    assert (await put(studio, desired_training()))["training"]["position"] == 3


async def test_a_training_that_ended_is_repeated_by_hand(studio: World) -> None:
    item_id = (await want(studio))["training"]["id"]
    path = f"/v1/trainings/{item_id}/retry"
    status, problem = await studio.operator("POST", path)
    assert (status, "only one that has ended" in problem["detail"]) == (409, True)
    await studio.queue.finish(await claim(studio), "Failed", "InvalidContent", "no")
    status, again = await studio.operator("POST", path, json={"who": "ann"})
    assert (status, again["state"], again["message"]) == (201, "Queued", f"repeats {item_id}, which ended Failed")
    assert (await studio.operator("POST", path))[1]["id"] == again["id"]
    _, told = await studio.operator("GET", f"/v1/trainings/{again['id']}/transitions")
    assert [(each["who"], each["from_state"], each["to_state"]) for each in told] == [("ann", None, "Queued")]
    await train(studio)
    status, hit = await studio.operator("POST", path)
    assert (status, hit["reason"]) == (200, "CacheHit")
    await put(studio, desired_training("b"))
    status, problem = await studio.operator("POST", path)
    assert (status, "wants other content" in problem["detail"]) == (409, True)


async def test_bad_content_is_not_trained_again_by_itself(studio: World) -> None:
    await want(studio)
    lease = await claim(studio)
    await studio.queue.finish(lease, "Failed", "InvalidContent", "domain.yml: no such slot")
    observed = await put(studio, desired_training())
    assert (observed["training"]["state"], observed["training"]["message"]) == ("Failed", "domain.yml: no such slot")
    assert await studio.queue.claim("training", "c") is None
    # With other limits it is, and by hand.
    observed = await put(
        studio, desired_training(engine=EnginePod(image="engine:1", resources={"limits": {"memory": "3Gi"}}))
    )
    assert observed["training"]["state"] == "Queued"
    await studio.queue.finish(await claim(studio), "Failed", "InvalidContent", "no")
    status, view = await studio.operator("POST", "/v1/trainings", json={"assistant": "concierge"})
    assert (status, view["state"]) == (201, "Queued")


async def test_trouble_outside_of_the_content_is_tried_again_later(studio: World) -> None:
    await want(studio)
    await studio.queue.finish(await claim(studio), "Failed", "AttemptsExhausted", "no storage")
    observed = await put(studio, desired_training())
    assert observed["training"]["state"] == "Queued"
    assert await studio.queue.claim("training", "c") is None
    wait = await studio.made.pool.fetchval(
        "select extract(epoch from retry_at - now())::float8 from items where state = 'Queued'"
    )
    assert 50 < wait <= 60


async def test_manual_trigger_and_pause_queue_nothing(studio: World) -> None:
    observed = await want(studio, trigger="Manual")
    assert observed["training"] is None
    observed = await want(studio, paused=True)
    assert observed["training"] is None
    status, view = await studio.operator("POST", "/v1/trainings", json={"assistant": "concierge"})
    assert (status, view["state"]) == (201, "Queued")


async def test_cancel(studio: World) -> None:
    observed = await want(studio)
    item_id = observed["training"]["id"]
    lease = await claim(studio)
    status, view = await studio.operator("POST", f"/v1/trainings/{item_id}/cancel")
    assert (status, view["state"]) == (200, "Running")
    # The operator looks while it is being stopped: nobody has asked for another one.
    assert (await put(studio, desired_training()))["training"]["id"] == item_id
    await studio.queue.finish(lease, "Cancelled", "Cancelled")
    ended = (await put(studio, desired_training()))["training"]
    assert (ended["state"], ended["message"]) == ("Cancelled", f"cancelled by {OPERATOR}")
    assert await studio.queue.claim("training", "c") is None


async def test_one_that_is_being_cancelled_is_asked_for_again_by_hand_or_with_other_settings(studio: World) -> None:
    await want(studio)
    await claim(studio)
    first = (await put(studio, desired_training()))["training"]["id"]
    await studio.operator("POST", f"/v1/trainings/{first}/cancel")
    roomy = EnginePod(image="engine:1", resources={"limits": {"memory": "3Gi"}})
    second = (await put(studio, desired_training(engine=roomy)))["training"]
    assert (second["id"] != first, second["state"]) == (True, "Queued")
    await studio.operator("POST", f"/v1/trainings/{second['id']}/cancel")
    status, third = await studio.operator("POST", "/v1/trainings", json={"assistant": "concierge"})
    assert (status, third["state"]) == (201, "Queued")


@pytest.mark.parametrize("verifies", [True, False])
async def test_a_result_is_compared_with_what_is_stored(studio: World, verifies: bool) -> None:
    studio.store.verifies = verifies
    await want(studio)
    lease = await claim(studio)
    helper, result = await upload(studio, lease)
    path = f"/v1/trainings/{lease.item.id}/attempts/1/result"
    for wrong, word in (({"sha256": sha256(b"x"), "size": 5}, "sha256"), ({"sha256": sha256(b"x"), "size": 6}, "size")):
        status, problem = await helper("POST", path, json={**result, "model": wrong})
        assert (status, f"model.{word}" in problem["detail"]) == (422, True)
    assert await studio.queue.model_of(lease.item) is None


async def test_nothing_uploaded(studio: World) -> None:
    await want(studio)
    lease = await claim(studio)
    helper = studio.helper(names.job(lease.item.id, 1))
    status, problem = await helper(
        "POST", f"/v1/trainings/{lease.item.id}/attempts/1/result",
        json={"model": {"sha256": sha256(b"x"), "size": 1}, "members": [], "seconds": 1},
    )  # fmt: skip
    assert (status, "nothing was uploaded" in problem["detail"]) == (422, True)


async def test_an_attempt_that_was_replaced_is_refused(studio: World) -> None:
    await want(studio)
    lease = await claim(studio)
    helper, result = await upload(studio, lease)
    await studio.queue.update(lease, attempt=2)
    status, problem = await helper("POST", f"/v1/trainings/{lease.item.id}/attempts/1/result", json=result)
    assert (status, "replaced by attempt 2" in problem["detail"]) == (409, True)
    second, result = await upload(studio, lease, attempt=2)
    assert (await second("POST", f"/v1/trainings/{lease.item.id}/attempts/2/result", json=result))[0] == 204
    # The first attempt's upload is nobody's.
    doomed = {row["object_key"] for row in await studio.made.pool.fetch("select object_key from garbage")}
    assert doomed == {f"models/{UID}/{lease.item.id}-1.tar.gz", f"logs/{UID}/{lease.item.id}-1.txt"}


async def test_results_at_once_make_one_model(studio: World) -> None:
    await want(studio)
    lease = await claim(studio)
    helper, result = await upload(studio, lease)
    path = f"/v1/trainings/{lease.item.id}/attempts/1/result"
    answers = await asyncio.gather(*(helper("POST", path, json=result) for _ in range(8)))
    assert {status for status, _ in answers} == {204}
    assert await studio.made.pool.fetchval("select array_agg(version) from models") == [1]


async def test_retention_keeps_the_newest_and_what_is_in_use(studio: World) -> None:
    for number, content in enumerate("abcdef"):
        await want(studio, content, keep_models=2)
        await train(studio, content.encode())
        if number == 0:
            await studio.made.pool.execute(
                """insert into items (id, kind, uid, assistant, state, fingerprint, model_version, spec, spec_digest)
                   values ('concierge-r1', 'run', $1, 'concierge', 'Ready', 'f', 1, '{}', 'd')""", UID,
            )  # fmt: skip
            await studio.made.pool.execute("update assistants set serving = 'concierge-r1'")
    _, models = await studio.operator("GET", "/v1/models?assistant=concierge")
    assert [model["version"] for model in models] == ["6", "5", "1"]
    while await garbage.sweep(studio.made.pool, studio.store):
        pass
    assert sorted(value for key, value in studio.store.objects.items() if key.startswith("models")) == [
        b"a",
        b"e",
        b"f",
    ]
    assert [value for key, value in studio.store.objects.items() if key.startswith("contents")] == [b"f"]


async def test_logs_are_archived_and_read(studio: World) -> None:
    observed = await want(studio)
    item_id = observed["training"]["id"]
    assert (await studio.operator("GET", f"/v1/trainings/{item_id}/log"))[0] == 404
    await claim(studio)
    for text in ("first", "second"):
        status, _ = await studio.consumer()("PUT", f"/v1/trainings/{item_id}/attempts/1/log", data=text)
        assert status == 204
    assert await studio.operator("GET", f"/v1/trainings/{item_id}/log") == (200, "second")


async def test_removal(studio: World) -> None:
    await want(studio)
    await train(studio)
    await want(studio, "b")
    lease = await claim(studio)
    path = f"{PATH}?uid={UID}&delete_data=true"
    status, removal = await studio.operator("DELETE", path)
    assert (status, removal["gone"], lease.item.id in removal["message"]) == (200, False, True)
    status, problem = await studio.operator("PUT", PATH, json=desired_training().model_dump())
    assert (status, "being removed" in problem["detail"]) == (409, True)
    await studio.queue.finish(lease, "Cancelled", "Removed")
    for _ in range(2):
        assert await studio.operator("DELETE", path) == (200, {"gone": True, "message": "", "waiting_seconds": 0})
    assert await garbage.sweep(studio.made.pool, studio.store)
    assert studio.store.objects == {}
    assert await studio.made.pool.fetchval("select removed_at is not null from assistants")
    assert (await studio.operator("DELETE", f"{PATH}?uid=unknown"))[1]["gone"]


async def waiting_for(world: World, seconds: float) -> dict[str, Any]:
    """The answer to another request for the removal that was asked for first so long ago."""
    since = "update assistants set removing_since = now() - make_interval(secs => $1)"
    await world.made.pool.execute(since, seconds)
    status, removal = await world.operator("DELETE", f"{PATH}?uid={UID}&delete_data=true")
    assert status == 200
    return dict(removal)


async def test_a_removal_without_consumers_ends(studio: World) -> None:
    await want(studio)
    lease = await claim(studio)
    removal = await waiting_for(studio, 0)
    assert not removal["gone"]
    assert lease.item.id in removal["message"]
    assert "held by c0" in removal["message"]
    assert not (await waiting_for(studio, 90))["gone"]
    await studio.made.pool.execute("update items set lease_until = now() - interval '1 s'")
    removal = await waiting_for(studio, 50)
    assert not removal["gone"]
    assert 50 <= removal["waiting_seconds"] < 60
    assert (await waiting_for(studio, 61))["gone"]
    row = await studio.made.pool.fetchrow("select state, reason, holder from items")
    assert row is None or tuple(row) == ("Cancelled", "Removed", None)
    assert await studio.queue.heartbeat(lease) is None


async def test_a_removal_ends_though_its_consumer_never_gets_it_done(studio: World) -> None:
    await want(studio)
    await claim(studio)
    await waiting_for(studio, 0)
    assert (await waiting_for(studio, 301))["gone"]


async def test_paused_assistants_begin_nothing_and_go_on_later(studio: World) -> None:
    await want(studio)
    await put(studio, desired_training(paused=True))
    assert await studio.queue.claim("training", "c0") is None
    async with studio.queue.listen() as listener:
        while await listener.wait(0.2):
            pass
        await put(studio, desired_training())
        notes = await listener.wait(10)
    assert [(note.channel, note.payload) for note in notes] == [(QUEUE_CHANNEL, "training")]
    lease = await claim(studio)
    await put(studio, desired_training(paused=True))
    await studio.queue.release(lease)
    adopted = await studio.queue.claim("training", "c1")
    assert adopted is not None, "what is under way goes on"


async def test_an_accepted_result_wakes_its_consumer(studio: World) -> None:
    await want(studio)
    lease = await claim(studio)
    async with studio.queue.listen() as listener:
        while await listener.wait(0.2):
            pass
        helper, result = await upload(studio, lease)
        status, _ = await helper("POST", f"/v1/trainings/{lease.item.id}/attempts/1/result", json=result)
        assert status == 204
        notes = await listener.wait(10)
    assert (ITEM_CHANNEL, lease.item.id) in [(note.channel, note.payload) for note in notes]
    assert await studio.queue.model_of(lease.item) == 1


async def test_logs_of_four_mebibytes_are_kept_whole(studio: World) -> None:
    observed = await want(studio)
    path = f"/v1/trainings/{observed['training']['id']}"
    await claim(studio)
    text = "a line of the engine\n" * (4 * 1024 * 1024 // 21)
    assert (await studio.consumer()("PUT", f"{path}/attempts/1/log", data=io.BytesIO(text.encode())))[0] == 204
    assert await studio.operator("GET", f"{path}/log") == (200, text)


async def test_a_database_that_is_away_is_answered_without_a_traceback(
    studio: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise asyncpg.CannotConnectNowError("the database system is starting up")

    monkeypatch.setattr(TrainingService, "put_assistant", away)
    status, problem = await studio.operator("PUT", PATH, json=desired_training().model_dump())
    assert (status, problem["detail"]) == (503, "the database does not answer: try again")
    assert "Traceback" not in caplog.text
    assert [record for record in caplog.records if record.exc_info] == []


async def test_a_new_uid_takes_the_name_over(studio: World) -> None:
    await want(studio)
    lease = await claim(studio)
    observed = await want(studio, "a", uid="6f1f4c1e-0000-4000-8000-000000000002")
    assert observed["training"]["state"] == "Queued"
    await studio.extra["service"].tidy()
    fresh = await studio.queue.heartbeat(lease)
    assert fresh is not None
    assert (fresh.stop_requested, fresh.stop_reason) == (True, "Removed")
    await studio.queue.finish(lease, "Cancelled", "Removed")
    await studio.extra["service"].tidy()
    rows = await studio.made.pool.fetch("select uid, removed_at is null as here from assistants order by uid")
    assert [row["here"] for row in rows] == [False, True]


async def test_changes_are_streamed(studio: World) -> None:
    async with studio.operator.open("/v1/changes") as response:
        assert response.content_type == "text/event-stream"
        lines = aiter(response.content)
        assert (await anext(lines)).startswith(b":")
        await want(studio)
        async for line in lines:
            if line.startswith(b"data:"):
                assert json.loads(line[5:]) == {"assistant": "concierge"}
                break


async def test_who_may_do_what(studio: World) -> None:
    observed = await want(studio)
    item_id = observed["training"]["id"]
    await claim(studio)
    attempt = f"/v1/trainings/{item_id}/attempts/1"
    right, wrong = studio.helper(names.job(item_id, 1)), studio.helper(names.job(item_id, 12))
    backend = studio.client("system:serviceaccount:ns:studio-backend")
    for client, method, path, expected in (
        (Client(studio.session, studio.base, None), "GET", "/v1/trainings", 401),
        (studio.consumer(), "GET", "/v1/trainings", 403),
        (studio.consumer("running-consumer"), "PUT", f"{attempt}/log", 403),
        (studio.operator, "POST", f"{attempt}/fetch", 403),
        (right, "POST", f"{attempt}/fetch", 200),
        (wrong, "POST", f"{attempt}/fetch", 403),
        (studio.helper(names.job(item_id, 1), "run"), "POST", f"{attempt}/fetch", 403),
        (right, "PUT", PATH, 403),
        (backend, "GET", "/v1/trainings", 200),
        (backend, "GET", f"/v1/trainings/{item_id}", 200),
        (backend, "GET", "/v1/models?assistant=concierge", 200),
        (backend, "GET", f"/v1/trainings/{item_id}/transitions", 200),
        (right, "GET", f"/v1/trainings/{item_id}/transitions", 403),
        (studio.consumer(), "POST", f"/v1/trainings/{item_id}/retry", 403),
        (studio.consumer(), "POST", f"/v1/trainings/{item_id}/priority", 403),
        (backend, "PUT", PATH, 403),
        (backend, "DELETE", f"{PATH}?uid={UID}", 403),
        (backend, "GET", "/v1/changes", 403),
        (backend, "PUT", f"{attempt}/log", 403),
        (backend, "POST", f"{attempt}/fetch", 403),
        (right, "GET", f"/v1/trainings/{item_id}/log/events", 403),
    ):
        status, problem = await client(method, path)
        assert status == expected, (path, problem)
        assert status == 200 or problem["status"] == status


async def test_bad_requests(studio: World) -> None:
    status, problem = await studio.operator("PUT", PATH, json={"uid": "x"})
    assert (status, "body.engine" in problem["detail"]) == (422, True)
    status, problem = await studio.operator("PUT", "/v1/assistants/other", json=desired_training().model_dump())
    assert (status, "name" in problem["detail"]) == (422, True)
    status, problem = await studio.operator("PUT", PATH, json=desired_training(namespace="other").model_dump())
    assert (status, "namespace" in problem["detail"]) == (422, True)
    await put(studio, desired_training())
    status, problem = await studio.operator(
        "PUT", f"{PATH}/content/{fingerprint('a')}", data=b"a", headers={"X-Content-SHA256": sha256(b"b")}
    )
    assert (status, "X-Content-SHA256" in problem["detail"]) == (422, True)
    too_much = b"x" * (600 * 1024)

    async def in_chunks() -> AsyncIterator[bytes]:
        yield too_much

    for body in (too_much, in_chunks()):
        status, problem = await studio.operator("POST", "/v1/trainings", data=body)
        assert (status, problem["detail"]) == (413, "the body is larger than 524288 bytes: send less")
    status, _ = await studio.operator("GET", "/v1/trainings/none")
    assert status == 404
    status, _ = await studio.operator("GET", "/nothing")
    assert status == 404


async def test_a_store_that_is_away_is_said(studio: World) -> None:
    await put(studio, desired_training())
    studio.store.broken = True
    assert await put_content(studio, "a") == 503
    anybody = Client(studio.session, studio.base, None)
    assert (await anybody("GET", "/readyz"))[0] == 503
    assert (await anybody("GET", "/healthz"))[0] == 200
    studio.store.broken = False
    assert await put_content(studio, "a") == 204
    assert "studio_http_requests_total" in (await anybody("GET", "/metrics"))[1]
    status, schema = await anybody("GET", "/openapi.json")
    assert (status, "/v1/trainings/{id}" in schema["paths"]) == (200, True)
