"""Passes over a Studio: order, gates, drift, pruning, other people's objects."""

from typing import Any

import pytest
from tests.fakes.kube_merge import merge_patch
from tests.unit.operator.reconcile.world import IMAGES, TEAM, World

from studio.contract import labels
from studio.contract.labels import Component
from studio.contract.model_service import HeldSlot, RunState, Slots
from studio.kube import (
    ASSISTANT,
    CONFIGMAP,
    DEPLOYMENT,
    HTTPROUTE,
    INGRESS,
    JOB,
    POD,
    ROLEBINDING,
    SECRET,
    SERVICE,
    SERVICEACCOUNT,
    STATEFULSET,
    STUDIO,
    Forbidden,
    Invalid,
    Manifest,
    NotFound,
)
from studio_operator.ports import Unreachable
from studio_operator.runtime.keys import Key

SERVICES = [
    *("training-orchestrator", "training-consumer", "running-orchestrator", "running-consumer"),
    *("backend", "ingestion", "keycloak", "web-client", "entry-proxy"),
]
OF_THE_SERVICES_IMAGE = SERVICES[:6]


def deployments(world: World) -> list[str]:
    return [name.removeprefix("studio-") for name in world.names(DEPLOYMENT)]


async def test_stores_come_first_then_the_migration_then_the_services(world: World) -> None:
    world.put(STUDIO, "studio")
    await world.look_at_all()
    assert world.names(STATEFULSET) == ["studio-database", "studio-event-broker", "studio-object-store"]
    assert (world.names(JOB), world.names(DEPLOYMENT)) == ([], [])
    assert world.conditions(STUDIO, "studio")["DependenciesReady"] == ("False", "RollingOut")

    world.play_controllers(without=[Component.OBJECT_STORE])
    await world.look_at_all()
    assert world.names(JOB) == []

    world.play_controllers()
    await world.look_at_all()
    assert len(world.names(JOB)) == 1
    assert world.names(DEPLOYMENT) == []
    assert world.conditions(STUDIO, "studio")["MigrationSucceeded"] == ("False", "Migrating")

    world.play_controllers()
    await world.look_at_all()
    assert sorted(deployments(world)) == sorted(SERVICES)
    assert world.conditions(STUDIO, "studio")["Ready"] == ("False", "RollingOut")

    await world.settle()
    conditions = world.conditions(STUDIO, "studio")
    assert {status for status, _ in conditions.values()} == {"True"}
    assert {"Ready", "Available", "SpareSlotAvailable"} <= conditions.keys()
    assert not {"Stalled", "Reconciling", "Degraded", "Paused"} & conditions.keys()
    assert world.status(STUDIO, "studio")["version"] == "1.0.0"


async def test_a_pod_that_finds_no_node_is_told_as_long_as_it_does_not(world: World) -> None:
    world.put(STUDIO, "studio")
    await world.look_at_all()
    world.put_unschedulable_pod(STATEFULSET, "studio-database")
    await world.look_at_all()
    conditions = world.conditions(STUDIO, "studio")
    assert (conditions["DatabaseReady"], conditions["ObjectStoreReady"]) == (
        ("False", "Unschedulable"),
        ("False", "RollingOut"),
    )
    assert "no node is large enough" in world.message(STUDIO, "studio", "DatabaseReady")
    await world.kube.delete(POD, TEAM, "studio-database-0")
    await world.settle()
    assert world.conditions(STUDIO, "studio")["Ready"] == ("True", "Ready")


async def test_an_operator_that_may_not_see_pods_says_what_it_knows(world: World) -> None:
    world.put(STUDIO, "studio")
    await world.look_at_all()
    world.put_unschedulable_pod(STATEFULSET, "studio-database")
    world.kube.fail(Forbidden(403, "Forbidden", "pods is forbidden"), verb="list", kind=POD)
    await world.look_at_all()
    assert world.conditions(STUDIO, "studio")["DatabaseReady"] == ("False", "RollingOut")


async def test_a_second_pass_writes_nothing(world: World) -> None:
    world.put(STUDIO, "studio")
    world.put_assistant()
    await world.settle()
    world.kube.requests.clear()
    assert await world.look_at(STUDIO, "studio") is None
    assert world.kube.writes() == []


async def test_a_new_process_writes_nothing_either(world: World) -> None:
    world.put(STUDIO, "studio")
    await world.settle()
    world.kube.requests.clear()
    world.restart()
    await world.look_at_all()
    assert world.kube.writes() == []


async def test_a_failed_migration_keeps_the_old_services(world: World) -> None:
    world.put(STUDIO, "studio")
    await world.settle()
    old = world.names(JOB)
    world.restart(version="2.0.0", services="services:2")
    await world.look_at_all()
    (new,) = set(world.names(JOB)) - set(old)
    world.finish_job(new, failure="BackoffLimitExceeded")
    await world.look_at_all()

    conditions = world.conditions(STUDIO, "studio")
    assert conditions["Stalled"] == conditions["Degraded"] == ("True", "MigrationFailed")
    assert (conditions["Ready"], conditions["Available"]) == (("False", "MigrationFailed"), ("True", "Available"))
    assert "BackoffLimitExceeded" in world.message(STUDIO, "studio", "MigrationSucceeded")
    for component in OF_THE_SERVICES_IMAGE:
        (container,) = world.get(DEPLOYMENT, f"studio-{component}")["spec"]["template"]["spec"]["containers"]
        assert container["image"] == "services:1"
    assert world.status(STUDIO, "studio")["version"] == "1.0.0"

    await world.delete(JOB, new)
    await world.settle()
    assert world.conditions(STUDIO, "studio")["Ready"] == ("True", "Ready")
    assert world.names(JOB) == [new]
    assert world.status(STUDIO, "studio")["version"] == "2.0.0"


async def test_a_migration_that_failed_has_another_chance_after_a_while(world: World) -> None:
    world.put(STUDIO, "studio")
    world.play_controllers()
    for _ in range(2):
        await world.look_at_all()
        world.play_controllers(without=[Component.MIGRATION])
    (name,) = world.names(JOB)
    first = world.get(JOB, name)["metadata"]["uid"]
    world.finish_job(name, failure="DeadlineExceeded", at=world.clock.now())
    await world.look_at_all()
    world.clock.advance(14 * 60)
    await world.look_at_all()
    assert world.conditions(STUDIO, "studio")["Stalled"] == ("True", "MigrationFailed")
    assert world.get(JOB, name)["metadata"]["uid"] == first

    world.clock.advance(60)
    await world.settle()
    assert world.get(JOB, name)["metadata"]["uid"] != first
    assert world.conditions(STUDIO, "studio")["Ready"] == ("True", "Ready")


CHILDREN = [
    (CONFIGMAP, "studio-entry-proxy"),
    (DEPLOYMENT, "studio-running-consumer"),
    (STATEFULSET, "studio-database"),
    (SERVICE, "studio-training-orchestrator"),
    (SERVICEACCOUNT, "studio-run"),
    (ROLEBINDING, "studio-training-consumer"),
]


@pytest.mark.parametrize(("kind", "name"), CHILDREN, ids=str)
async def test_a_deleted_child_comes_back(world: World, kind: Any, name: str) -> None:
    world.put(STUDIO, "studio")
    await world.settle()
    before = world.picture()
    world.kube.remove(kind, TEAM, name)
    await world.settle()
    assert world.picture() == before


@pytest.mark.parametrize(("kind", "name"), CHILDREN, ids=str)
async def test_an_edited_child_is_put_right(world: World, kind: Any, name: str) -> None:
    world.put(STUDIO, "studio")
    await world.settle()
    before = world.picture()
    live = world.get(kind, name)
    world.kube.put(
        {**live, "metadata": {**live["metadata"], "labels": {**live["metadata"]["labels"], labels.NAME: "x"}}}
    )
    await world.settle()
    assert world.picture() == before


def in_container(live: Manifest, **fields: Any) -> Manifest:
    (container,) = live["spec"]["template"]["spec"]["containers"]
    return {"template": {"spec": {"containers": [{**container, **fields}]}}}


ADDITIONS = {
    "selector": (SERVICE, "studio-backend", lambda _live: {"selector": {"x": "y"}}),
    "paused": (DEPLOYMENT, "studio-backend", lambda _live: {"paused": True}),
    "node": (DEPLOYMENT, "studio-backend", lambda _live: {"template": {"spec": {"nodeSelector": {"x": "y"}}}}),
    "command": (STATEFULSET, "studio-database", lambda live: in_container(live, command=["sleep"])),
    "arguments": (DEPLOYMENT, "studio-entry-proxy", lambda live: in_container(live, args=["-t"])),
}


@pytest.mark.parametrize(("kind", "name", "spec"), ADDITIONS.values(), ids=ADDITIONS.keys())
async def test_what_breaks_a_child_is_taken_out_with_one_write(world: World, kind: Any, name: str, spec: Any) -> None:
    world.put(STUDIO, "studio")
    await world.settle()
    before, live = world.picture(), world.get(kind, name)
    world.kube.put(merge_patch(live, {"spec": spec(live)}))
    assert world.picture() != before
    world.kube.requests.clear()
    await world.settle()
    assert world.picture() == before
    writes = [(request.verb, request.name) for request in world.kube.writes() if request.verb != "apply_status"]
    assert writes == [("patch", name)]


async def test_the_services_stay_while_a_store_restarts(world: World) -> None:
    world.put(STUDIO, "studio")
    await world.settle()
    world.kube.set_status(STATEFULSET, TEAM, "studio-database", {"readyReplicas": 0})
    await world.look_at_all()
    conditions = world.conditions(STUDIO, "studio")
    assert conditions["DatabaseReady"] == ("False", "RollingOut")
    assert conditions["MigrationSucceeded"] == ("True", "Succeeded")
    assert sorted(deployments(world)) == sorted(SERVICES)


async def test_what_is_damaged_while_a_store_restarts_is_repaired_at_once(world: World) -> None:
    world.put(STUDIO, "studio")
    await world.settle()
    edited = world.get(DEPLOYMENT, "studio-backend")
    world.kube.set_status(STATEFULSET, TEAM, "studio-database", {"readyReplicas": 0})
    world.kube.remove(DEPLOYMENT, TEAM, "studio-running-consumer")
    world.kube.put({**edited, "spec": {**edited["spec"], "replicas": 0}})
    await world.look_at_all()
    assert sorted(deployments(world)) == sorted(SERVICES)
    assert world.get(DEPLOYMENT, "studio-backend")["spec"] == edited["spec"]


@pytest.mark.parametrize("refused", ["studio-object-store", "studio-keycloak"])
async def test_what_is_somebody_elses_keeps_nothing_else_from_being_repaired(world: World, refused: str) -> None:
    world.put(STUDIO, "studio")
    await world.settle()
    world.kube.remove(SERVICE, TEAM, refused)
    theirs = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": refused, "namespace": TEAM}, "spec": {}}
    world.kube.put(theirs)
    world.kube.remove(DEPLOYMENT, TEAM, "studio-running-consumer")
    world.put(STUDIO, "studio", running={"policy": "Fixed", "consumers": 5})
    await world.look_at_all()
    assert world.get(DEPLOYMENT, "studio-running-consumer")["spec"]["replicas"] == 5
    assert world.conditions(STUDIO, "studio")["Stalled"] == ("True", "Conflict")
    assert "ownerReferences" not in world.get(SERVICE, refused)["metadata"]

    world.kube.remove(SERVICE, TEAM, refused)
    await world.settle()
    assert world.conditions(STUDIO, "studio")["Ready"] == ("True", "Ready")


async def test_nothing_is_migrated_beside_a_store_of_somebody_else(world: World) -> None:
    theirs = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "studio-database", "namespace": TEAM}}
    world.kube.put({**theirs, "spec": {}})
    world.put(STUDIO, "studio")
    for _ in range(3):
        await world.look_at_all()
        world.play_controllers()
    assert world.conditions(STUDIO, "studio")["Stalled"] == ("True", "Conflict")
    assert world.names(JOB) == []


async def test_a_new_version_waits_for_a_store_that_restarts(world: World) -> None:
    world.put(STUDIO, "studio")
    await world.settle()
    old = world.names(JOB)
    world.kube.set_status(STATEFULSET, TEAM, "studio-database", {"readyReplicas": 0})
    world.restart(version="2.0.0", services="services:2")
    await world.look_at_all()
    assert world.names(JOB) == old
    (container,) = world.get(DEPLOYMENT, "studio-backend")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "services:1"


async def test_what_is_no_longer_wanted_is_pruned_and_nothing_else(world: World) -> None:
    studio = world.put(STUDIO, "studio")
    await world.settle()
    owner = {"apiVersion": labels.API_VERSION, "kind": "Studio", "name": "studio", "uid": studio["metadata"]["uid"]}
    ours = {labels.MANAGED_BY: labels.MANAGED_BY_OPERATOR, labels.INSTANCE: "studio"}
    jobs = {labels.MANAGED_BY: labels.MANAGED_BY_MODEL_SERVICE, labels.INSTANCE: "studio"}

    def extra(name: str, carried: dict[str, str], owners: list[Manifest]) -> None:
        metadata = {"name": name, "namespace": TEAM, "labels": carried, "ownerReferences": owners}
        world.kube.put({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {}})

    extra("from-an-older-version", ours, [owner])
    extra("somebody-elses-copy", ours, [{**owner, "uid": "other"}])
    extra("unowned", ours, [])
    extra("of-the-model-service", jobs, [owner])
    await world.look_at_all()
    left = world.names(SERVICE)
    assert "from-an-older-version" not in left
    assert {"somebody-elses-copy", "unowned", "of-the-model-service"} <= set(left)


async def test_an_external_store_takes_the_place_of_the_embedded_one(world: World) -> None:
    reference = {"external": {"secretRef": {"name": "pg"}}}
    world.put(STUDIO, "studio", database=reference)
    await world.look_at_all()
    assert world.conditions(STUDIO, "studio")["Stalled"] == ("True", "SecretMissing")
    assert "spec.database.external.secretRef: there is no Secret pg" in world.message(STUDIO, "studio", "Stalled")

    data = dict.fromkeys(("host", "port", "user", "password"), "eA==")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pg", "namespace": TEAM}, "data": data}
    world.kube.put(secret)
    await world.look_at_all()
    assert world.conditions(STUDIO, "studio")["Stalled"] == ("True", "SecretKeyMissing")
    assert "Secret pg lacks the key sslmode" in world.message(STUDIO, "studio", "Stalled")

    world.kube.put({**secret, "data": {**data, "sslmode": "eA=="}})
    await world.settle()
    assert world.names(STATEFULSET) == ["studio-event-broker", "studio-object-store"]
    conditions = world.conditions(STUDIO, "studio")
    assert (conditions["Ready"], conditions["DatabaseReady"]) == (("True", "Ready"), ("True", "External"))


EXTERNAL_STORES = {
    "database": {"external": {"secretRef": {"name": "pg"}}},
    "objectStore": {
        "external": {"endpoint": "https://s3.example.com", "bucket": "bots", "secretRef": {"name": "bucket"}}
    },
    "eventBroker": {"external": {"bootstrapServers": "kafka.example.com:9093", "secretRef": {"name": "kafka"}}},
}


def put_external_secrets(world: World, **changes: str) -> None:
    keys = {
        "pg": ("host", "port", "user", "password", "sslmode"),
        "bucket": ("access-key", "secret-key"),
        "kafka": ("username", "password"),
    }
    for name, held in keys.items():
        data = dict.fromkeys(held, "eA==") | {key: changes[key] for key in held if key in changes}
        metadata = {"name": name, "namespace": TEAM}
        world.kube.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})


@pytest.mark.parametrize("field", ["database", "objectStore", "eventBroker"])
class TestStoreChange:
    """Data is not moved: a Studio keeps the kind of store that it began with."""

    async def test_embedded_to_external_is_refused_and_nothing_is_touched(self, world: World, field: str) -> None:
        world.put(STUDIO, "studio")
        await world.settle()
        put_external_secrets(world)
        await self._refused(world, field, **{field: EXTERNAL_STORES[field]})
        await self._back_again(world)

    async def test_external_to_embedded_is_refused_and_nothing_is_touched(self, world: World, field: str) -> None:
        put_external_secrets(world)
        world.put(STUDIO, "studio", **EXTERNAL_STORES)
        await world.settle()
        assert world.names(STATEFULSET) == []
        await self._refused(world, field, **{name: spec for name, spec in EXTERNAL_STORES.items() if name != field})
        await self._back_again(world, **EXTERNAL_STORES)

    async def test_it_is_refused_while_the_stateful_sets_are_away(self, world: World, field: str) -> None:
        world.put(STUDIO, "studio")
        await world.settle()
        for name in world.names(STATEFULSET):
            world.kube.remove(STATEFULSET, TEAM, name)
        await self._refused(world, field, **{field: EXTERNAL_STORES[field]})

    async def test_before_there_is_data_it_is_allowed(self, world: World, field: str) -> None:
        world.put(STUDIO, "studio", **EXTERNAL_STORES)
        await world.look_at_all()
        world.put(STUDIO, "studio", **{name: spec for name, spec in EXTERNAL_STORES.items() if name != field})
        put_external_secrets(world)
        await world.settle()
        assert world.conditions(STUDIO, "studio")["Ready"] == ("True", "Ready")

    async def _refused(self, world: World, field: str, **spec: Any) -> None:
        world.put(STUDIO, "studio", **spec)
        world.kube.requests.clear()
        assert await world.look_at(STUDIO, "studio") is None
        assert [request.verb for request in world.kube.writes()] == ["apply_status"]
        conditions = world.conditions(STUDIO, "studio")
        assert conditions["Stalled"] == ("True", "StoreChangeRefused")
        assert (conditions["Ready"], conditions["Available"]) == (
            ("False", "StoreChangeRefused"),
            ("True", "Available"),
        )
        assert world.message(STUDIO, "studio", "Stalled").startswith(f"spec.{field}: ")
        assert conditions["MigrationSucceeded"] == ("True", "Succeeded")

    async def _back_again(self, world: World, **spec: Any) -> None:
        world.put(STUDIO, "studio", **spec)
        await world.settle()
        assert world.conditions(STUDIO, "studio")["Ready"] == ("True", "Ready")


async def test_changed_credentials_of_external_stores_roll_their_readers(world: World) -> None:
    put_external_secrets(world)
    world.put(STUDIO, "studio", **EXTERNAL_STORES)
    await world.settle()

    def digests() -> dict[str, str | None]:
        templates = {name: world.get(DEPLOYMENT, name)["spec"]["template"] for name in world.names(DEPLOYMENT)}
        return {name: it["metadata"].get("annotations", {}).get(labels.CONFIG_DIGEST) for name, it in templates.items()}

    before, migrations = digests(), world.names(JOB)
    put_external_secrets(world, **{"secret-key": "bmV3"})
    await world.settle()
    after = digests()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"studio-training-orchestrator", "studio-running-orchestrator", "studio-backend"}
    assert world.names(JOB) == migrations

    put_external_secrets(world, **{"secret-key": "bmV3", "password": "bmV3"})
    await world.settle()
    assert world.names(JOB) != migrations

    world.kube.remove(SECRET, TEAM, "pg")
    assert await world.look_at(STUDIO, "studio") is not None
    conditions = world.conditions(STUDIO, "studio")
    assert (conditions["Stalled"], conditions["Available"]) == (("True", "SecretMissing"), ("True", "Available"))


async def test_a_changed_secret_rolls_its_readers_and_is_never_overwritten(world: World) -> None:
    world.put(STUDIO, "studio")
    await world.settle()

    def digest() -> str:
        template = world.get(DEPLOYMENT, "studio-running-orchestrator")["spec"]["template"]
        return str(template["metadata"]["annotations"][labels.CONFIG_DIGEST])

    before = digest()
    secret = world.get(SECRET, "studio-object-store")
    data = {**secret["data"], "secret-key": "bmV3"}
    world.kube.put({**secret, "data": data})
    await world.settle()
    assert digest() != before
    assert world.get(SECRET, "studio-object-store")["data"] == data


@pytest.mark.parametrize(("kind", "name"), CHILDREN, ids=str)
async def test_an_object_of_somebody_else_is_a_conflict_and_stays_untouched(world: World, kind: Any, name: str) -> None:
    theirs = {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": name, "namespace": TEAM, "labels": {"app": "theirs"}},
        "spec": {},
    }
    before = world.kube.put(theirs)
    world.put(STUDIO, "studio")
    again: float | None = None
    for _ in range(4):
        again = await world.look_at(STUDIO, "studio")
        world.play_controllers()
        world.kube.objects[kind, TEAM, name].pop("status", None)
    assert again is not None, "objects of others are not watched"
    conditions = world.conditions(STUDIO, "studio")
    assert conditions["Stalled"] == ("True", "Conflict")
    assert f"{kind.kind} {name} exists" in world.message(STUDIO, "studio", "Stalled")
    assert world.get(kind, name)["metadata"]["labels"] == before["metadata"]["labels"]
    assert world.get(kind, name)["spec"] == {}

    world.kube.remove(kind, TEAM, name)
    await world.settle()
    assert world.conditions(STUDIO, "studio")["Ready"] == ("True", "Ready")


async def test_children_of_a_predecessor_are_waited_for(world: World) -> None:
    world.put(STUDIO, "studio")
    await world.settle()
    world.kube.remove(STUDIO, TEAM, "studio")
    world.put(STUDIO, "studio")
    assert await world.look_at(STUDIO, "studio") is not None
    assert "Stalled" not in world.conditions(STUDIO, "studio")
    world.kube.collect_garbage()
    await world.settle()
    assert world.conditions(STUDIO, "studio")["Ready"] == ("True", "Ready")


async def test_two_assistants_make_three_slots(world: World) -> None:
    world.put(STUDIO, "studio")
    world.put_assistant("one")
    world.put_assistant("two", running={"mode": "Never"})
    world.put_assistant("elsewhere", studioRef={"name": "other"})
    await world.settle()
    assert world.get(DEPLOYMENT, "studio-running-consumer")["spec"]["replicas"] == 3
    assert world.status(STUDIO, "studio")["runningSlots"] == 3
    assert world.status(STUDIO, "studio")["assistants"] == 2
    await world.delete(ASSISTANT, "two")
    await world.settle()
    assert world.get(DEPLOYMENT, "studio-running-consumer")["spec"]["replicas"] == 2


async def test_a_fixed_number_may_leave_no_slot_to_spare(world: World) -> None:
    world.put(STUDIO, "studio", running={"policy": "Fixed", "consumers": 1})
    world.put_assistant("one")
    held = HeldSlot(assistant="one", run="one-r1", model_version="1", state=RunState.READY)
    world.model_service.held = Slots(held=[held])
    await world.settle()
    conditions = world.conditions(STUDIO, "studio")
    assert conditions["SpareSlotAvailable"] == ("False", "FixedTooSmall")
    assert conditions["Ready"] == ("True", "Ready")


async def test_slots_nobody_can_tell_of_are_asked_about_again(world: World) -> None:
    world.put(STUDIO, "studio")
    await world.settle()
    assert world.conditions(STUDIO, "studio")["SpareSlotAvailable"] == ("True", "SlotFree")
    world.model_service.error = Unreachable("connection refused")
    again = await world.reconciler.reconcile(Key("Studio", TEAM, "studio"))
    assert again is not None
    assert world.conditions(STUDIO, "studio")["SpareSlotAvailable"] == ("Unknown", "ModelServiceUnreachable")


async def test_an_invalid_spec_is_told_with_its_path_and_changes_nothing(world: World) -> None:
    world.put(STUDIO, "studio")
    await world.settle()
    world.put(STUDIO, "studio", training={"consumers": 0})
    world.kube.requests.clear()
    assert await world.look_at(STUDIO, "studio") is None
    assert [request.verb for request in world.kube.writes()] == ["apply_status"]
    conditions = world.conditions(STUDIO, "studio")
    assert conditions["Stalled"] == ("True", "InvalidSpec")
    assert conditions["Available"] == ("True", "Available")
    assert "spec.training.consumers" in world.message(STUDIO, "studio", "Stalled")
    world.put(STUDIO, "studio")
    await world.settle()
    assert world.conditions(STUDIO, "studio")["Ready"] == ("True", "Ready")


async def test_paused_changes_nothing_and_says_so(world: World) -> None:
    world.put(STUDIO, "studio")
    await world.settle()
    world.put(STUDIO, "studio", paused=True, training={"consumers": 3})
    world.kube.remove(DEPLOYMENT, TEAM, "studio-running-consumer")
    world.kube.requests.clear()
    await world.look_at_all()
    assert [request.verb for request in world.kube.writes()] == ["apply_status"]
    conditions = world.conditions(STUDIO, "studio")
    assert (conditions["Paused"], conditions["Ready"]) == (("True", "SpecPaused"), ("True", "Ready"))
    world.put(STUDIO, "studio", training={"consumers": 3})
    await world.settle()
    assert world.get(DEPLOYMENT, "studio-training-consumer")["spec"]["replicas"] == 3
    assert "Paused" not in world.conditions(STUDIO, "studio")


@pytest.mark.parametrize(
    "error", [Forbidden(403, "Forbidden", "exceeded quota: few"), Invalid(422, "Invalid", "immutable")]
)
async def test_a_refusal_of_the_api_server_is_told(world: World, error: Exception) -> None:
    world.put(STUDIO, "studio")
    world.kube.fail(error, verb="apply", kind=STATEFULSET)
    assert await world.look_at(STUDIO, "studio") is not None
    assert world.conditions(STUDIO, "studio")["Stalled"] == ("True", "ApplyRefused")
    await world.settle()
    assert world.conditions(STUDIO, "studio")["Ready"] == ("True", "Ready")


async def test_a_studio_on_its_way_out_is_left_alone(world: World) -> None:
    studio = world.put(STUDIO, "studio")
    world.kube.put({**studio, "metadata": {**studio["metadata"], "deletionTimestamp": "now", "finalizers": ["theirs"]}})
    world.kube.requests.clear()
    assert await world.look_at(STUDIO, "studio") is None
    assert await world.look_at(STUDIO, "unknown") is None
    assert world.kube.requests == []


async def test_images_of_the_studio_are_used_everywhere(world: World) -> None:
    world.put(STUDIO, "studio", images={"registry": "mirror.example.com"})
    await world.settle()
    for kind in (DEPLOYMENT, STATEFULSET, JOB):
        for name in world.names(kind):
            (container,) = world.get(kind, name)["spec"]["template"]["spec"]["containers"]
            assert container["image"].startswith("mirror.example.com/"), (name, IMAGES)


BY_INGRESS: dict[str, Any] = {"ingress": {"className": "public"}}
BY_ROUTE: dict[str, Any] = {"gateway": {"parentRefs": [{"name": "edge"}]}}


class TestExposure:
    """Ingress and HTTPRoute come and go with the fields that ask for them."""

    async def test_they_are_made_and_removed(self, world: World) -> None:
        world.put(STUDIO, "studio", **BY_INGRESS, **BY_ROUTE)
        await world.settle()
        assert (world.names(INGRESS), world.names(HTTPROUTE)) == (["studio-entry-proxy"], ["studio-entry-proxy"])
        assert world.conditions(STUDIO, "studio")["Ready"] == ("True", "Ready")
        world.put(STUDIO, "studio")
        await world.settle()
        assert (world.names(INGRESS), world.names(HTTPROUTE)) == ([], [])

    async def test_a_second_pass_writes_nothing(self, world: World) -> None:
        world.put(STUDIO, "studio", **BY_INGRESS, **BY_ROUTE)
        await world.settle()
        world.kube.requests.clear()
        await world.look_at(STUDIO, "studio")
        assert world.kube.writes() == []

    async def test_a_cluster_without_the_gateway_api_is_told(self, world: World) -> None:
        world.put(STUDIO, "studio", **BY_ROUTE)
        for _ in range(6):
            world.kube.fail(NotFound(404, "NotFound", "the server could not find it"), verb="apply", kind=HTTPROUTE)
            world.play_controllers()
            assert await world.look_at(STUDIO, "studio") is not None
        conditions = world.conditions(STUDIO, "studio")
        assert conditions["Stalled"] == ("True", "GatewayMissing")
        assert "spec.gateway" in world.message(STUDIO, "studio", "Stalled")
        assert (conditions["Available"], conditions["WebClientReady"]) == (("True", "Available"), ("True", "Ready"))

    async def test_somebody_elses_route_stays(self, world: World) -> None:
        metadata = {"name": "studio-entry-proxy", "namespace": TEAM}
        world.kube.put({"apiVersion": HTTPROUTE.api_version, "kind": "HTTPRoute", "metadata": metadata, "spec": {}})
        world.put(STUDIO, "studio")
        await world.settle()
        assert world.names(HTTPROUTE) == ["studio-entry-proxy"]


async def test_the_proxy_learns_of_assistants(world: World) -> None:
    world.put(STUDIO, "studio")
    world.put_assistant("one")
    world.put_assistant("two", channels={"expose": [], "cors": {"allowedOrigins": ["https://www.example.com"]}})
    await world.settle()

    def text() -> str:
        return str(world.get(CONFIGMAP, "studio-entry-proxy")["data"]["studio.conf"])

    assert '"one/rest" "1"' in text()
    assert '"two/rest"' not in text()
    await world.delete(ASSISTANT, "one")
    await world.look_at_all()
    assert '"one/rest"' not in text()


async def test_identity_may_be_changed(world: World) -> None:
    world.put(STUDIO, "studio")
    await world.settle()
    world.put(STUDIO, "studio", identity={"external": {"issuer": "https://login.example.com"}})
    await world.settle()
    conditions = world.conditions(STUDIO, "studio")
    assert (conditions["Ready"], conditions["KeycloakReady"]) == (("True", "Ready"), ("True", "External"))
    assert "keycloak" not in deployments(world)
    world.put(STUDIO, "studio")
    await world.settle()
    assert world.conditions(STUDIO, "studio")["KeycloakReady"] == ("True", "Ready")


async def test_the_url_is_shown(world: World) -> None:
    world.put(STUDIO, "studio", publicUrl="https://bots.example.com")
    await world.settle()
    assert world.status(STUDIO, "studio")["url"] == "https://bots.example.com"
