"""Whatever fails while a model is made and swapped in: one model, one run, nothing left over, and a true status.

Processes that die at one of their writes have a file of their own.
"""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from studio.contract.labels import Component
from studio_e2e import assistants, chat, content, faults, leases, model_service, survival
from studio_e2e.assistants import Assistant, Porter
from studio_e2e.database import Database
from studio_e2e.waiting import NotYet, eventually

Manifest = dict[str, Any]

SURVIVED_WITHIN = 240.0
# Longer than a lease lasts: whoever held an item may not act for it any more.
SILENCE_SECONDS = 25.0
# As long as an engine may be kept from its processor on a node that has too much to do.
STANDSTILL_SECONDS = 20.0
STATEFUL = (Component.DATABASE, Component.OBJECT_STORE, Component.TRAINING_ORCHESTRATOR, Component.RUNNING_ORCHESTRATOR)


def kill(porter: Assistant, *components: Component) -> None:
    for component in components:
        killed = [faults.sigkill(porter.space, pod) for pod in porter.space.list("pods", component=component.value)]
        assert any(killed), f"no process of {component.value} was there to be killed"


def while_training_stores_and_orchestrators_are_killed(porter: Assistant) -> None:
    porter.wait_training_job()
    kill(porter, *STATEFUL)


def while_training_stores_do_not_answer(porter: Assistant) -> None:
    """The helper has its model ready and nowhere to put it; nobody can write down how far anything is."""
    porter.wait_training_job()
    with faults.held(*(porter.space.pod_of(component) for component in (Component.DATABASE, Component.OBJECT_STORE))):
        time.sleep(SILENCE_SECONDS)


def while_training_somebody_deletes_the_pod_and_then_the_job(porter: Assistant) -> None:
    first = porter.wait_training_job()["metadata"]["name"]
    porter.space.run("delete", "pods", "-l", f"job-name={first}", "--wait=false")

    def after_it() -> str | None:
        jobs = porter.jobs(Component.TRAINING)
        active = {job["metadata"]["name"] for job in jobs if not assistants.has_ended(job)}
        return next(iter(active - {first}), None)

    porter.space.delete("job", eventually("the next attempt", after_it, within=60))


def while_swapping_a_consumer_and_the_new_engine_are_killed(porter: Assistant) -> None:
    """An engine that was started with its model; a warm one that is lost has a test of its own."""
    with porter.without_warming():
        known = {job["metadata"]["name"] for job in porter.runs()}
        new = eventually("the next run", lambda: {job["metadata"]["name"] for job in porter.runs()} - known, within=90)
        kill(porter, Component.RUNNING_CONSUMER)
        pods = ("-l", f"job-name in ({','.join(new)})")
        porter.space.run("delete", "pods", *pods, "--grace-period=0", "--force")


@pytest.mark.parametrize(
    "fault",
    [
        while_training_stores_and_orchestrators_are_killed,
        while_training_stores_do_not_answer,
        while_training_somebody_deletes_the_pod_and_then_the_job,
        while_swapping_a_consumer_and_the_new_engine_are_killed,
    ],
    ids=lambda fault: fault.__name__,
)
def test_one_model_one_run_and_nothing_left_over(porter: Assistant, fault: Callable[[Assistant], None]) -> None:
    before, greeting = porter.status, f"Good day, in spite of this: {fault.__name__}."
    porter.set_content(content.porter(greeting=greeting))
    fault(porter)
    after = porter.wait_ready(other_than=before["fingerprint"], within=SURVIVED_WITHIN)["status"]
    assert after["run"]["id"] != before["run"]["id"]
    survival.check_whole_and_single(porter, after)
    survival.check_store(porter.space)
    chat.wait_says(porter.space, porter.name, "survivor", "good day", greeting)
    assistants.wait_studio_ready(porter.space)


def test_two_consumers_believe_that_they_hold_the_same_run(porter: Porter, rows: Database) -> None:
    (engine,), run = porter.serving(), porter.status["run"]["id"]
    with chat.ringing(porter.space, porter.name, "good day") as doorbell:
        doorbell.wait_for([porter.greeting])
        first = leases.holder_of(rows, run)
        with faults.held(porter.space.must_get("pod", first)):
            second = leases.wait_holder(rows, run, other_than=first)
        # It goes on where it stood still, and for some moments both are sure of it.
        leases.wait_abandoned(porter.space, first)
        heard = len(doorbell.heard)
        eventually("it answers on", lambda: len(doorbell.heard) > heard + 1, within=30)
    assert doorbell.failed == []
    assert leases.holder_of(rows, run) == second
    assert [pod["metadata"]["uid"] for pod in porter.serving()] == [engine["metadata"]["uid"]]
    survival.check_whole_and_single(porter, porter.wait_ready()["status"])


def test_the_clock_of_the_database_jumps(porter: Porter, rows: Database) -> None:
    """Back, and whoever holds the training dies just then: its lease ends in an hour. Later ahead: all leases end."""
    before, newest, greeting = porter.status, survival.newest_item(rows), "Good day, whatever the time is."
    porter.set_content(content.porter(greeting=greeting))
    training = porter.wait_training_job()
    consumer = porter.space.pod_of(Component.TRAINING_CONSUMER)
    faults.lose(porter.space, consumer)
    rows.set_clock(-3600)
    porter.wait_training_done(training)
    rows.set_clock(3600)
    after = porter.wait_ready(other_than=before["fingerprint"], within=SURVIVED_WITHIN)["status"]
    survival.check_trained_once(porter, training)
    survival.check_whole_and_single(porter, after)
    survival.check_as_if_undisturbed(porter, rows, since=newest)
    survival.check_store(porter.space)
    chat.wait_says(porter.space, porter.name, "punctual", "good day", greeting)


def test_an_engine_that_stands_still_for_a_while_answers_late(porter: Porter) -> None:
    """There is no other: out of its Service, it would not answer at all."""
    (engine,) = porter.serving()
    with chat.ringing(porter.space, porter.name, "good day") as doorbell:
        doorbell.wait_for([porter.greeting])
        # Its helper goes on, and tells at once that it gets no answer.
        with faults.held(engine, program="rasa run"):
            time.sleep(STANDSTILL_SECONDS)
        heard = len(doorbell.heard)
        eventually("it answers again", lambda: len(doorbell.heard) > heard + 1, within=30)
    # Whoever rings has less patience than a person.
    assert [failure for failure in doorbell.failed if "timed out" not in failure] == []
    assert [pod["metadata"]["uid"] for pod in porter.serving()] == [engine["metadata"]["uid"]]


def evict(porter: Assistant, engine: Manifest) -> None:
    """Rasa may end in good order then, and its Job be Complete, although nobody wanted it to end."""
    name = engine["metadata"]["name"]
    metadata = {"name": name, "namespace": porter.space.name}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
    path = f"/api/v1/namespaces/{porter.space.name}/pods/{name}/eviction"
    porter.space.kubectl.run("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))


def delete_the_job(porter: Assistant, engine: Manifest) -> None:
    porter.space.delete("job", engine["metadata"]["labels"]["job-name"])


@pytest.mark.parametrize("fault", [evict, delete_the_job], ids=lambda fault: fault.__name__)
def test_a_serving_engine_that_is_lost_is_replaced(
    porter: Porter, fault: Callable[[Assistant, Manifest], None]
) -> None:
    """In the same slot: it is another attempt of the same run."""
    (engine,), before = porter.serving(), serving_run(porter)
    fault(porter, engine)

    def another() -> bool:
        serving = [pod["metadata"]["uid"] for pod in porter.serving()]
        if not serving or engine["metadata"]["uid"] in serving:
            raise NotYet(f"{serving} serve")
        return True

    eventually("another engine serves", another, within=120)
    survival.check_whole_and_single(porter, porter.wait_ready()["status"])
    after = serving_run(porter)
    assert (after["id"], after["attempt"]) == (before["id"], before["attempt"] + 1)
    survival.check_store(porter.space)
    assert chat.say(porter.space, porter.name, "lost and found", ["good day"]) == [[porter.greeting]]


def test_what_the_object_store_has_lost_is_made_again(porter: Porter) -> None:
    """Its engine needs no object; the next one finds none, so the operator brings the content, and it is trained."""
    (engine,), before = porter.serving(), porter.status
    survival.lose_objects(porter)
    assert chat.say(porter.space, porter.name, "lost property", ["good day"]) == [[porter.greeting]]
    faults.lose(porter.space, engine)

    def trained_again() -> bool:
        model = porter.status.get("model") or before["model"]
        return int(model["version"]) > int(before["model"]["version"])

    eventually("another model serves", trained_again, within=SURVIVED_WITHIN)
    after = porter.wait_ready()["status"]
    assert after["fingerprint"] == before["fingerprint"]
    survival.check_store(porter.space)
    assert chat.say(porter.space, porter.name, "lost property", ["good day"]) == [[porter.greeting]]


def serving_run(porter: Assistant) -> dict[str, Any]:
    """What the orchestrator tells of the run that serves."""
    (view,) = [view for view in model_service.runs(porter.space, porter.name) if view["serving"]]
    return view
