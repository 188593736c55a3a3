"""The running orchestrator: passes against an API server in memory, and its HTTP API."""

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.fakes.kube import FakeKube
from tests.support.patience import STUCK_SECONDS
from tests.support.serving import serving
from tests.unit.services.orchestrators.models import model
from tests.unit.services.orchestrators.running_stage import (
    FakeTrackers,
    add_model,
    age_the_flip,
    make_ready,
    put,
    serve_the_first,
    served,
    service,
)
from tests.unit.services.orchestrators.world import PROCESS, UID, World, desired_running

from studio.contract import labels, names
from studio.contract.model_service import DesiredRunning, EnginePod, RunTicket
from studio.kube import Conflict, Forbidden, KubeError, NotFound, TooManyRequests, Unavailable
from studio.kube.kinds import SERVICE
from studio.model_service.orchestrators import registry
from studio.model_service.orchestrators.orchestrator import Background
from studio.model_service.orchestrators.running.front import Front, Overtaken
from studio.model_service.orchestrators.running.loop import Loop
from studio.model_service.orchestrators.running.plan import SETTLING_SECONDS
from studio.model_service.orchestrators.running.process import build, reconciling
from studio.model_service.orchestrators.running.reconciler import Reconciler
from studio.model_service.queue import CHANGES_CHANNEL
from studio.settings import EngineEventsSettings, EventBrokerSettings

PATH = "/v1/assistants/concierge"


async def test_the_first_run(studio: World, kube: FakeKube, reconciler: Reconciler) -> None:
    observed = await put(studio)
    assert [key for key, value in observed.items() if value] == []
    await reconciler.reconcile(UID)
    assert served(kube) == "none"  # the name resolves before anything answers
    owner = service(kube)["metadata"]["ownerReferences"][0]
    assert (owner["uid"], owner["controller"], owner["blockOwnerDeletion"]) == (UID, False, False)
    await add_model(studio, 1)
    await reconciler.reconcile(UID)
    lease = await make_ready(studio, "c0")
    assert DesiredRunning.model_validate(lease.item.spec).engine.image == "engine:1"
    await reconciler.reconcile(UID)
    assert served(kube) == lease.item.id
    observed = await put(studio)
    assert observed["target"]["version"] == "1"
    assert observed["serving"]["id"] == observed["newest"]["id"] == lease.item.id
    assert observed["serving"]["serving"]
    assert observed["serving"]["model_sha256"] == model(1).sha256


async def test_what_another_process_looks_at_is_looked_at_again_soon(
    studio: World, kube: FakeKube, reconciler: Reconciler
) -> None:
    """It may have looked before what we were told of happened."""
    await put(studio)
    async with studio.made.pool.acquire() as another:
        await another.execute("select pg_advisory_lock(hashtextextended($1, 2))", UID)
        again = await reconciler.reconcile(UID)
        await another.execute("select pg_advisory_unlock(hashtextextended($1, 2))", UID)
    assert again is not None
    assert again <= 1
    assert service(kube) is None
    assert await reconciler.reconcile(UID) is None
    assert served(kube) == "none"


async def test_a_pass_without_news_writes_nothing(studio: World, kube: FakeKube, reconciler: Reconciler) -> None:
    await serve_the_first(studio, reconciler)
    writes = len(kube.writes())
    row = await studio.made.pool.fetchrow("select xmin from assistants")
    audit = await studio.made.pool.fetchval("select max(seq) from transitions")
    for _ in range(3):
        await reconciler.reconcile(UID)
    assert len(kube.writes()) == writes
    assert await studio.made.pool.fetchrow("select xmin from assistants") == row
    assert await studio.made.pool.fetchval("select max(seq) from transitions") == audit


async def test_a_run_with_other_settings_than_wanted_is_told(
    studio: World, kube: FakeKube, reconciler: Reconciler
) -> None:
    await serve_the_first(studio, reconciler)
    assert (await put(studio))["outdated"] is False
    changed = {"credentials": "channels", "credentials_digest": "ab"}
    assert (await put(studio, **changed))["outdated"] is True
    await reconciler.reconcile(UID)
    new = await make_ready(studio, "c1")
    await reconciler.reconcile(UID)
    assert served(kube) == new.item.id
    assert (await put(studio, **changed))["outdated"] is False


async def test_engines_follow_when_their_stores_move(studio: World, kube: FakeKube, reconciler: Reconciler) -> None:
    await serve_the_first(studio, reconciler)
    moved: Any = FakeTrackers(stores="there")
    app, _ = build(studio.made, studio.store, moved, studio.access("run"), PROCESS)
    async with serving(app) as studio.base:
        assert (await put(studio))["outdated"] is True
        await reconciler.reconcile(UID)
        new = await make_ready(studio, "c1")
        await reconciler.reconcile(UID)
        assert served(kube) == new.item.id
        assert (await put(studio))["outdated"] is False


async def test_swap(studio: World, kube: FakeKube, reconciler: Reconciler) -> None:
    old = await serve_the_first(studio, reconciler)
    await add_model(studio, 2, "b")
    await put(studio, content="b")
    await reconciler.reconcile(UID)
    assert served(kube) == old.item.id
    new = await make_ready(studio, "c1")
    assert new.item.model_version == 2
    await reconciler.reconcile(UID)
    assert served(kube) == new.item.id
    # Requests may still come to the old one: some nodes do not know yet.
    fresh = await studio.queue.heartbeat(old)
    assert fresh is not None
    assert not fresh.stop_requested
    assert 0 < (await reconciler.reconcile(UID) or 0) <= SETTLING_SECONDS
    age_the_flip(kube)
    assert await reconciler.reconcile(UID) is None
    fresh = await studio.queue.heartbeat(old)
    assert fresh is not None
    assert (fresh.stop_requested, fresh.stop_reason) == (True, "Replaced")
    await studio.queue.finish(old, "Stopped", "Replaced")
    await reconciler.reconcile(UID)
    assert served(kube) == new.item.id
    assert await studio.queue.claim("run", "c2") is None


async def test_readiness_does_not_count_until_a_flip_has_settled(
    studio: World, kube: FakeKube, reconciler: Reconciler
) -> None:
    """Who makes the endpoints may hear of the flip before it hears that the pod is ready."""
    await put(studio)
    await add_model(studio, 1)
    await reconciler.reconcile(UID)
    lease = await make_ready(studio, "c0")
    for _ in range(2):
        assert await reconciler.reconcile(UID) is not None
        assert (served(kube), settling(kube)) == (lease.item.id, True)
    age_the_flip(kube)
    assert await reconciler.reconcile(UID) is None
    assert (served(kube), settling(kube)) == (lease.item.id, False)
    kube.requests.clear()
    await reconciler.reconcile(UID)
    assert kube.writes() == []
    bent = service(kube)
    kube.put({**bent, "spec": {**bent["spec"], "publishNotReadyAddresses": True}})
    await reconciler.reconcile(UID)
    assert (served(kube), settling(kube)) == (lease.item.id, False)


async def test_a_flip_in_the_last_round_of_a_pass_settles_too(
    studio: World, kube: FakeKube, reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(studio)
    await add_model(studio, 1)
    await reconciler.reconcile(UID)
    lease = await make_ready(studio, "c0")
    monkeypatch.setattr("studio.model_service.orchestrators.running.reconciler.ROUNDS", 1)
    await reconciler.reconcile(UID)
    assert (served(kube), settling(kube)) == (lease.item.id, True)


def settling(kube: FakeKube) -> bool:
    return bool(service(kube)["spec"]["publishNotReadyAddresses"])


async def test_changed_limits_swap_too(studio: World, kube: FakeKube, reconciler: Reconciler) -> None:
    old = await serve_the_first(studio, reconciler)
    await put(studio, engine=EnginePod(image="engine:1", resources={"limits": {"memory": "3Gi"}}))
    await reconciler.reconcile(UID)
    new = await make_ready(studio, "c1")
    assert new.item.id != old.item.id
    await reconciler.reconcile(UID)
    assert served(kube) == new.item.id


async def test_never_and_back(studio: World, reconciler: Reconciler) -> None:
    await put(studio)
    await add_model(studio, 1)
    await reconciler.reconcile(UID)
    lease = await make_ready(studio, "c0")
    await put(studio, mode="Never")
    await reconciler.reconcile(UID)
    fresh = await studio.queue.heartbeat(lease)
    assert fresh is not None
    assert fresh.stop_requested
    await studio.queue.finish(lease, "Stopped", "Halted")
    await reconciler.reconcile(UID)
    assert await studio.queue.claim("run", "c1") is None
    await put(studio)
    await reconciler.reconcile(UID)
    assert await studio.queue.claim("run", "c1") is not None


async def test_a_service_of_somebody_else_is_left_alone(studio: World, kube: FakeKube, reconciler: Reconciler) -> None:
    foreign = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "concierge", "namespace": "ns"},
        "spec": {"selector": {"app": "theirs"}, "ports": [{"port": 80}]},
    }  # fmt: skip
    kube.put(foreign)
    await put(studio)
    await add_model(studio, 1)
    await reconciler.reconcile(UID)
    assert (await put(studio))["problem_reason"] == "Conflict"
    await make_ready(studio, "c0")
    await reconciler.reconcile(UID)
    assert service(kube)["spec"]["selector"] == {"app": "theirs"}
    assert kube.writes() == []
    newest = (await put(studio))["newest"]
    assert (newest["reason"], newest["serving"]) == ("Conflict", False)
    assert "belongs to somebody else" in newest["message"]
    kube.remove(SERVICE, "ns", "concierge")
    await reconciler.reconcile(UID)
    observed = await put(studio)
    assert (observed["serving"]["serving"], observed["problem"]) == (True, None)


async def test_a_bent_or_deleted_service_is_mended(studio: World, kube: FakeKube, reconciler: Reconciler) -> None:
    lease = await serve_the_first(studio, reconciler)
    bent = await kube.get(SERVICE, "ns", "concierge")
    assert bent is not None
    bent["spec"]["ports"] = [{"name": "http", "port": 1, "targetPort": 1}]
    bent["metadata"]["annotations"][labels.FENCE] = "999999999"
    await kube.replace(SERVICE, bent)
    await reconciler.reconcile(UID)
    assert service(kube)["spec"]["ports"][0]["port"] == labels.ENGINE_PORT
    assert served(kube) == lease.item.id
    kube.remove(SERVICE, "ns", "concierge")
    await reconciler.reconcile(UID)
    assert served(kube) == lease.item.id


async def test_a_slower_pass_cannot_flip_back(studio: World, kube: FakeKube, reconciler: Reconciler) -> None:
    await put(studio)
    await reconciler.reconcile(UID)
    front = Front(kube, version="1.0.0")
    async with studio.made.pool.acquire() as conn:
        assistant = await registry.assistant(conn, UID)
        assert assistant is not None

        async def highest() -> int:
            return int(await conn.fetchval("select last_value from fence"))

        slow, fast = [int(await conn.fetchval("select nextval('fence')")) for _ in range(2)]
        before = await front.ensure(assistant, fence=slow, highest=highest)
        sight = await front.ensure(assistant, fence=fast, highest=highest)
        moment = await conn.fetchval("select now()")
        await front.flip(assistant, sight, "new", fence=fast, since=moment)
        with pytest.raises(Overtaken):  # by the resource version
            await front.flip(assistant, before, "old", fence=slow, since=moment)
        sight = await front.ensure(assistant, fence=slow, highest=highest)
        with pytest.raises(Overtaken, match="fence"):  # and by the fence
            await front.flip(assistant, sight, "old", fence=slow, since=moment)
    assert served(kube) == "new"


async def test_start_and_report(studio: World, reconciler: Reconciler, trackers: FakeTrackers) -> None:
    lease = await serve_the_first(studio, reconciler)
    helper = studio.helper(names.job(lease.item.id, 1), "run")
    base = f"/v1/runs/{lease.item.id}/attempts/1"
    status, ticket = await helper("POST", f"{base}/start")
    assert status == 200
    assert (ticket["model_version"], ticket["members"], ticket["model_url"]) == ("1", ["m"], "memory://models/1")
    assert ticket["tracker_store"]["db_schema"] == names.tracker_schema(UID)
    assert trackers.made == [UID]
    assert (await put(studio))["trackers_durable"] is None
    assert (await helper("POST", f"{base}/report", json={"trackers_durable": True}))[0] == 204
    assert (await put(studio))["trackers_durable"] is True
    await studio.queue.update(lease, state="Starting", attempt=2)
    status, problem = await helper("POST", f"{base}/start")
    assert (status, "replaced by attempt 2" in problem["detail"]) == (409, True)
    assert (await put(studio))["trackers_durable"] is None


async def test_a_model_that_the_store_has_lost_is_forgotten(
    studio: World, kube: FakeKube, reconciler: Reconciler
) -> None:
    await put(studio)
    await add_model(studio, 1, "older")
    await add_model(studio, 2)
    await reconciler.reconcile(UID)
    lease = await make_ready(studio, "c0")
    await reconciler.reconcile(UID)
    helper, path = studio.helper(names.job(lease.item.id, 2), "run"), f"/v1/runs/{lease.item.id}/attempts/2/start"

    async def start(**told: bool) -> tuple[int, Any]:
        return await helper("POST", path, json=told)

    await studio.queue.update(lease, state="Starting", attempt=2)
    # A helper that is restarted has the model already, and says nothing of it.
    del studio.store.objects["models/2"]
    assert (await start())[0] == 200
    studio.store.broken = True
    assert (await start(missing=True))[0] == 503
    assert (await put(studio))["target"]["version"] == "2"
    studio.store.broken = False
    async with studio.made.listener(CHANGES_CHANNEL) as listener:
        assert [note.channel for note in await listener.wait(STUCK_SECONDS)] == [""], "it listens"
        status, problem = await start(missing=True)
        assert (status, "does not exist any more" in problem["detail"]) == (409, True)
        assert [note.payload for note in await listener.wait(STUCK_SECONDS)] == ["model:concierge"]
    assert (await start())[0] == 409
    # A wrong bucket in the settings would look the same: what is there is not deleted.
    assert await studio.made.pool.fetchval("select count(*) from garbage") == 0
    assert await studio.made.pool.fetchval("select count(*) from models") == 1, "the other one is there"
    # Nothing answers: an older model is better than none.
    assert (await put(studio))["target"]["version"] == "1"
    await studio.queue.update(lease, state="Ready", reason="Ready")
    assert (await put(studio))["target"] is None
    await reconciler.reconcile(UID)
    assert served(kube) == lease.item.id


async def test_a_model_is_not_missing_because_somebody_says_so(studio: World, reconciler: Reconciler) -> None:
    await put(studio)
    await add_model(studio, 1)
    await reconciler.reconcile(UID)
    lease = await make_ready(studio, "c0")
    helper = studio.helper(names.job(lease.item.id, 1), "run")
    path = f"/v1/runs/{lease.item.id}/attempts/1/start"
    assert (await helper("POST", path, json={"missing": True}))[0] == 200
    assert (await put(studio))["target"]["version"] == "1"


async def test_a_ticket_carries_the_login_of_the_engines_as_it_is_now(
    world: World, reconciler: Reconciler, trackers: FakeTrackers, tmp_path: Path
) -> None:
    broker = EventBrokerSettings(("broker:9092",), tmp_path, "SASL_PLAINTEXT", "PLAIN", "engine")
    events = EngineEventsSettings(broker, "studio-events")
    app, _ = build(world.made, world.store, trackers, world.access("run"), PROCESS, events=events)  # type: ignore[arg-type]
    password_file = tmp_path / "password"
    password_file.write_text("first")
    async with serving(app) as world.base:
        await put(world)
        await add_model(world, 1)
        await reconciler.reconcile(UID)
        lease = await make_ready(world, "c0")
        helper = world.helper(names.job(lease.item.id, 1), "run")
        path = f"/v1/runs/{lease.item.id}/attempts/1/start"
        password_file.unlink()
        status, problem = await helper("POST", path)
        assert (status, "add the key `password`" in problem["detail"]) == (503, True)
        await put(world, mode="Never")  # has nothing to do with logins, and is heard
        wish = "select running ->> 'mode' || ' ' || (running ->> 'stores_digest') from assistants"
        assert await world.made.pool.fetchval(wish) == "Never here"
        for password in ("old", "new"):
            password_file.write_text(password)
            status, ticket = await helper("POST", path)
            assert status == 200
            login = RunTicket.model_validate(ticket).event_broker
            assert login is not None
            assert (login.servers, login.topic, login.username) == (["broker:9092"], "studio-events", "engine")
            assert login.password == password


async def test_removal(studio: World, kube: FakeKube, reconciler: Reconciler, trackers: FakeTrackers) -> None:
    lease = await serve_the_first(studio, reconciler)
    path = f"{PATH}?uid={UID}&delete_data=true"
    status, removal = await studio.operator("DELETE", path)
    assert (status, removal["gone"]) == (200, False)
    await reconciler.reconcile(UID)
    assert service(kube) is not None
    await studio.queue.finish(lease, "Stopped", "Removed")
    await reconciler.reconcile(UID)
    assert service(kube) is None
    assert trackers.dropped == [UID]
    assert (await studio.operator("DELETE", path))[1] == {"gone": True, "message": "", "waiting_seconds": 0}
    await reconciler.reconcile(UID)


async def test_a_removal_without_consumers_ends(
    studio: World, kube: FakeKube, reconciler: Reconciler, trackers: FakeTrackers
) -> None:
    lease = await serve_the_first(studio, reconciler)
    path = f"{PATH}?uid={UID}&delete_data=true"
    removal = (await studio.operator("DELETE", path))[1]
    assert lease.item.id in removal["message"]
    await studio.made.pool.execute("update assistants set removing_since = now() - interval '61 s'")
    await reconciler.reconcile(UID)
    removal = (await studio.operator("DELETE", path))[1]
    assert not removal["gone"]
    assert removal["waiting_seconds"] >= 61
    await studio.made.pool.execute("update items set lease_until = now() - interval '1 s'")
    await reconciler.reconcile(UID)
    assert (await studio.operator("DELETE", path))[1]["gone"]
    assert service(kube) is None
    assert trackers.dropped == [UID]


async def test_other_channels_take_a_new_run(studio: World, reconciler: Reconciler) -> None:
    await put(studio, credentials="channels", credentials_digest="1")
    await add_model(studio, 1)
    await reconciler.reconcile(UID)
    first = await make_ready(studio, "c0")
    await reconciler.reconcile(UID)
    await reconciler.reconcile(UID)
    assert await studio.queue.claim("run", "c1") is None
    await put(studio, credentials="channels", credentials_digest="2")
    await reconciler.reconcile(UID)
    second = await make_ready(studio, "c1")
    assert second.item.id != first.item.id
    await reconciler.reconcile(UID)
    await reconciler.reconcile(UID)
    assert (await put(studio, credentials="channels", credentials_digest="2"))["serving"]["id"] == second.item.id


async def test_paused_assistants_get_no_new_run(studio: World, reconciler: Reconciler) -> None:
    await put(studio)
    await add_model(studio, 1)
    await reconciler.reconcile(UID)
    await put(studio, paused=True)
    assert await studio.queue.claim("run", "c0") is None
    await put(studio)
    lease = await make_ready(studio, "c0")
    await reconciler.reconcile(UID)
    await put(studio, paused=True, actions_url="http://other")
    await reconciler.reconcile(UID)
    assert await studio.queue.claim("run", "c1") is None
    assert (await put(studio, paused=True))["serving"]["id"] == lease.item.id


async def test_a_forbidden_service_is_told_before_anything_runs(
    studio: World, kube: FakeKube, reconciler: Reconciler
) -> None:
    kube.fail(Forbidden(403, "Forbidden", "services is forbidden"), verb="create")
    await put(studio)
    with pytest.raises(Forbidden):
        await reconciler.reconcile(UID)
    observed = await put(studio)
    assert (observed["problem_reason"], observed["problem"]) == ("Forbidden", "services is forbidden")
    await reconciler.reconcile(UID)
    observed = await put(studio)
    assert (observed["problem_reason"], observed["problem"]) == (None, None)


async def test_a_refused_flip_is_told_until_it_succeeds(studio: World, kube: FakeKube, reconciler: Reconciler) -> None:
    old, new = await a_swap_that_is_due(studio, kube, reconciler)
    kube.fail(Forbidden(403, "Forbidden", "a policy denies it"), verb="update", times=3)
    rows = []
    for _ in range(3):
        with pytest.raises(Forbidden):
            await reconciler.reconcile(UID)
        observed = await put(studio, content="b")
        assert (observed["problem_reason"], observed["problem"]) == ("Forbidden", "a policy denies it")
        assert (observed["newest"]["id"], observed["newest"]["reason"]) == (new, "Forbidden")
        assert observed["serving"]["id"] == served(kube) == old
        rows.append(await studio.made.pool.fetchrow("select xmin from assistants"))
    assert rows == rows[:1] * 3, "it is not taken back in between"
    await reconciler.reconcile(UID)
    observed = await put(studio, content="b")
    assert (observed["problem_reason"], observed["serving"]["id"], served(kube)) == (None, new, new)


async def test_a_refused_flip_is_told_while_its_assistant_is_paused(
    studio: World, kube: FakeKube, reconciler: Reconciler
) -> None:
    await a_swap_that_is_due(studio, kube, reconciler)
    kube.fail(Forbidden(403, "Forbidden", "a policy denies it"), verb="update")
    with pytest.raises(Forbidden):
        await reconciler.reconcile(UID)
    await put(studio, content="b", paused=True)
    await reconciler.reconcile(UID)
    assert (await put(studio, content="b", paused=True))["problem_reason"] == "Forbidden"


async def test_a_refused_flip_that_nobody_wants_any_more_is_no_problem(
    studio: World, kube: FakeKube, reconciler: Reconciler
) -> None:
    old, _ = await a_swap_that_is_due(studio, kube, reconciler)
    kube.fail(Forbidden(403, "Forbidden", "a policy denies it"), verb="update")
    with pytest.raises(Forbidden):
        await reconciler.reconcile(UID)
    await put(studio)
    await reconciler.reconcile(UID)
    observed = await put(studio)
    assert (observed["problem_reason"], observed["serving"]["id"]) == (None, old)


async def test_readiness_that_may_not_count_again_is_told(
    studio: World, kube: FakeKube, reconciler: Reconciler
) -> None:
    lease = await serve_the_first(studio, reconciler)
    age_the_flip(kube)
    kube.fail(Forbidden(403, "Forbidden", "a policy denies it"), verb="update")
    with pytest.raises(Forbidden):
        await reconciler.reconcile(UID)
    observed = await put(studio)
    assert (observed["problem_reason"], observed["serving"]["id"]) == ("Forbidden", lease.item.id)
    await reconciler.reconcile(UID)
    assert (await put(studio))["problem_reason"] is None


async def test_a_service_that_goes_under_the_pass_is_nobody_s_problem(
    studio: World, kube: FakeKube, reconciler: Reconciler
) -> None:
    _, new = await a_swap_that_is_due(studio, kube, reconciler)
    kube.fail(NotFound(404, "NotFound", 'services "concierge" not found'), verb="update")
    with pytest.raises(Overtaken):
        await reconciler.reconcile(UID)
    assert (await put(studio, content="b"))["problem_reason"] is None
    await reconciler.reconcile(UID)
    assert served(kube) == new


async def a_swap_that_is_due(studio: World, kube: FakeKube, reconciler: Reconciler) -> tuple[str, str]:
    """Model 1 serves, and model 2 is ready to; the ids of both runs."""
    old = await serve_the_first(studio, reconciler)
    age_the_flip(kube)
    await reconciler.reconcile(UID)
    await add_model(studio, 2, "b")
    await put(studio, content="b")
    await reconciler.reconcile(UID)
    new = await make_ready(studio, "c1")
    return old.item.id, new.item.id


@pytest.mark.parametrize(
    "trouble",
    [
        Unavailable(500, "InternalError", "no"),
        TooManyRequests(429, "TooManyRequests", "no"),
        Conflict(409, "Conflict", "no"),
    ],
    ids=lambda trouble: trouble.reason,
)
async def test_what_passes_by_itself_is_nobody_s_problem(
    studio: World, reconciler: Reconciler, kube: FakeKube, trouble: KubeError
) -> None:
    kube.fail(trouble, verb="create")
    await put(studio)
    with pytest.raises(type(trouble)):
        await reconciler.reconcile(UID)
    observed = await put(studio)
    assert (observed["problem_reason"], observed["problem"]) == (None, None)


async def test_one_pass_at_a_time_and_one_run(studio: World, reconciler: Reconciler) -> None:
    await put(studio)
    await add_model(studio, 1)
    await asyncio.gather(*(reconciler.reconcile(UID) for _ in range(6)))
    await reconciler.reconcile(UID)
    assert await studio.made.pool.fetchval("select count(*) from items") == 1


async def test_the_loop_follows_changes_and_survives_faults(
    studio: World, kube: FakeKube, trackers: FakeTrackers
) -> None:
    loop: Loop = reconciling(studio.made.pool, kube, trackers, PROCESS)  # type: ignore[arg-type]
    kube.fail(Unavailable(503, "ServiceUnavailable", "away"), verb="create", times=2)
    async with studio.made.listener(CHANGES_CHANNEL) as listener, Background() as background:
        background.run("follow", lambda: loop.follow(listener))
        background.run("worker", loop.work)
        await put(studio)
        await add_model(studio, 1)
        async with studio.queue.listen(poll=0.05) as queued:
            while (lease := await studio.queue.claim("run", "c0")) is None:
                await queued.wait(0.1)
        await studio.queue.update(lease, state="Ready")
        async with studio.made.listener(CHANGES_CHANNEL) as changed:
            while served(kube) != lease.item.id:
                await changed.wait(0.1)


async def test_a_stop_by_hand_lasts_until_a_start(studio: World, reconciler: Reconciler) -> None:
    assert (await studio.operator("POST", f"{PATH}/run/stop"))[0] == 404
    await put(studio)
    assert (await studio.operator("POST", f"{PATH}/run/start"))[0] == 409, "no model yet"
    assert (await studio.operator("POST", f"{PATH}/run/stop"))[0] == 409, "nothing runs"
    await add_model(studio, 1)
    await reconciler.reconcile(UID)
    lease = await make_ready(studio, "c0")
    await reconciler.reconcile(UID)
    for _ in range(2):
        status, run = await studio.operator("POST", f"{PATH}/run/stop", json={"who": "ann"})
        assert (status, run["id"]) == (200, lease.item.id)
    fresh = await studio.queue.heartbeat(lease)
    assert fresh is not None
    assert (fresh.stop_requested, fresh.stop_reason) == (True, "Stopped")
    await reconciler.reconcile(UID)
    await studio.queue.finish(lease, "Stopped", "Stopped", "stopped by ann")
    await reconciler.reconcile(UID)
    assert await studio.queue.claim("run", "c1") is None
    newest = (await put(studio))["newest"]
    assert (newest["reason"], newest["message"]) == ("Stopped", "stopped by ann")
    started = [await studio.operator("POST", f"{PATH}/run/start", json={"who": "bob"}) for _ in range(2)]
    assert {status for status, _ in started} == {200}
    assert {run["id"] for _, run in started} == {started[0][1]["id"]} != {lease.item.id}
    await reconciler.reconcile(UID)
    again = await make_ready(studio, "c1")
    assert again.item.id == started[0][1]["id"]
    assert (await put(studio))["newest"]["id"] == again.item.id


async def test_another_model_runs_after_a_stop_by_hand(studio: World, reconciler: Reconciler) -> None:
    await put(studio)
    await add_model(studio, 1)
    await reconciler.reconcile(UID)
    await studio.operator("POST", f"{PATH}/run/stop")
    await reconciler.reconcile(UID)
    assert await studio.queue.claim("run", "c0") is None
    await add_model(studio, 2, "b")
    await put(studio, content="b")
    await reconciler.reconcile(UID)
    lease = await studio.queue.claim("run", "c0")
    assert lease is not None
    assert lease.item.model_version == 2


async def test_a_start_by_hand_runs_what_shall_never_run_until_its_model_changes(
    studio: World, kube: FakeKube, reconciler: Reconciler
) -> None:
    await put(studio, mode="Never")
    await add_model(studio, 1)
    await reconciler.reconcile(UID)
    status, run = await studio.operator("POST", f"{PATH}/run/start", json={"who": "ann"})
    assert (status, run["message"]) == (200, "started by ann")
    await reconciler.reconcile(UID)
    lease = await make_ready(studio, "c0")
    await reconciler.reconcile(UID)
    assert served(kube) == lease.item.id == run["id"]
    assert (await put(studio, mode="Never"))["serving"]["id"] == run["id"]
    await add_model(studio, 2, "b")
    await put(studio, mode="Never", content="b")
    await reconciler.reconcile(UID)
    fresh = await studio.queue.heartbeat(lease)
    assert fresh is not None
    assert fresh.stop_reason == "Halted"


async def test_a_paused_assistant_is_not_started_by_hand(studio: World) -> None:
    await put(studio, paused=True)
    await add_model(studio, 1)
    status, problem = await studio.operator("POST", f"{PATH}/run/start")
    assert (status, "spec.paused" in problem["detail"]) == (409, True)


async def test_slots_tell_what_they_hold(studio: World, reconciler: Reconciler) -> None:
    assert await studio.operator("GET", "/v1/slots") == (200, {"held": [], "waiting": 0})
    await put(studio)
    await add_model(studio, 1)
    await reconciler.reconcile(UID)
    assert await studio.operator("GET", "/v1/slots") == (200, {"held": [], "waiting": 1})
    lease = await make_ready(studio, "c0")
    held = {"assistant": "concierge", "run": lease.item.id, "model_version": "1", "state": "Ready"}
    assert await studio.operator("GET", "/v1/slots") == (200, {"held": [held], "waiting": 0})
    await studio.queue.release(lease)
    assert (await studio.operator("GET", "/v1/slots"))[1]["held"] == [held], "somebody adopts it"
    lease = await make_ready(studio, "c1")
    await studio.queue.finish(lease, "Stopped", "Replaced")
    assert (await studio.operator("GET", "/v1/slots"))[1]["held"] == []
    assert (await studio.consumer("running-consumer")("GET", "/v1/slots"))[0] == 403


async def test_the_loop_looks_again_when_a_pass_asks_for_it() -> None:
    passes: asyncio.Queue[str] = asyncio.Queue()

    async def reconcile(uid: str) -> float | None:
        passes.put_nowait(uid)
        return 0.01 if passes.qsize() < 2 else None

    async def uids_of(_name: str | None) -> list[str]:
        return []

    loop = Loop(reconcile, uids_of=uids_of)
    loop.add(UID)
    async with Background() as background, asyncio.timeout(STUCK_SECONDS):
        background.run("worker", loop.work)
        assert [await passes.get(), await passes.get()] == [UID, UID]


async def test_bad_wishes(studio: World, studio_pool: asyncpg.Pool) -> None:
    body = desired_running(model="newest").model_dump()
    status, problem = await studio.operator("PUT", PATH, json=body)
    assert (status, "model" in problem["detail"]) == (422, True)
    status, problem = await studio.operator("PUT", PATH, json=desired_running(studio="other").model_dump())
    assert (status, "studio" in problem["detail"]) == (422, True)
    assert await studio_pool.fetchval("select count(*) from assistants") == 0
