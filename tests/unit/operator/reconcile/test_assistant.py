"""Passes over an Assistant: its Studio, its content, its children, and what the orchestrators are told and say."""

import io
import tarfile
from typing import Any

import pytest
from tests.unit.operator.reconcile.world import FILES, TEAM, World

from studio.contract import labels
from studio.contract.labels import Component
from studio.contract.model_service import RunState, TrainingState
from studio.kube import ASSISTANT, CONFIGMAP, DEPLOYMENT, JOB, SERVICE, STUDIO, Conflict, Forbidden, KubeError, Manifest
from studio_operator.ports import Refused, Unreachable
from studio_operator.reconcile.assistant import WHILE_CHANGING
from studio_operator.reconcile.finalize import FINALIZER

ACTIONS: dict[str, Any] = {"actions": {"image": "actions:1"}}
READY = ("True", "Ready")


async def served(world: World, name: str = "concierge", **spec: Any) -> None:
    """A Studio, and an Assistant whose content is trained and answers."""
    world.put_assistant(name, **spec)
    await world.settle()
    world.model_service.train(name)
    world.model_service.serve(name)
    await world.settle()


def config_map(name: str, data: dict[str, str]) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": TEAM}, "data": data}


async def test_from_nothing_to_ready(world: World) -> None:
    world.put_assistant()
    await world.look_at_all()
    assert world.conditions(ASSISTANT, "concierge")["StudioReady"] == ("False", "StudioCreating")
    assert FINALIZER in world.get(ASSISTANT, "concierge")["metadata"]["finalizers"]
    await world.settle()
    conditions = world.conditions(ASSISTANT, "concierge")
    assert conditions["Trained"] == conditions["Ready"] == ("False", "Queued")
    assert conditions["Reconciling"] == ("True", "Queued")
    assert world.status(ASSISTANT, "concierge")["training"]["position"] == 1

    world.model_service.train("concierge")
    await world.settle()
    assert world.conditions(ASSISTANT, "concierge")["Trained"] == ("True", "Trained")
    assert world.conditions(ASSISTANT, "concierge")["Ready"][0] == "False"

    world.model_service.serve("concierge")
    assert await world.look_at(ASSISTANT, "concierge") is None
    conditions = world.conditions(ASSISTANT, "concierge")
    assert conditions.keys() == {"Ready", "Available", "StudioReady", "ContentReady", "Trained", "Running"}
    assert {status for status, _ in conditions.values()} == {"True"}
    status = world.status(ASSISTANT, "concierge")
    assert status["urls"]["rest"] == "http://concierge.team.svc:5005/webhooks/rest/webhook"
    assert (status["model"]["version"], status["run"]["state"]) == ("1", "Ready")
    assert status["studio"] == "studio"
    assert world.recorder.reasons("Assistant/concierge")[-1] == "Serving"


async def test_a_second_pass_writes_nothing(world: World) -> None:
    await served(world, **ACTIONS)
    world.kube.requests.clear()
    events = len(world.recorder.events)
    assert await world.look_at(ASSISTANT, "concierge") is None
    assert world.kube.writes() == []
    assert len(world.recorder.events) == events


async def test_content_is_handed_over_once(world: World) -> None:
    await served(world)
    await world.look_at_all()
    known = world.model_service.of("concierge")
    assert world.model_service.handed_over == [*known.contents] == [world.status(ASSISTANT, "concierge")["fingerprint"]]
    (archive,) = known.contents.values()
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        assert files.getnames() == sorted(FILES)
    world.put_assistant(source={"files": {**FILES, "nlu.yml": "nlu: []"}})
    await world.settle()
    assert len(world.model_service.handed_over) == 2


async def test_what_the_orchestrators_are_told(world: World) -> None:
    world.put_assistant(
        engine={"image": "own:1"}, training={"priority": 3, "retries": 2}, running={"model": 7}, **ACTIONS
    )
    await world.settle()
    known = world.model_service.of("concierge")
    assert known.training is not None
    assert known.running is not None
    assert (known.training.priority, known.training.attempts, known.training.engine.image) == (3, 3, "own:1")
    assert (known.running.model, known.running.actions_url) == ("7", "http://concierge-actions.team.svc:5055/webhook")
    assert known.training.uid == known.running.uid == world.get(ASSISTANT, "concierge")["metadata"]["uid"]


class TestStudio:
    """Which Studio an Assistant gets."""

    async def test_it_is_created_once_with_an_empty_spec_and_no_owner(self, world: World) -> None:
        world.put_assistant("one")
        world.put_assistant("two")
        await world.look_at(ASSISTANT, "one")
        await world.look_at(ASSISTANT, "two")
        assert [request.kind for request in world.kube.writes() if request.verb == "create"].count("Studio") == 1
        studio = world.get(STUDIO, "studio")
        assert studio["spec"] == {}
        assert "ownerReferences" not in studio["metadata"]

    async def test_its_spec_is_never_written_again(self, world: World) -> None:
        await served(world)
        world.put(STUDIO, "studio", training={"consumers": 2})
        await world.settle()
        assert world.get(STUDIO, "studio")["spec"] == {"training": {"consumers": 2}}

    async def test_it_is_not_created_when_the_setting_is_off(self, world: World) -> None:
        world.restart(auto_create=False)
        world.put_assistant()
        await world.look_at_all()
        assert world.names(STUDIO) == []
        assert world.conditions(ASSISTANT, "concierge")["Stalled"] == ("True", "StudioNotFound")

    async def test_a_named_one_that_is_missing_is_told_and_heals(self, world: World) -> None:
        world.put_assistant(studioRef={"name": "atelier"})
        await world.look_at_all()
        assert world.names(STUDIO) == []
        assert world.conditions(ASSISTANT, "concierge")["Stalled"] == ("True", "StudioNotFound")
        assert "spec.studioRef.name" in world.message(ASSISTANT, "concierge", "Stalled")
        world.put(STUDIO, "atelier")
        await world.settle()
        assert world.conditions(ASSISTANT, "concierge")["StudioReady"] == ("True", "Available")
        assert "Stalled" not in world.conditions(ASSISTANT, "concierge")

    async def test_a_terminating_namespace_takes_nothing_new(self, world: World) -> None:
        world.kube.fail(Forbidden(403, "Forbidden", "it is being terminated"), verb="create", kind=STUDIO)
        world.put_assistant()
        await world.look_at_all()
        assert world.conditions(ASSISTANT, "concierge")["StudioReady"] == ("False", "StudioNotCreated")

    async def test_its_invalid_spec_does_not_undo_what_is_known(self, world: World) -> None:
        await served(world)
        world.put(STUDIO, "studio", training={"consumers": 0})
        await world.look_at_all()
        conditions = world.conditions(ASSISTANT, "concierge")
        assert conditions["StudioReady"] == ("False", "StudioNotReady")
        assert conditions["Available"] == ("True", "Available")
        assert "spec.training.consumers" in world.message(ASSISTANT, "concierge", "StudioReady")

    async def test_while_it_restarts_what_was_known_stands(self, world: World) -> None:
        await served(world)
        before = world.status(ASSISTANT, "concierge")
        world.kube.set_status(DEPLOYMENT, TEAM, "studio-running-orchestrator", {"readyReplicas": 0})
        await world.look_at_all()
        after = world.status(ASSISTANT, "concierge")
        assert {key: after[key] for key in before if key != "conditions"} == {
            key: before[key] for key in before if key != "conditions"
        }
        conditions = world.conditions(ASSISTANT, "concierge")
        assert (conditions["Ready"], conditions["StudioReady"][0]) == (("False", "StudioNotReady"), "False")
        assert conditions["Available"] == ("True", "Available")

    async def test_a_part_that_fails_later_is_told_and_stops_nothing(self, world: World) -> None:
        await served(world)
        world.kube.set_status(DEPLOYMENT, TEAM, "studio-web-client", {"readyReplicas": 0})
        await world.look_at_all()
        await world.look_at_all()
        conditions = world.conditions(ASSISTANT, "concierge")
        assert conditions["StudioReady"] == conditions["Ready"] == ("False", "StudioNotReady")
        assert "studio-web-client: 0 of 1 ready" in world.message(ASSISTANT, "concierge", "StudioReady")
        assert (conditions["Available"], conditions["Running"]) == (("True", "Available"), ("True", "Serving"))
        world.put_assistant(source={"files": {**FILES, "data.yml": "nlu: []\n"}})
        await world.look_at(ASSISTANT, "concierge")
        assert world.conditions(ASSISTANT, "concierge")["Trained"] == ("False", "Queued")

    async def test_ready_means_that_every_part_of_the_studio_serves(self, world: World) -> None:
        world.put_assistant()

        async def without_keycloak() -> None:
            for _ in range(6):
                world.play_controllers(without=[Component.KEYCLOAK])
                await world.look_at_all()

        await without_keycloak()
        world.model_service.train("concierge")
        world.model_service.serve("concierge")
        await without_keycloak()
        assert world.conditions(ASSISTANT, "concierge")["Ready"] == ("False", "StudioNotReady")
        assert world.conditions(ASSISTANT, "concierge")["Available"] == ("True", "Available")
        await world.settle()
        assert world.conditions(ASSISTANT, "concierge")["Ready"] == READY

    async def test_when_it_is_gone_nothing_of_its_model_service_stays(self, world: World) -> None:
        world.put(STUDIO, "atelier")
        await served(world, studioRef={"name": "atelier"})
        world.kube.put(_run_service())
        world.kube.remove(STUDIO, TEAM, "atelier")
        await world.look_at(ASSISTANT, "concierge")
        assert "concierge" not in world.names(SERVICE)
        conditions = world.conditions(ASSISTANT, "concierge")
        assert (conditions["Available"][0], conditions["Stalled"]) == ("Unknown", ("True", "StudioNotFound"))
        assert "run" not in world.status(ASSISTANT, "concierge")


def _run_service(**changes: Any) -> Manifest:
    carried = {labels.ASSISTANT: "concierge", labels.MANAGED_BY: labels.MANAGED_BY_MODEL_SERVICE} | changes
    metadata = {"name": "concierge", "namespace": TEAM, "labels": carried}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {}}


class TestBadInput:
    """Each with the field, the reason, and the way back."""

    @pytest.mark.parametrize(
        ("spec", "path"),
        [
            ({"source": {}}, "spec.source"),
            ({"source": {"files": FILES, "configMaps": [{"name": "a"}]}}, "spec.source"),
            ({"training": {"priority": "high"}}, "spec.training.priority"),
            ({"source": {"git": {"url": "https://example.com/a.git"}}}, "spec.source.git"),
            ({"running": {"mode": "OnDemand", "idleMinutes": 0}}, "spec.running.idleMinutes"),
        ],
    )
    async def test_an_invalid_spec_is_stalled_and_the_old_model_answers(
        self, world: World, spec: dict[str, Any], path: str
    ) -> None:
        await served(world)
        world.put_assistant(**spec)
        assert await world.look_at(ASSISTANT, "concierge") is None
        conditions = world.conditions(ASSISTANT, "concierge")
        assert conditions["Stalled"] == ("True", "InvalidSpec")
        assert (conditions["Ready"], conditions["Available"]) == (("False", "InvalidSpec"), ("True", "Available"))
        assert path in world.message(ASSISTANT, "concierge", "Stalled")
        assert world.status(ASSISTANT, "concierge")["run"]["state"] == "Ready"
        world.put_assistant()
        await world.settle()
        assert world.conditions(ASSISTANT, "concierge")["Ready"] == READY

    async def test_a_name_that_is_a_part_of_another_studio_is_refused_until_that_is_gone(self, world: World) -> None:
        world.put(STUDIO, "atelier")
        world.put_assistant("atelier-database")
        await world.look_at(ASSISTANT, "atelier-database")
        assert world.conditions(ASSISTANT, "atelier-database")["Stalled"] == ("True", "InvalidSpec")
        assert "a part of the Studio 'atelier'" in world.message(ASSISTANT, "atelier-database", "Stalled")
        world.kube.remove(STUDIO, TEAM, "atelier")
        await world.settle()
        assert "Stalled" not in world.conditions(ASSISTANT, "atelier-database")

    @pytest.mark.parametrize("name", ["studio-database", "x-actions", "studio-migration-1", "a" * 41])
    async def test_colliding_and_long_names_are_refused(self, world: World, name: str) -> None:
        world.put_assistant(name)
        await world.look_at(ASSISTANT, name)
        assert world.conditions(ASSISTANT, name)["Stalled"] == ("True", "InvalidSpec")
        assert "metadata.name" in world.message(ASSISTANT, name, "Stalled")

    async def test_a_config_map_that_comes_later_heals(self, world: World) -> None:
        world.put_assistant(source={"configMaps": [{"name": "content"}]})
        await world.settle()
        conditions = world.conditions(ASSISTANT, "concierge")
        assert conditions["ContentReady"] == ("False", "ConfigMapMissing")
        assert "Stalled" not in conditions
        assert await world.look_at(ASSISTANT, "concierge") is not None
        world.kube.put(config_map("content", FILES))
        await world.settle()
        assert world.conditions(ASSISTANT, "concierge")["ContentReady"] == ("True", "Accepted")
        fingerprint = world.status(ASSISTANT, "concierge")["fingerprint"]
        world.kube.put(config_map("content", {**FILES, "nlu.yml": "nlu: []"}))
        await world.settle()
        assert world.status(ASSISTANT, "concierge")["fingerprint"] != fingerprint

    async def test_unreadable_content_is_stalled_and_the_old_model_answers(self, world: World) -> None:
        await served(world)
        world.put_assistant(source={"files": {**FILES, "nlu.yml": "nlu: ["}})
        await world.settle()
        conditions = world.conditions(ASSISTANT, "concierge")
        assert conditions["Stalled"] == ("True", "UnreadableContent")
        assert (conditions["Ready"][0], conditions["Available"]) == ("False", ("True", "Available"))
        known = world.model_service.of("concierge")
        assert known.training is not None
        assert known.training.fingerprint is None
        assert len(known.trainings) == 1

    async def test_what_the_engine_refuses_is_told_in_its_own_words(self, world: World) -> None:
        await served(world)
        world.put_assistant(source={"files": {**FILES, "nlu.yml": "nlu: []"}})
        await world.settle()
        world.model_service.fail_training("concierge", "Component 'SpacyNLP' is not there")
        assert await world.look_at(ASSISTANT, "concierge") is None
        conditions = world.conditions(ASSISTANT, "concierge")
        assert conditions["Stalled"] == ("True", "InvalidContent")
        assert conditions["Trained"] == conditions["Ready"] == ("False", "InvalidContent")
        assert conditions["Available"] == ("True", "Available")
        assert world.message(ASSISTANT, "concierge", "Trained") == "Component 'SpacyNLP' is not there"
        assert any(event.warning and event.reason == "InvalidContent" for event in world.recorder.events)

    async def test_a_service_of_somebody_else_is_a_conflict_and_stays_untouched(self, world: World) -> None:
        theirs = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "concierge", "namespace": TEAM},
            "spec": {},
        }
        before = world.kube.put(theirs)
        world.put_assistant()
        await world.settle()
        assert world.conditions(ASSISTANT, "concierge")["Stalled"] == ("True", "Conflict")
        assert "Service concierge exists" in world.message(ASSISTANT, "concierge", "Stalled")
        assert world.get(SERVICE, "concierge") == before
        assert world.model_service.assistants == {}
        world.kube.remove(SERVICE, TEAM, "concierge")
        await world.settle()
        assert "Stalled" not in world.conditions(ASSISTANT, "concierge")

    async def test_a_secret_with_a_missing_key_is_told_and_heals(self, world: World) -> None:
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "channels", "namespace": TEAM}, "data": {}}
        world.put_assistant(channels={"credentialsSecretRef": {"name": "channels"}})
        await world.settle()
        assert world.conditions(ASSISTANT, "concierge")["Ready"] == ("False", "SecretMissing")
        world.kube.put(secret)
        assert await world.look_at(ASSISTANT, "concierge") is not None
        assert world.conditions(ASSISTANT, "concierge")["Ready"] == ("False", "SecretKeyMissing")
        assert "lacks the key credentials.yml" in world.message(ASSISTANT, "concierge", "Ready")
        world.kube.put({**secret, "data": {"credentials.yml": "cmVzdDo="}})
        await world.settle()
        assert world.conditions(ASSISTANT, "concierge")["Ready"] == ("False", "Queued")


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"channels": {"credentialsSecretRef": {"name": "mine"}}}, "credentials_digest"),
        ({"engine": {"licenceSecretRef": {"name": "mine", "key": "credentials.yml"}}}, "licence_digest"),
    ],
    ids=["channels", "licence"],
)
async def test_a_changed_secret_takes_a_new_run(world: World, spec: dict[str, Any], field: str) -> None:
    metadata = {"name": "mine", "namespace": TEAM}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"credentials.yml": "cmVzdDo="}}
    world.kube.put(secret)
    await served(world, **spec)
    before = getattr(world.model_service.of("concierge").running, field)
    assert before is not None
    world.kube.put({**secret, "data": {"credentials.yml": "c29ja2V0aW86"}})
    await world.settle()
    assert getattr(world.model_service.of("concierge").running, field) not in (None, before)


class TestModelService:
    """Orchestrators that do not answer, or say no."""

    async def test_unreachable_keeps_what_was_known(self, world: World) -> None:
        await served(world)
        before = world.status(ASSISTANT, "concierge")
        world.model_service.error = Unreachable("training orchestrator: connection refused")
        assert await world.look_at(ASSISTANT, "concierge") is not None
        conditions = world.conditions(ASSISTANT, "concierge")
        assert conditions["Degraded"] == ("True", "ModelServiceUnreachable")
        assert (conditions["Ready"], conditions["Available"]) == (READY, ("True", "Available"))
        assert world.status(ASSISTANT, "concierge")["run"] == before["run"]
        world.model_service.error = None
        await world.settle()
        assert world.status(ASSISTANT, "concierge") == before

    async def test_what_runs_is_looked_after_while_what_trains_is_away(self, world: World) -> None:
        await served(world)
        world.model_service.training_error = Unreachable("training orchestrator: connection refused")
        world.put_assistant(running={"mode": "Never"})
        assert await world.look_at(ASSISTANT, "concierge") is not None
        running = world.model_service.of("concierge").running
        assert running is not None
        assert running.mode == "Never"
        assert world.conditions(ASSISTANT, "concierge")["Degraded"] == ("True", "ModelServiceUnreachable")

    async def test_new_content_is_not_ready_before_somebody_heard_of_it(self, world: World) -> None:
        await served(world)
        world.model_service.error = Unreachable("connection refused")
        world.put_assistant(source={"files": {**FILES, "nlu.yml": "nlu: []"}})
        await world.look_at(ASSISTANT, "concierge")
        conditions = world.conditions(ASSISTANT, "concierge")
        assert conditions["Ready"] == ("False", "ModelServiceUnreachable")
        assert conditions["Available"] == ("True", "Available")

    async def test_a_refusal_is_told_in_its_own_words(self, world: World) -> None:
        world.put_assistant()
        world.model_service.error = Refused(409, "another assistant of that name is being removed")
        await world.settle()
        assert world.conditions(ASSISTANT, "concierge")["Ready"] == ("False", "ModelServiceRefused")
        assert "another assistant of that name" in world.message(ASSISTANT, "concierge", "Ready")

    async def test_conversations_in_memory_are_a_degradation(self, world: World) -> None:
        world.model_service.durable = False
        await served(world)
        conditions = world.conditions(ASSISTANT, "concierge")
        assert (conditions["Degraded"], conditions["Ready"]) == (("True", "TrackersNotDurable"), READY)


class TestActions:
    """The action server of an Assistant."""

    async def test_it_comes_and_goes_with_the_spec(self, world: World) -> None:
        await served(world, **ACTIONS)
        assert world.conditions(ASSISTANT, "concierge")["ActionsReady"] == ("True", "Ready")
        world.put_assistant()
        await world.settle()
        assert "concierge-actions" not in world.names(DEPLOYMENT) + world.names(SERVICE)
        assert "ActionsReady" not in world.conditions(ASSISTANT, "concierge")

    async def test_an_assistant_is_not_ready_without_it(self, world: World) -> None:
        await served(world, **ACTIONS)
        world.kube.set_status(DEPLOYMENT, TEAM, "concierge-actions", {"readyReplicas": 0})
        assert await world.look_at(ASSISTANT, "concierge") is not None
        conditions = world.conditions(ASSISTANT, "concierge")
        assert (conditions["Ready"], conditions["Available"][0]) == (("False", "RollingOut"), "True")

    async def test_its_pod_says_what_keeps_it(self, world: World) -> None:
        await served(world, **ACTIONS)
        world.kube.set_status(DEPLOYMENT, TEAM, "concierge-actions", {"readyReplicas": 0})
        world.put_unschedulable_pod(DEPLOYMENT, "concierge-actions")
        await world.look_at(ASSISTANT, "concierge")
        conditions = world.conditions(ASSISTANT, "concierge")
        assert (conditions["ActionsReady"], conditions["Available"][0]) == (("False", "Unschedulable"), "True")
        assert "no node is large enough" in world.message(ASSISTANT, "concierge", "Ready")


async def test_a_place_in_the_queue_is_told_every_ten_seconds_and_a_state_at_once(world: World) -> None:
    world.put_assistant()
    await world.settle()
    known = world.model_service.of("concierge")

    def place() -> int | None:
        position: int | None = world.status(ASSISTANT, "concierge")["training"].get("position")
        return position

    def move(**changes: Any) -> None:
        known.trainings[-1] = known.trainings[-1].model_copy(update=changes)

    move(position=9)
    world.clock.advance(10)
    await world.look_at(ASSISTANT, "concierge")
    assert place() == 9
    move(position=8)
    again = await world.look_at(ASSISTANT, "concierge")
    assert (place(), again) == (9, 9.0)
    world.clock.advance(10)
    await world.look_at(ASSISTANT, "concierge")
    assert place() == 8
    move(position=None, state=TrainingState.RUNNING, reason="Training")
    await world.look_at(ASSISTANT, "concierge")
    assert world.status(ASSISTANT, "concierge")["training"]["state"] == "Running"


async def test_trigger_manual_waits_for_a_request(world: World) -> None:
    world.put_assistant(training={"trigger": "Manual"})
    await world.settle()
    conditions = world.conditions(ASSISTANT, "concierge")
    assert conditions["Trained"] == conditions["Ready"] == ("False", "NotRequested")
    assert not {"Reconciling", "Stalled"} & conditions.keys()
    assert len(world.model_service.handed_over) == 1
    assert await world.look_at(ASSISTANT, "concierge") is None


@pytest.mark.parametrize("mode", ["OnDemand", "Never", "Always"])
async def test_a_run_that_waits_for_a_slot_is_looked_at_again(world: World, mode: str) -> None:
    """Others move it in the line, and the change stream does not tell of that."""
    world.put_assistant(running={"mode": mode})
    await world.settle()
    world.model_service.train("concierge")
    world.model_service.serve("concierge")
    known = world.model_service.of("concierge")
    queued = {"state": RunState.QUEUED, "serving": False, "reason": "Requested", "waits_for": "it is next"}
    known.runs[-1] = known.runs[-1].model_copy(update=queued)
    assert await world.look_at(ASSISTANT, "concierge") == WHILE_CHANGING
    assert world.conditions(ASSISTANT, "concierge")["Running"] == ("False", "Queued")


class TestPause:
    """`spec.paused` reaches the orchestrators, and nothing else happens."""

    async def test_what_waits_in_the_queues_is_held(self, world: World) -> None:
        world.put_assistant()
        await world.settle()
        fingerprint = world.status(ASSISTANT, "concierge")["fingerprint"]
        world.put_assistant(paused=True, source={"files": {**FILES, "nlu.yml": "nlu: []"}})
        assert await world.look_at(ASSISTANT, "concierge") is None
        known = world.model_service.of("concierge")
        assert known.training is not None
        assert known.running is not None
        assert (known.training.paused, known.running.paused) == (True, True)
        assert known.training.fingerprint == known.running.fingerprint == fingerprint
        world.put_assistant()
        await world.settle()
        known = world.model_service.of("concierge")
        assert known.training is not None
        assert known.running is not None
        assert (known.training.paused, known.running.paused) == (False, False)

    async def test_nobody_is_told_of_an_assistant_whose_studio_never_served(self, world: World) -> None:
        world.put_assistant(paused=True)
        assert await world.look_at(ASSISTANT, "concierge") is None
        world.put(STUDIO, "studio")
        assert await world.look_at(ASSISTANT, "concierge") is None
        assert world.model_service.assistants == {}
        assert world.conditions(ASSISTANT, "concierge")["Paused"] == ("True", "SpecPaused")

    async def test_an_orchestrator_that_does_not_answer_is_told_later(self, world: World) -> None:
        await served(world)
        world.put_assistant(paused=True)
        world.model_service.error = Unreachable("connection refused")
        assert await world.look_at(ASSISTANT, "concierge") is not None
        assert world.conditions(ASSISTANT, "concierge")["Paused"] == ("True", "SpecPaused")
        world.model_service.error = None
        assert await world.look_at(ASSISTANT, "concierge") is None
        known = world.model_service.of("concierge")
        assert known.training is not None
        assert known.training.paused


async def test_paused_changes_nothing_and_says_so(world: World) -> None:
    await served(world)
    handed_over = list(world.model_service.handed_over)
    world.put_assistant(paused=True, source={"files": {**FILES, "nlu.yml": "nlu: []"}})
    await world.settle()
    conditions = world.conditions(ASSISTANT, "concierge")
    assert (conditions["Paused"], conditions["Ready"]) == (("True", "SpecPaused"), READY)
    assert world.model_service.handed_over == handed_over
    assert world.status(ASSISTANT, "concierge")["observedGeneration"] == 1


class TestDeletion:
    """The finalizer asks the orchestrators, and never holds up what nobody can answer."""

    @pytest.mark.parametrize("policy", ["Retain", "Delete"])
    async def test_the_orchestrators_stop_and_clean_first(self, world: World, policy: str) -> None:
        await served(world, deletionPolicy=policy)
        uid = world.get(ASSISTANT, "concierge")["metadata"]["uid"]
        world.model_service.stubborn = True
        await world.delete(ASSISTANT, "concierge")
        assert await world.look_at(ASSISTANT, "concierge") == 1.0
        assert world.model_service.removed == [(uid, policy == "Delete")]
        assert world.names(ASSISTANT) == ["concierge"]
        world.model_service.stubborn = False
        assert await world.look_at(ASSISTANT, "concierge") is None
        assert world.names(ASSISTANT) == []
        assert await world.look_at(ASSISTANT, "concierge") is None

    async def test_a_job_that_no_consumer_ends_goes_without_one(self, world: World) -> None:
        await served(world)
        world.model_service.stubborn = True
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": "concierge-r1-1",
                "namespace": TEAM,
                "labels": {labels.ASSISTANT: "concierge", labels.MANAGED_BY: labels.MANAGED_BY_MODEL_SERVICE},
            },
            "spec": {},
        }
        world.kube.put(job)
        await world.delete(ASSISTANT, "concierge")
        await world.look_at(ASSISTANT, "concierge")
        assert "concierge-r1-1" in world.names(JOB)
        world.model_service.waiting_seconds = 61.0
        await world.look_at(ASSISTANT, "concierge")
        assert "concierge-r1-1" not in world.names(JOB)
        assert world.names(ASSISTANT) == ["concierge"]

    async def test_an_unreachable_orchestrator_is_asked_again(self, world: World) -> None:
        await served(world)
        await world.delete(ASSISTANT, "concierge")
        world.model_service.error = Unreachable("connection refused")
        with pytest.raises(Unreachable):
            await world.look_at(ASSISTANT, "concierge")
        assert world.names(ASSISTANT) == ["concierge"]

    @pytest.mark.parametrize("how", ["no studio", "studio going", "namespace going", "forced", "studio never came up"])
    async def test_it_does_not_wait_for_who_is_gone(self, world: World, how: str) -> None:
        if how == "studio never came up":
            world.put(STUDIO, "studio")
            world.put_assistant()
            await world.look_at_all()
        else:
            await served(world)
        world.kube.put(_run_service())
        studio, assistant = world.get(STUDIO, "studio"), world.get(ASSISTANT, "concierge")
        if how == "no studio":
            world.kube.remove(STUDIO, TEAM, "studio")
        elif how == "studio going":
            world.kube.put(
                {**studio, "metadata": {**studio["metadata"], "deletionTimestamp": "x", "finalizers": ["y"]}}
            )
        elif how == "namespace going":
            let_namespace_go(world)
        elif how == "forced":
            note = {f"{labels.GROUP}/force-delete": "true"}
            world.kube.put({**assistant, "metadata": {**assistant["metadata"], "annotations": note}})
        world.model_service.error = Unreachable("gone")
        await world.delete(ASSISTANT, "concierge")
        assert await world.look_at(ASSISTANT, "concierge") is None
        assert world.names(ASSISTANT) == []
        assert "concierge" not in world.names(SERVICE)

    async def test_finalizers_of_others_stay(self, world: World) -> None:
        assistant = world.put_assistant()
        world.kube.put({**assistant, "metadata": {**assistant["metadata"], "finalizers": ["theirs"]}})
        await served(world)
        assert world.get(ASSISTANT, "concierge")["metadata"]["finalizers"] == ["theirs", FINALIZER]
        await world.delete(ASSISTANT, "concierge")
        await world.look_at(ASSISTANT, "concierge")
        assert world.get(ASSISTANT, "concierge")["metadata"]["finalizers"] == ["theirs"]
        assert await world.look_at(ASSISTANT, "concierge") is None

    async def test_nobody_is_asked_for_anything_before_the_finalizer_is_on(self, world: World) -> None:
        world.put(STUDIO, "studio")
        await world.settle()
        world.put_assistant()
        world.kube.fail(KubeError(409, "Conflict", "somebody was faster"), verb="patch")
        with pytest.raises(KubeError):
            await world.look_at(ASSISTANT, "concierge")
        assert world.model_service.assistants == {}

    async def test_a_new_assistant_under_an_old_name_is_another_one(self, world: World) -> None:
        await served(world)
        first = world.get(ASSISTANT, "concierge")["metadata"]["uid"]
        await world.delete(ASSISTANT, "concierge")
        await world.look_at(ASSISTANT, "concierge")
        world.put_assistant()
        await world.settle()
        assert world.get(ASSISTANT, "concierge")["metadata"]["uid"] != first
        assert world.conditions(ASSISTANT, "concierge")["Trained"] == ("False", "Queued")


class TestNamespaceGoing:
    """Its pods go first, and the rights of who serves only this namespace with the rest: the finalizer must be off."""

    async def test_as_soon_as_its_studio_is_lost_nobody_waits_for_anything(self, world: World) -> None:
        await served(world)
        let_namespace_go(world)
        world.kube.set_status(DEPLOYMENT, TEAM, "studio-running-orchestrator", {"readyReplicas": 0})
        world.model_service.error = Unreachable("gone")
        await world.look_at_all()
        assert finalizers(world) == []
        # Whatever happens before its deletion: it is not put on again, and nobody is told of it.
        world.kube.requests.clear()
        await world.look_at_all()
        assert finalizers(world) == []
        await world.delete(ASSISTANT, "concierge")
        assert world.names(ASSISTANT) == []

    async def test_while_the_namespace_stays_it_stays(self, world: World) -> None:
        await served(world)
        world.model_service.error = Unreachable("restarts")
        await world.look_at_all()
        assert finalizers(world) == [FINALIZER]

    async def test_an_operator_that_goes_with_it_lets_all_of_them_go(self, world: World) -> None:
        await served(world)
        world.put_assistant("porter", paused=True)
        await world.look_at_all()
        theirs = world.get(ASSISTANT, "porter")
        world.kube.put({**theirs, "metadata": {**theirs["metadata"], "finalizers": ["theirs", FINALIZER]}})
        await world.reconciler.farewell([TEAM])
        assert finalizers(world) == [FINALIZER]
        let_namespace_go(world)
        await world.reconciler.farewell(["elsewhere", TEAM])
        assert (finalizers(world), finalizers(world, "porter")) == ([], ["theirs"])

    async def test_somebody_elses_write_in_between_is_no_reason_to_stay(self, world: World) -> None:
        await served(world)
        let_namespace_go(world)
        world.kube.fail(Conflict(409, "Conflict", "somebody was faster"), verb="patch", times=1)
        await world.reconciler.farewell([TEAM])
        assert finalizers(world) == []

    @pytest.mark.parametrize("verb", ["get", "patch"])
    async def test_who_may_not_do_that_any_more_ends_all_the_same(self, world: World, verb: str) -> None:
        await served(world)
        let_namespace_go(world)
        world.kube.fail(Forbidden(403, "Forbidden", "the binding is gone"), verb=verb)
        await world.reconciler.farewell([TEAM])
        assert finalizers(world) == [FINALIZER]


def let_namespace_go(world: World) -> None:
    metadata = {"name": TEAM, "deletionTimestamp": "x", "finalizers": ["kubernetes"]}
    world.kube.put({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})


def finalizers(world: World, name: str = "concierge") -> list[str]:
    found: list[str] = world.get(ASSISTANT, name)["metadata"].get("finalizers", [])
    return found


async def test_a_config_map_is_only_read_in_its_own_namespace(world: World) -> None:
    elsewhere = config_map("content", FILES)
    elsewhere["metadata"]["namespace"] = "other"
    world.kube.put(elsewhere)
    world.put_assistant(source={"configMaps": [{"name": "content"}]})
    await world.settle()
    assert {r.namespace for r in world.kube.requests if r.kind == CONFIGMAP.kind} == {TEAM}
