"""Whatever a process of the model service writes, it may die of it, or be refused: the end is as it should be."""

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import pytest

from stage.kubectl import Kubectl, conditions
from studio.contract import labels
from studio.contract.labels import Component
from studio_e2e import assistants, chat, content, faults, survival
from studio_e2e.assistants import Assistant, Porter
from studio_e2e.control_plane import ControlPlane
from studio_e2e.database import Database
from studio_e2e.gates import admission, overload
from studio_e2e.gates import database as commits
from studio_e2e.gates.admission import AdmissionGate
from studio_e2e.gates.database import EVERYTHING, DatabaseGate, HeldCommit
from studio_e2e.gates.deaths import Deaths, process_of
from studio_e2e.gates.refusals import TROUBLES, Refusals
from studio_e2e.space import Space
from studio_e2e.waiting import NotYet, eventually

Manifest = dict[str, Any]

OFTEN = 0.05
# Some forty processes die, and each of them has to come back, on a machine that has other things to do.
DEATHS_WITHIN = 420.0
# What no change of content can do without, by whoever writes it; there is more.
TO_TRAIN = {
    "training-orchestrator assistants update training wanted_since",
    "training-orchestrator garbage delete contents",
    "training-orchestrator assistants update next_training",
    "training-consumer items update Running Claimed",
    "training-consumer create jobs",
    "training-orchestrator garbage delete models",
    "training-consumer update jobs",
    "training-consumer items update Succeeded Trained",
}
TO_RUN = {
    "running-orchestrator assistants update next_run",
    "running-consumer create jobs",
    "run-consumer items update Ready Ready",
    "running-orchestrator update services",
    "running-orchestrator items update Ready Ready",
    "run-consumer items update Draining Replaced",
    "running-consumer delete jobs",
}
WARM = {"run-consumer items update Warming Claimed"}
COLD = {"run-consumer items update Starting Claimed"}


@pytest.fixture
def requests(kubectl: Kubectl, porter: Porter, tmp_path: Path) -> Iterator[AdmissionGate]:
    """The gate at the API server."""
    address = ControlPlane.at_hand(kubectl.kubeconfig).host
    with admission.closed(porter.space, address, tmp_path) as gate:
        yield gate


@pytest.fixture
def two_of_each(porter: Porter) -> Iterator[None]:
    """Two pods of each process, as there are two running consumers: whoever dies, another one is there."""
    orchestrators = ("trainingOrchestrator", "runningOrchestrator")

    def set_pods(count: int) -> None:
        components = {part: {"replicas": count} for part in orchestrators}
        spec = {"components": components, "training": {"consumers": count}}
        porter.space.patch("studio", "studio", {"spec": spec})
        assistants.wait_studio_ready(porter.space)

    set_pods(2)
    yield
    set_pods(1)


@pytest.fixture
def cold(porter: Porter) -> Iterator[None]:
    """Engines that are started with their model."""
    with porter.without_warming():
        yield


@pytest.mark.timeout(600)
def test_each_process_may_die_before_and_after_each_of_its_writes(
    requests: AdmissionGate, porter: Porter, rows: Database, two_of_each: None
) -> None:
    check_deaths(porter, rows, requests, TO_TRAIN | TO_RUN | WARM)


@pytest.mark.timeout(600)
def test_so_may_those_that_start_an_engine_with_its_model(
    requests: AdmissionGate, porter: Porter, rows: Database, two_of_each: None, cold: None
) -> None:
    check_deaths(porter, rows, requests, TO_RUN | COLD)


def check_deaths(porter: Porter, rows: Database, requests: AdmissionGate, writes: AbstractSet[str]) -> None:
    """Change the content while whoever makes one of `writes` dies of all that it writes."""
    before, newest, greeting = porter.status, survival.newest_item(rows), f"Good day, say {len(writes)} survivors."
    ringing = chat.ringing(porter.space, porter.name, "good day", seconds=DEATHS_WITHIN, inside=Component.BACKEND)
    with ringing as doorbell:
        with commits.closed(rows) as gate:
            deaths = Deaths(porter.space, rows, gate, requests, {process_of(write) for write in writes})
            porter.set_content(content.porter(greeting=greeting))
            swapped = deaths.until(lambda: is_swapped(porter, before))
            eventually("the new model is the only one that runs", swapped, within=DEATHS_WITHIN, every=OFTEN)
        assert {process_of(write) for write in deaths.before} == deaths.processes
        assert set(deaths.after) >= writes
    after = porter.wait_ready()["status"]
    survival.check_whole_and_single(porter, after)
    survival.check_as_if_undisturbed(porter, rows, since=newest)
    survival.check_store(porter.space)
    assert doorbell.failed == []
    chat.wait_says(porter.space, porter.name, "survivor", "good day", greeting)
    assistants.wait_studio_ready(porter.space)


def test_the_locks_of_a_lost_node_are_let_go(porter: Porter, rows: Database) -> None:
    """Nobody closes its connections, and it had the assistant for itself: the database has to notice."""
    before, newest, greeting = porter.status, survival.newest_item(rows), "Good day, wherever I am."
    with commits.closed(rows) as gate:
        porter.set_content(content.porter(greeting=greeting))
        asking = until_held(gate, "running-orchestrator assistants update next_run")
        held = eventually("it asks for the run", asking, within=90, every=OFTEN)
        pod = next(pod for pod in porter.space.list("pods") if pod["status"].get("podIP") == held.address)
        faults.cut_off(pod)
        faults.lose(porter.space, pod)
        gate.open_for(EVERYTHING)
        gate.wait_gone(held, within=60)
    after = porter.wait_ready(other_than=before["fingerprint"], within=120)["status"]
    survival.check_whole_and_single(porter, after)
    survival.check_as_if_undisturbed(porter, rows, since=newest)
    survival.check_store(porter.space)
    chat.wait_says(porter.space, porter.name, "lost node", "good day", greeting)


def until_held(gate: DatabaseGate, step: str) -> Callable[[], HeldCommit | None]:
    """A probe that lets pass whoever is not at this step, and gives who is."""

    def probe() -> HeldCommit | None:
        held = gate.held()
        for commit in held:
            if commit.step != step:
                gate.open_for(commit.step)
        return next((commit for commit in held if commit.step == step), None)

    return probe


def test_an_api_server_may_refuse_each_write(requests: AdmissionGate, porter: Porter, rows: Database) -> None:
    before, newest, greeting = porter.status, survival.newest_item(rows), "Good day, says who asked again."
    porter.set_content(content.porter(greeting=greeting))
    refusals = Refusals(requests)
    swapped = refusals.until(lambda: is_swapped(porter, before))
    eventually("the new model is the only one that runs", swapped, within=180, every=OFTEN)
    asked = {write for write in TO_TRAIN | TO_RUN if write.endswith(("jobs", "services"))}
    assert {step: codes for step, codes in refusals.refused.items() if step in asked} == {
        step: [code for code, _ in TROUBLES] for step in asked
    }
    survival.check_whole_and_single(porter, porter.wait_ready()["status"])
    survival.check_as_if_undisturbed(porter, rows, since=newest)
    survival.check_store(porter.space)
    chat.wait_says(porter.space, porter.name, "asked again", "good day", greeting)


def test_an_api_server_that_sheds_load_is_outlived(requests: AdmissionGate, porter: Porter, rows: Database) -> None:
    """Whatever is asked is answered with 429, reads too, until somebody has given up for once."""
    space, before, newest, greeting = porter.space, porter.status, survival.newest_item(rows), "Good day, at last."
    porter.set_content(content.porter(greeting=greeting))
    # What is asked until the training runs passes the gate.
    asked = Refusals(requests, troubles=())
    eventually("it trains", asked.until(lambda: is_training(porter)), within=60, every=OFTEN)
    training = porter.wait_training_job()
    with overload.shedding(space):
        eventually("somebody gives up", lambda: "TooManyRequests (429)" in logged(space), within=60, every=1)
    swapped = asked.until(lambda: is_swapped(porter, before))
    eventually("the new model is the only one that runs", swapped, within=120, every=OFTEN)
    survival.check_whole_and_single(porter, porter.wait_ready()["status"])
    survival.check_trained_once(porter, training)
    survival.check_as_if_undisturbed(porter, rows, since=newest)
    survival.check_store(porter.space)
    chat.wait_says(space, porter.name, "at last", "good day", greeting)


def logged(space: Space) -> str:
    """What the processes that ask the API server have logged of late."""
    parts = (Component.TRAINING_CONSUMER, Component.RUNNING_CONSUMER, Component.RUNNING_ORCHESTRATOR)
    chosen = f"{labels.COMPONENT} in ({','.join(parts)})"
    return space.run("logs", "-l", chosen, "--since=30s", "--tail=-1", "--prefix")


def is_training(porter: Assistant) -> bool:
    """Whether its engine trains."""
    said = porter.conditions["Trained"]
    if said["reason"] != "Training":
        raise NotYet(f"{said['reason']}: {said['message']}")
    return True


def is_swapped(porter: Assistant, before: Manifest) -> bool:
    """Whether the Assistant is Ready with another content than `before`, and nothing runs beside it."""
    live = porter.live()
    status, runs = live["status"], [job["metadata"]["name"] for job in porter.runs()]
    ready = conditions(live)["Ready"]["status"] == "True" and status["fingerprint"] != before["fingerprint"]
    if not ready or len(runs) != 1:
        raise NotYet(f"{assistants.summary(live)}\nruns {runs}")
    return True
