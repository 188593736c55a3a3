"""The realm of a Studio: looked at when Keycloak answers, now and then, and at once after a change of the spec."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from tests.unit.operator.reconcile.world import TEAM, World

from studio.contract.labels import Component
from studio.kube import DEPLOYMENT, SECRET, STATEFULSET, STUDIO
from studio_operator.ports import IdentityRefused, IdentityUnreachable, SyncReport
from studio_operator.reconcile.identity import PAUSE_AFTER_FAILURE, PERIOD
from studio_operator.runtime.keys import Key
from studio_operator.runtime.workqueue import WORKERS, WorkQueue

REALM = Key("Realm", TEAM, "studio")
URL = "http://studio-keycloak.team.svc:8080/auth"


@asynccontextmanager
async def asking_in_vain(world: World, turn: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """A turn that has asked Keycloak, which answers only after the block."""
    world.identity.answers.clear()
    async with asyncio.TaskGroup() as group:
        group.create_task(turn)
        await world.identity.asked.wait()
        yield
        world.identity.answers.set()


async def test_it_follows_the_spec_and_the_secrets(world: World) -> None:
    administrator = {"username": "boss", "email": "boss@example.com"}
    identity = {"embedded": {"registration": True, "administrator": administrator}}
    world.put(STUDIO, "studio", publicUrl="https://bots.example.com", identity=identity)
    await world.settle()
    realm, access = world.identity.passes[-1]
    assert access.url == URL
    assert (realm.public_url, realm.registration) == ("https://bots.example.com", True)
    assert (realm.administrator.username, realm.administrator.email) == ("boss", "boss@example.com")
    secret = {
        key: base64.b64decode(value).decode()
        for key, value in world.get(SECRET, "studio-administrator")["data"].items()
    }
    assert secret == {"username": "boss", "password": realm.administrator.password}
    world.identity.report = SyncReport(updated=("realm",))
    world.put(STUDIO, "studio", publicUrl="https://bots.example.com")
    await world.look_at(STUDIO, "studio")
    assert world.recorder.reasons("Studio/studio")[-2:] == ["RealmUpdated", "Ready"]


async def test_it_waits_for_keycloak(world: World) -> None:
    world.put(STUDIO, "studio")
    for _ in range(6):
        world.play_controllers(without=[Component.KEYCLOAK])
        await world.look_at_all()
    assert world.identity.passes == []
    await world.settle()
    assert len(world.identity.passes) == 1


async def test_at_rest_it_is_looked_at_once_a_minute_at_most(world: World) -> None:
    world.put(STUDIO, "studio")
    await world.settle()
    passes = len(world.identity.passes)
    await world.look_at(STUDIO, "studio")
    assert len(world.identity.passes) == passes
    world.clock.advance(61)
    world.identity.report = SyncReport(repaired=("client studio-web",))
    again = await world.reconciler.reconcile(REALM)
    assert len(world.identity.passes) == passes + 1
    assert world.recorder.reasons("Studio/studio")[-1] == "RealmRepaired"
    assert again is not None
    assert again <= PERIOD
    assert await world.look_at(STUDIO, "studio") is None


async def test_a_realm_that_cannot_be_reached_is_tried_again(world: World) -> None:
    world.identity.error = IdentityUnreachable("Keycloak does not answer")
    world.put(STUDIO, "studio")
    for _ in range(6):
        world.play_controllers()
        await world.look_at_all()
    conditions = world.conditions(STUDIO, "studio")
    assert conditions["KeycloakReady"] == conditions["Ready"] == ("False", "RealmUnreachable")
    assert (conditions["Available"], "Stalled" in conditions) == (("True", "Available"), False)
    again = await world.reconciler.reconcile(REALM)
    assert again is not None
    assert again <= PAUSE_AFTER_FAILURE
    world.identity.error = None
    world.clock.advance(10)
    await world.settle()
    assert world.conditions(STUDIO, "studio")["Ready"] == ("True", "Ready")


async def test_a_keycloak_that_hangs_delays_no_repair(world: World) -> None:
    world.put(STUDIO, "studio")
    await world.settle()
    world.put(STUDIO, "studio", identity={"embedded": {"registration": True}})
    async with asking_in_vain(world, world.look_at(STUDIO, "studio")):
        conditions = world.conditions(STUDIO, "studio")
        assert (conditions["Ready"], conditions["KeycloakReady"]) == (("False", "RealmPending"), ("True", "Ready"))
        database = world.get(STATEFULSET, "studio-database")
        world.kube.put({**database, "spec": {**database["spec"], "replicas": 0}})
        await world.reconciler.reconcile(Key("Studio", TEAM, "studio"))
        assert world.get(STATEFULSET, "studio-database")["spec"]["replicas"] == 1
    await world.settle()
    assert world.conditions(STUDIO, "studio")["KeycloakReady"] == ("True", "Ready")


async def test_a_wish_from_while_the_database_was_away_has_to_arrive_too(world: World) -> None:
    world.put(STUDIO, "studio")
    await world.settle()
    serving = world.get(STATEFULSET, "studio-database")["status"]
    world.kube.set_status(STATEFULSET, TEAM, "studio-database", {**serving, "readyReplicas": 0})
    world.put(STUDIO, "studio", identity={"embedded": {"registration": True}})
    await world.look_at(STUDIO, "studio")
    assert world.conditions(STUDIO, "studio")["KeycloakReady"] == ("True", "Ready")
    world.kube.set_status(STATEFULSET, TEAM, "studio-database", serving)
    async with asking_in_vain(world, world.look_at(STUDIO, "studio")):
        assert world.conditions(STUDIO, "studio")["Ready"] == ("False", "RealmPending")
    assert world.conditions(STUDIO, "studio")["Ready"] == ("True", "Ready")


async def test_while_keycloak_hangs_its_studio_is_not_passed_over_again_and_again(world: World) -> None:
    world.put(STUDIO, "studio")
    world.identity.error = IdentityUnreachable("Keycloak does not answer")
    for _ in range(6):
        world.play_controllers()
        await world.look_at_all()
    world.clock.advance(10)
    async with asking_in_vain(world, world.reconciler.reconcile(REALM)):
        assert await world.reconciler.reconcile(Key("Studio", TEAM, "studio")) is None


async def test_what_was_found_before_keycloak_went_is_not_told_when_it_is_back(world: World) -> None:
    world.put(STUDIO, "studio")
    await world.settle()
    serving = world.get(DEPLOYMENT, "studio-keycloak")["status"]
    world.clock.advance(61)
    world.identity.error = IdentityUnreachable("the pod that goes")
    await world.look_at(STUDIO, "studio")
    assert world.conditions(STUDIO, "studio")["KeycloakReady"] == ("False", "RealmUnreachable")
    world.kube.set_status(DEPLOYMENT, TEAM, "studio-keycloak", {**serving, "readyReplicas": 0})
    await world.look_at(STUDIO, "studio")
    assert await world.reconciler.reconcile(REALM) is None
    world.identity.error = None
    world.kube.set_status(DEPLOYMENT, TEAM, "studio-keycloak", serving)
    async with asking_in_vain(world, world.look_at(STUDIO, "studio")):
        assert world.conditions(STUDIO, "studio")["KeycloakReady"] == ("False", "RealmPending")
    assert world.conditions(STUDIO, "studio")["KeycloakReady"] == ("True", "Ready")


async def test_a_paused_studio_has_its_realm_left_alone(world: World) -> None:
    world.put(STUDIO, "studio")
    await world.settle()
    passes = len(world.identity.passes)
    world.put(STUDIO, "studio", paused=True)
    await world.look_at(STUDIO, "studio")
    world.clock.advance(61)
    assert await world.reconciler.reconcile(REALM) is None
    assert len(world.identity.passes) == passes


async def test_keys_of_others_in_its_secrets_need_not_be_text(world: World) -> None:
    world.put(STUDIO, "studio")
    await world.settle()
    secret = world.get(SECRET, "studio-administrator")
    world.kube.put({**secret, "data": {**secret["data"], "picture": base64.b64encode(b"\xff\xd8").decode()}})
    world.put(STUDIO, "studio", identity={"embedded": {"registration": True}})
    await world.settle()
    assert world.conditions(STUDIO, "studio")["Ready"] == ("True", "Ready")


async def test_realms_that_hang_leave_workers_for_repairs(world: World) -> None:
    world.put(STUDIO, "studio")
    await world.settle()
    names = [f"other-{number}" for number in range(WORKERS)]
    for name in names:
        world.put(STUDIO, name)
    for _ in range(6):
        world.play_controllers()
        for name in names:
            await world.reconciler.reconcile(Key("Studio", TEAM, name))
    world.identity.answers.clear()
    database = world.get(STATEFULSET, "studio-database")
    world.kube.put({**database, "spec": {**database["spec"], "replicas": 0}})
    repaired = asyncio.Event()

    async def reconcile(key: Key) -> float | None:
        again = await world.reconciler.reconcile(key)
        if key == Key("Studio", TEAM, "studio"):
            repaired.set()
        return again

    queue = WorkQueue(reconcile)
    for name in names:
        queue.add(Key("Realm", TEAM, name))
    working = asyncio.create_task(queue.run())
    await world.identity.asked.wait()
    queue.add(Key("Studio", TEAM, "studio"))
    await repaired.wait()
    assert world.get(STATEFULSET, "studio-database")["spec"]["replicas"] == 1
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def test_an_operator_that_begins_takes_the_realm_for_what_it_was(world: World) -> None:
    world.put(STUDIO, "studio")
    await world.settle()
    world.restart()
    async with asking_in_vain(world, world.look_at(STUDIO, "studio")):
        assert world.conditions(STUDIO, "studio")["Ready"] == ("True", "Ready")


async def test_a_realm_that_was_never_there_serves_nobody(world: World) -> None:
    world.put(STUDIO, "studio", identity={"external": {"issuer": "https://login.example.com"}})
    await world.settle()
    world.put(STUDIO, "studio")
    async with asking_in_vain(world, world.settle()):
        conditions = world.conditions(STUDIO, "studio")
        assert conditions["KeycloakReady"] == conditions["Ready"] == ("False", "RealmPending")
    assert world.conditions(STUDIO, "studio")["Ready"] == ("True", "Ready")


async def test_what_keycloak_refuses_needs_somebody(world: World) -> None:
    world.put(STUDIO, "studio")
    await world.settle()
    world.identity.error = IdentityRefused("spec.identity.embedded.passwordPolicy: unknown policy")
    world.put(STUDIO, "studio", identity={"embedded": {"passwordPolicy": "magic(1)"}})
    assert await world.look_at(STUDIO, "studio") is not None
    conditions = world.conditions(STUDIO, "studio")
    assert conditions["KeycloakReady"] == ("False", "RealmRefused")
    assert conditions["Stalled"] == ("True", "RealmRefused")


async def test_no_secret_is_told(world: World) -> None:
    world.put(STUDIO, "studio")
    await world.settle()
    realm, access = world.identity.passes[-1]
    told = json.dumps([world.status(STUDIO, "studio"), world.recorder.events])
    for secret in (realm.administrator.password, realm.external_client_secret, access.client_secret):
        assert secret not in told
