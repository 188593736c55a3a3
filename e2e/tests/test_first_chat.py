"""The main job: one applied Assistant becomes a Studio that trains, runs and answers, and goes away clean."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from cluster.progress import Progress
from stage import entry, example
from stage.kubectl import REPOSITORY, Kubectl, conditions
from stage.operator import image_refs
from studio.contract import labels
from studio.contract.labels import Component
from studio_e2e import assistants, chat, content, other_user, processes, watching
from studio_e2e.assistants import Assistant
from studio_e2e.control_plane import ControlPlane
from studio_e2e.space import Space, Spaces
from studio_e2e.waiting import NotYet, eventually

Manifest = dict[str, Any]

CORE = (
    "database",
    "object-store",
    "training-orchestrator",
    "training-consumer",
    "running-orchestrator",
    "running-consumer",
)
# Two workers are busy on two cores here: the benchmark judges the goal of 120 s, alone on the machine.
READY_SECONDS = 240.0
# Longer than the limit, so that whoever exceeds it is told by how much.
ARRIVES_WITHIN = 300.0
_TRACKER = """\
import sys, urllib.request as u
token = open("/run/engine/token").read().strip()
print(u.urlopen(f"http://127.0.0.1:5005/conversations/{sys.argv[1]}/tracker?token={token}", timeout=20).read().decode())
"""


@dataclass
class Arrival:
    """What was seen on the way from the apply to Ready; times in seconds after the apply."""

    assistant: Assistant
    ready: Manifest
    seconds: float
    first_status: float = 0.0
    trainings: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def opening(
    operator: None, kubectl: Kubectl, spaces: Spaces, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Space]:
    """A namespace whose pods run as a user of its own, where this machine is within the API server's reach."""
    space = spaces.make("first-chat")
    with ExitStack() as stack:
        if here := ControlPlane.find(kubectl.kubeconfig):
            stack.enter_context(other_user.imposed(space, here.host, tmp_path_factory.mktemp("other-user")))
        yield space
        spaces.drop(space)


@pytest.fixture(scope="module")
def arrival(opening: Space) -> Arrival:
    """The concert hall of examples/ in a fresh namespace without a Studio, watched until it is Ready."""
    hall, actions = Assistant(opening, "concert-hall"), image_refs()["example-actions"]
    start = time.monotonic()
    hall.apply_with_content(content.hall(), actions={"image": actions})
    seen = Arrival(hall, {}, 0)
    eventually("the first status", lambda: bool(hall.conditions), within=15, every=0.2)
    seen.first_status = time.monotonic() - start

    def ready() -> Manifest:
        seen.trainings |= {job["metadata"]["name"] for job in hall.jobs(Component.TRAINING)}
        live = hall.live()
        if conditions(live).get("Ready", {}).get("status") != "True":
            raise NotYet(assistants.summary(live))
        return live

    seen.ready = eventually("the concert hall is Ready", ready, within=ARRIVES_WITHIN)
    seen.seconds = time.monotonic() - start
    return seen


def test_the_status_says_something_within_seconds(arrival: Arrival) -> None:
    assert arrival.first_status < 5


def test_it_is_ready_for_its_generation_within_the_limit(arrival: Arrival) -> None:
    metadata, status = arrival.ready["metadata"], arrival.ready["status"]
    assert status["observedGeneration"] == metadata["generation"]
    assert {c["observedGeneration"] for c in status["conditions"]} == {metadata["generation"]}
    assert arrival.seconds < READY_SECONDS


def test_every_step_is_true_and_nothing_is_wrong(arrival: Arrival) -> None:
    found = conditions(arrival.ready)
    steps = ("StudioReady", "ContentReady", "Trained", "Running", "ActionsReady", "Ready", "Available")
    assert {kind: found[kind]["status"] for kind in steps} == dict.fromkeys(steps, "True")
    assert not {"Stalled", "Reconciling", "Degraded", "Paused"} & found.keys()


def test_a_studio_was_made_with_every_part_ready(arrival: Arrival, opening: Space) -> None:
    (studio,) = opening.list("studios")
    assert (studio["metadata"]["name"], studio["spec"]) == ("studio", {})
    assert "ownerReferences" not in studio["metadata"]
    found = conditions(studio)
    assert found["MigrationSucceeded"]["status"] == found["Ready"]["status"] == "True"
    for component in CORE:
        (workload,) = opening.list("deployments,statefulsets", component=component)
        assert workload["status"].get("readyReplicas", 0) >= 1, component


def test_one_training_job_made_the_model(arrival: Arrival) -> None:
    status = arrival.ready["status"]
    assert len(arrival.trainings) == 1
    assert len(status["model"]["sha256"]) == 64
    assert arrival.trainings.pop().startswith(status["training"]["id"])


def test_every_process_may_be_any_user(arrival: Arrival, opening: Space, kubectl: Kubectl) -> None:
    ControlPlane.at_hand(kubectl.kubeconfig)
    found = [process for pod in opening.list("pods") for process in processes.of_pod(pod["metadata"]["uid"])]
    assert {process.user for process in found} == {other_user.USER}


def test_running_consumers_are_assistants_plus_one(arrival: Arrival, opening: Space) -> None:
    assert assistants.slots(opening) == len(opening.list("assistants")) + 1


def test_only_a_run_jobs_pod_is_behind_the_service(arrival: Arrival) -> None:
    pod = arrival.assistant.wait_serving()
    assert pod["metadata"]["labels"][labels.COMPONENT] == "run"
    assert [owner["kind"] for owner in pod["metadata"]["ownerReferences"]] == ["Job"]


def test_it_answers_its_whole_conversation(arrival: Arrival, opening: Space) -> None:
    conversation = json.loads((content.HALL / "conversation.json").read_text())
    answers = chat.say(opening, "concert-hall", "guest", [said for said, _ in conversation])
    assert answers == [[expected] for _, expected in conversation]


def test_the_form_is_validated_by_the_action_server(arrival: Arrival, opening: Space) -> None:
    answers = chat.say(
        opening, "concert-hall", "choir", ["I want to buy tickets", "twelve seats", "eight seats", "a box"]
    )
    assert answers[1] == ["We sell at most eight seats at once.", "How many seats would you like?"]
    assert answers[3] == ["eight seats in the box cost 520 euros. They are kept for you at the box office."]


def test_events_carry_the_assistants_id(arrival: Arrival, opening: Space) -> None:
    chat.say(opening, "concert-hall", "curious", ["good evening"])
    pod = arrival.assistant.wait_serving()
    tracker = json.loads(
        opening.execute(pod["metadata"]["name"], "python3", "-c", _TRACKER, "curious", container="engine")
    )
    ids = {event.get("metadata", {}).get("assistant_id") for event in tracker["events"]}
    assert f"{opening.name}.concert-hall" in ids
    assert ids <= {f"{opening.name}.concert-hall", None}


def test_transitions_are_kubernetes_events(arrival: Arrival, opening: Space) -> None:
    listed = opening.list("events", fields="involvedObject.kind=Assistant")
    said = {event["message"].split(":")[0] for event in listed}
    assert {"Ready", "Trained", "Running"} <= said


def test_the_spec_is_left_as_it_was_written(arrival: Arrival) -> None:
    # Defaults that were written back would be drift to every GitOps tool.
    assert set(arrival.ready["spec"]) == {"language", "source", "training", "running", "actions"}


def test_a_second_assistant_gets_a_slot_and_gives_it_back(arrival: Arrival, opening: Space) -> None:
    porter = Assistant(opening, "porter")
    with watching.values_of(opening, "deployment", "studio-running-consumer", "{.spec.replicas}") as consumers:
        porter.apply({"files": content.porter()})
        assistants.wait_slots(opening, 3)
        porter.wait_ready()
        assert chat.say(opening, "porter", "guest", ["good day"]) == [[content.GREETING]]
        porter.delete()
        assistants.wait_slots(opening, 2)
        eventually("the watch has told of both changes", lambda: len(watching.folded(consumers)) > 2, within=30)
        assert len(opening.list("studios")) == 1
        assert chat.say(opening, "concert-hall", "guest-again", ["goodbye"]) == [["Goodbye, and enjoy the music."]]
    assert watching.folded(consumers) == ["2", "3", "2"], "assistants plus one, at all times"


def test_a_deleted_assistant_can_be_made_again(arrival: Arrival, opening: Space) -> None:
    twin = Assistant(opening, "twin")
    for _ in range(2):
        twin.apply({"files": content.porter()}, running={"mode": "Never"})
        ready = twin.wait_ready()
        assert ready["status"]["model"]["version"] == "1"
        twin.delete()


@pytest.fixture
def entrance(kubectl: Kubectl) -> Iterator[None]:
    """The forwarder of `make up`; at the end it leads to the example again, if that is there."""
    yield
    entry.close_entry()
    if kubectl.objects.get("namespace", example.NAMESPACE) is not None:
        entry.open_entry(kubectl, example.NAMESPACE, Progress())


@pytest.mark.alone  # the swap that it begins takes all the CPU that others have left
def test_make_up_ends_with_its_conversation_and_its_address(arrival: Arrival, opening: Space, entrance: None) -> None:
    made = stage("example", "--namespace", opening.name)
    assert "you> goodbye\n" in made.stderr
    assert "The concert hall is open" in made.stdout
    url = re.search(r"^  (http\S+) +sign in as admin", made.stdout, re.MULTILINE)
    assert url is not None
    with urllib.request.urlopen(url[1], timeout=10) as page:
        assert "<title>" in page.read().decode()
    spoken = stage("chat", "--namespace", opening.name, "--message", "goodbye")
    assert spoken.stdout == "you> goodbye\nconcert-hall> Goodbye, and enjoy the music.\n"


def stage(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What the commands behind `make up` and `make chat` print."""
    environment = {**os.environ, "PYTHONPATH": "e2e:images:operator:services"}
    command = [sys.executable, "-m", "stage", *arguments]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done
