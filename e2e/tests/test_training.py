"""What can happen to a training: edited, deleted or hanging under way, held twice, no image, no room, no Secret."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from studio.contract import labels, names
from studio.contract.labels import Component
from studio_e2e import assistants, content, database, faults, leases, manifests, model_service, survival, watching
from studio_e2e.assistants import Assistant
from studio_e2e.database import Database
from studio_e2e.space import Space
from studio_e2e.waiting import eventually

Manifest = dict[str, Any]
NEVER = {"mode": "Never"}
_KEPT = """\
select object_key as kept from contents where uid = $1
union all select object_key from models where uid = $1
union all select id from items where uid = $1
"""
_CONVERSATIONS = """\
select rolname as name from pg_roles where rolname = $1
union all select nspname from pg_namespace where nspname = $1
"""


def test_an_edit_supersedes_the_training_under_way(assistant: Assistant) -> None:
    assistant.apply({"files": content.porter(greeting="First.")}, running=NEVER)
    first = assistant.wait_training_job()
    # The Job may be there before the status is written.
    superseded = eventually("its fingerprint", lambda: assistant.status.get("fingerprint"), within=20)
    assistant.apply({"files": content.porter(greeting="Second.")}, running=NEVER)
    ready = assistant.wait_ready(other_than=superseded)
    views = model_service.trainings(assistant.space, assistant.name)
    states = {view["fingerprint"]: view["state"] for view in views}
    assert states == {superseded: "Superseded", ready["status"]["fingerprint"]: "Succeeded"}
    eventually("the Job of the superseded training is gone", lambda: not _exists(assistant, first), within=60)
    survival.check_store(assistant.space)


def test_a_deletion_stops_the_very_first_training(assistant: Assistant) -> None:
    slots = assistants.slots(assistant.space)
    assistant.apply({"files": content.porter(greeting="Never heard.")})
    job = assistant.wait_training_job()
    assistants.wait_slots(assistant.space, slots + 1)
    assistant.delete(within=60)
    assistants.wait_slots(assistant.space, slots)
    eventually("its Job is gone", lambda: not _exists(assistant, job), within=60)
    survival.check_store(assistant.space)


@pytest.fixture
def trackers(rows: Database, studio: Space) -> Iterator[Database]:
    """The database of all conversations; not at hand where `rows` is not."""
    with database.opened(studio, "trackers") as opened:
        yield opened


def test_a_deletion_stops_the_training_under_way(assistant: Assistant, rows: Database, trackers: Database) -> None:
    """And takes along what there is of the assistant by then: that is what its spec says."""
    slots = assistants.slots(assistant.space)
    assistant.apply_with_content(content.porter(), deletionPolicy="Delete")
    assistants.wait_slots(assistant.space, slots + 1)
    uid = assistant.wait_ready()["metadata"]["uid"]
    schema = names.tracker_schema(uid)
    assert trackers.fetch(_CONVERSATIONS, schema) == [{"name": schema}] * 2, "a role and a schema"
    assert rows.fetch(_KEPT, uid)
    assistant.set_content(content.porter(greeting="Never heard."))
    assistant.wait_for("Trained", "False", reason="Training")
    assistant.delete()
    # The Assistant is not gone before all of this is.
    assert trackers.fetch(_CONVERSATIONS, schema) == []
    assert rows.fetch(_KEPT, uid) == []
    survival.check_store(assistant.space)
    assistants.wait_slots(assistant.space, slots)


@pytest.fixture
def second(studio: Space) -> Iterator[Assistant]:
    made = Assistant(studio, "second-one")
    yield made
    made.delete()


@pytest.fixture
def two_consumers(studio: Space) -> Iterator[None]:
    assistants.set_training_consumers(studio, 2)
    assistants.wait_studio_ready(studio)
    yield
    assistants.set_training_consumers(studio, 1)


def test_fewer_consumers_than_trainings_lose_none(assistant: Assistant, second: Assistant, two_consumers: None) -> None:
    """Who is let go gives its training back in good order, and the one that stays goes on with it."""
    both = (assistant, second)
    for each in both:
        each.apply({"files": content.porter(greeting=f"This is {each.name}.")}, running=NEVER)
    jobs = [each.wait_training_job() for each in both]
    assistants.set_training_consumers(assistant.space, 1)
    for each, job in zip(both, jobs, strict=True):
        each.wait_ready()
        survival.check_trained_once(each, job)


@contextmanager
def engine_held(assistant: Assistant) -> Iterator[Manifest]:
    """The engine of its training stands still for as long as the block runs; gives the Job."""
    assistant.wait_for("Trained", "False", reason="Training")
    job = assistant.wait_training_job()
    (pod,) = assistant.space.list("pods", selector=f"job-name={job['metadata']['name']}")
    with faults.held(pod):
        yield job


def test_two_consumers_believe_that_they_hold_the_same_training(
    assistant: Assistant, rows: Database, two_consumers: None
) -> None:
    """The first goes on where it stood still, in the midst of the training that is another's now."""
    assistant.apply({"files": content.porter()}, running=NEVER)
    with engine_held(assistant) as job:
        training = job["metadata"]["labels"][labels.TRAINING]
        first = leases.holder_of(rows, training)
        with faults.held(assistant.space.must_get("pod", first)):
            leases.wait_holder(rows, training, other_than=first)
        leases.wait_abandoned(assistant.space, first)
    assistant.wait_ready()
    survival.check_trained_once(assistant, job)
    (model,) = model_service.models(assistant.space, assistant.name)
    (view,) = model_service.trainings(assistant.space, assistant.name)
    assert (view["id"], view["state"], view["attempt"]) == (training, "Succeeded", 1)
    assert model["version"] == assistant.status["model"]["version"]
    survival.check_store(assistant.space)


def test_an_engine_that_hangs_is_ended_and_the_next_attempt_trains(assistant: Assistant) -> None:
    # More than an engine takes to be imported beside another: it writes nothing meanwhile.
    assistant.apply({"files": content.porter()}, running=NEVER, training={"stallSeconds": 45})
    with watching.messages_of(assistant, "Trained") as told, engine_held(assistant) as job:

        def stalled() -> bool:
            """The next attempt comes a second later: whoever only looks now and then may miss it."""
            return any("written nothing for 45 s" in message and "attempt 2 follows" in message for message in told)

        eventually("it is said that the engine hangs", stalled, within=120)
    assistant.wait_ready()
    (view,) = model_service.trainings(assistant.space, assistant.name)
    assert (view["state"], view["attempt"]) == ("Succeeded", 2)
    eventually("the Job of the engine that hung is gone", lambda: not _exists(assistant, job), within=60)


def test_a_training_that_takes_too_long_is_ended(assistant: Assistant) -> None:
    assistant.apply({"files": content.porter()}, running=NEVER, training={"deadlineSeconds": 60})
    with engine_held(assistant):
        said = assistant.wait_for("Trained", "False", reason="DeadlineExceeded", within=90)
        assert "spec.training.deadlineSeconds" in said["message"]
    (view,) = model_service.trainings(assistant.space, assistant.name)
    assert (view["state"], view["attempt"]) == ("Failed", 1)
    assert model_service.models(assistant.space, assistant.name) == []

    def nothing_trains() -> bool:
        return all(assistants.has_ended(job) for job in assistant.jobs(Component.TRAINING))

    eventually("nothing trains any more", nothing_trains, within=60)


@pytest.fixture
def secret(studio: Space) -> Iterator[str]:
    studio.apply(manifests.secret("half-a-secret", {"other": "value"}))
    yield "half-a-secret"
    studio.delete("secret", "half-a-secret")


def test_an_unknown_image_is_said(assistant: Assistant) -> None:
    engine = {"image": "registry.invalid/nobody/engine:0"}
    assistant.apply({"files": content.porter()}, running=NEVER, engine=engine)
    said = assistant.wait_for("Trained", "False", reason="ImagePullFailed", within=90)
    assert "registry.invalid/nobody/engine:0" in said["message"]


def test_the_name_of_an_image_that_cannot_be_one_ends_the_training(assistant: Assistant) -> None:
    assistant.apply({"files": content.porter()}, running=NEVER, engine={"image": "registry.invalid/No:0"})
    said = assistant.wait_for("Stalled", reason="InvalidImageName", within=90)
    assert "couldn't parse image name" in said["message"]


def test_a_secret_without_the_key_is_said(assistant: Assistant, secret: str) -> None:
    reference = {"secretKeyRef": {"name": secret, "key": "missing"}}
    engine = {"env": [{"name": "TOKEN", "valueFrom": reference}]}
    assistant.apply({"files": content.porter()}, running=NEVER, engine=engine)
    said = assistant.wait_for("Trained", "False", reason="ContainerConfigError", within=90)
    assert "missing" in said["message"]


def test_a_pod_that_fits_no_node_is_said(assistant: Assistant) -> None:
    training = {"resources": {"requests": {"cpu": "900"}}}
    assistant.apply({"files": content.porter()}, running=NEVER, training=training)
    said = assistant.wait_for("Trained", "False", reason="Unschedulable", within=60)
    assert "Insufficient cpu" in said["message"]


@pytest.fixture
def quota(studio: Space) -> Iterator[None]:
    hard = {"requests.cpu": "20"}
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": {"hard": hard}}
    studio.apply(body)
    yield
    studio.delete("resourcequota", "small")


def test_an_exceeded_quota_is_said(assistant: Assistant, quota: None) -> None:
    training = {"resources": {"requests": {"cpu": "900"}}}
    assistant.apply({"files": content.porter()}, running=NEVER, training=training)
    said = assistant.wait_for("Trained", "False", reason="QuotaExceeded", within=60)
    assert "exceeded quota" in said["message"]


def test_an_action_server_without_an_image_is_said(assistant: Assistant) -> None:
    actions = {"image": "registry.invalid/nobody/actions:0"}
    assistant.apply({"files": content.porter()}, running=NEVER, training={"trigger": "Manual"}, actions=actions)
    said = assistant.wait_for("ActionsReady", "False", reason="ImagePullFailed", within=60)
    assert "registry.invalid/nobody/actions:0" in said["message"]


def _exists(assistant: Assistant, job: Manifest) -> bool:
    return assistant.space.get("job", job["metadata"]["name"]) is not None
