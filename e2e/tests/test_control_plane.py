"""The operator when others fail around it: its other replica, the API server, and the history of the cluster."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from stage.kubectl import Kubectl, conditions
from studio.contract import labels
from studio_e2e import assistants, chat, content, faults, survival
from studio_e2e.assistants import Assistant
from studio_e2e.control_plane import ControlPlane
from studio_e2e.faults import OPERATOR, OPERATOR_NAMESPACE
from studio_e2e.space import Space, is_ready
from studio_e2e.waiting import NotYet, eventually

Manifest = dict[str, Any]

pytestmark = pytest.mark.alone

LEASE_SECONDS = 15.0
OUTAGE_SECONDS = 30.0
CONSUMERS = "studio-training-consumer"
STUDIOS = f"/apis/{labels.API_VERSION}/namespaces"


@pytest.fixture
def home(kubectl: Kubectl, operator: None) -> Space:
    """The operator's own namespace."""
    return Space(kubectl, OPERATOR_NAMESPACE)


@pytest.fixture
def replicas(home: Space) -> Iterator[list[Manifest]]:
    """Two pods of the operator; one again at the end."""
    home.patch("deployment", OPERATOR, {"spec": {"replicas": 2}})
    yield eventually("two operators are ready", lambda: ready_operators(home, 2), within=60)
    home.patch("deployment", OPERATOR, {"spec": {"replicas": 1}})
    eventually("one operator is left", lambda: ready_operators(home, 1), within=60)


@pytest.fixture
def consumers(studio: Space) -> Iterator[Space]:
    """A Studio whose training consumers a test may change: the quickest change that the operator acts on."""
    yield studio
    assistants.set_training_consumers(studio, 1)
    wait_consumers(studio, 1, within=60)
    assistants.wait_studio_ready(studio)


def ready_operators(home: Space, count: int) -> list[Manifest] | None:
    pods = faults.operator_pods(home)
    return pods if len(pods) == count and all(is_ready(pod) for pod in pods) else None


def wait_consumers(studio: Space, count: int, *, within: float) -> Manifest:
    """The Deployment of the training consumers, once it has this number of replicas."""

    def equal() -> Manifest:
        live = studio.must_get("deployment", CONSUMERS)
        if live["spec"]["replicas"] != count:
            raise NotYet(f"{live['spec']['replicas']} replicas")
        return live

    return eventually(f"{count} training consumers", equal, within=within)


def test_another_replica_takes_over_from_a_leader_that_fell_silent(
    home: Space, replicas: list[Manifest], consumers: Space
) -> None:
    first = next(pod for pod in replicas if pod["metadata"]["name"] == faults.leader(home))
    before = consumers.must_get("deployment", CONSUMERS)["metadata"]["generation"]
    assistants.set_training_consumers(consumers, 2)
    after = wait_consumers(consumers, 2, within=30)["metadata"]["generation"]

    # As when its node goes away: it cannot give the lease back.
    with faults.held(first):
        home.run("delete", "pod", first["metadata"]["name"], "--grace-period=0", "--force")
        others = ("", first["metadata"]["name"])
        eventually("another one leads", lambda: faults.leader(home) not in others, within=LEASE_SECONDS + 10, every=0.5)
    assistants.set_training_consumers(consumers, 1)
    last = wait_consumers(consumers, 1, within=20)["metadata"]["generation"]
    # Two were running all the time, and each change was written once.
    assert (after - before, last - after) == (1, 1)


@pytest.mark.timeout(480)
def test_an_api_server_that_does_not_answer_is_outlived(kubectl: Kubectl, porter: Assistant, consumers: Space) -> None:
    """Once while it trains, and at once again while it is swapped: nothing is lost, nothing is done twice."""
    control_plane = ControlPlane.at_hand(kubectl.kubeconfig)
    before, known = porter.status, {job["metadata"]["name"] for job in porter.runs()}
    was = conditions(porter.live())
    greeting = "Good day, whoever does not answer."
    porter.set_content(content.porter(greeting=greeting))
    training = porter.wait_training_job()
    with control_plane.held():
        # Nothing can be observed meanwhile: whoever could be asked is away.
        time.sleep(OUTAGE_SECONDS)
    porter.wait_training_done(training, within=180)
    survival.check_trained_once(porter, training)
    eventually("the new run", lambda: {job["metadata"]["name"] for job in porter.runs()} - known, within=60, every=0.2)
    with control_plane.held():
        time.sleep(OUTAGE_SECONDS)
    assistants.set_training_consumers(consumers, 2)
    wait_consumers(consumers, 2, within=60)
    after = porter.wait_ready(other_than=before["fingerprint"], within=120)["status"]
    survival.check_whole_and_single(porter, after)
    # The old one served until the new one did, and nobody has said anything else.
    now = conditions(porter.live())
    assert now["Available"]["lastTransitionTime"] == was["Available"]["lastTransitionTime"]
    chat.wait_says(porter.space, porter.name, "patient", "good day", greeting)


@pytest.mark.timeout(180)
def test_what_happened_behind_a_watch_that_is_too_old_is_seen(
    kubectl: Kubectl, home: Space, assistant: Assistant, consumers: Space
) -> None:
    control_plane = ControlPlane.at_hand(kubectl.kubeconfig)
    (operator,) = eventually("one operator is ready", lambda: ready_operators(home, 1), within=60)
    seen = consumers.must_get("studio", "studio")["metadata"]["resourceVersion"]
    with faults.held(operator):
        assistants.set_training_consumers(consumers, 2)
        consumers.delete("service", "studio-running-orchestrator")
        assistant.apply({"files": content.porter()}, running={"mode": "Never"}, training={"trigger": "Manual"})
        # The history goes, and with the restart the API server's own memory of it.
        control_plane.compact()
        control_plane.restart_api_server()
        watch = f"{STUDIOS}/{consumers.name}/studios?watch=1&timeoutSeconds=1&resourceVersion={seen}"
        assert '"code":410' in kubectl.run("get", "--raw", watch)
    wait_consumers(consumers, 2, within=60)
    eventually("the Service is back", lambda: consumers.get("service", "studio-running-orchestrator"), within=30)
    assistant.wait_for("ContentReady", within=60)
    now = home.must_get("pod", operator["metadata"]["name"])["status"]["containerStatuses"]
    assert [each["restartCount"] for each in now] == [
        each["restartCount"] for each in operator["status"]["containerStatuses"]
    ], "an operator that starts anew has no watch that could be too old"
