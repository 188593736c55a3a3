"""Whatever fails while a model is made and swapped in: one model, one run, nothing left over, and a true status."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from studio.contract.labels import Component
from studio_e2e import assistants, chat, content, faults, survival
from studio_e2e.assistants import Assistant, Porter
from studio_e2e.waiting import NotYet, eventually

Manifest = dict[str, Any]

SURVIVED_WITHIN = 240.0
# Longer than a lease lasts: whoever held an item may not act for it any more.
SILENCE_SECONDS = 25.0
CONSUMERS = (Component.TRAINING_CONSUMER, Component.RUNNING_CONSUMER)
STATEFUL = (Component.DATABASE, Component.OBJECT_STORE, Component.TRAINING_ORCHESTRATOR, Component.RUNNING_ORCHESTRATOR)


def kill(porter: Assistant, *components: Component) -> None:
    for component in components:
        for pod in porter.space.list("pods", component=component.value):
            faults.sigkill(porter.space, pod)


def while_training_consumers_are_killed(porter: Assistant) -> None:
    training = porter.wait_training_job()
    kill(porter, *CONSUMERS)
    porter.wait_training_done(training)
    # Whoever came after them went on with the Job that they had left.
    survival.check_trained_once(porter, training)


def while_training_stores_and_orchestrators_are_killed(porter: Assistant) -> None:
    porter.wait_training_job()
    kill(porter, *STATEFUL)


def while_training_stores_do_not_answer(porter: Assistant) -> None:
    """The helper has its model ready and nowhere to put it; nobody can write down how far anything is."""
    porter.wait_training_job()
    with faults.held(*(porter.space.pod_of(component) for component in (Component.DATABASE, Component.OBJECT_STORE))):
        time.sleep(SILENCE_SECONDS)


def while_training_somebody_deletes_the_job(porter: Assistant) -> None:
    porter.space.delete("job", porter.wait_training_job()["metadata"]["name"])


def while_warming_consumers_and_the_new_engine_are_killed(porter: Assistant) -> None:
    kill_the_next_engine(porter)


def while_swapping_consumers_and_the_new_engine_are_killed(porter: Assistant) -> None:
    """An engine that was started with its model."""
    porter.space.patch("assistant", porter.name, {"spec": {"running": {"warming": False}}})
    kill_the_next_engine(porter)
    porter.space.patch("assistant", porter.name, {"spec": {"running": {"warming": None}}})


def kill_the_next_engine(porter: Assistant) -> None:
    known = {job["metadata"]["name"] for job in porter.runs()}
    new = eventually("the next run", lambda: {job["metadata"]["name"] for job in porter.runs()} - known, within=90)
    kill(porter, Component.RUNNING_CONSUMER)
    pods = ("-l", f"job-name in ({','.join(new)})")
    porter.space.run("delete", "pods", *pods, "--grace-period=0", "--force")


@pytest.mark.parametrize(
    "fault",
    [
        while_training_consumers_are_killed,
        while_training_stores_and_orchestrators_are_killed,
        while_training_stores_do_not_answer,
        while_training_somebody_deletes_the_job,
        while_warming_consumers_and_the_new_engine_are_killed,
        while_swapping_consumers_and_the_new_engine_are_killed,
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
    chat.wait_says(porter.space, porter.name, "survivor", "good day", greeting)
    assistants.wait_studio_ready(porter.space)


def test_an_evicted_engine_is_replaced(porter: Porter) -> None:
    (engine,) = porter.serving()
    name = engine["metadata"]["name"]
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": porter.space.name},
    }
    path = f"/api/v1/namespaces/{porter.space.name}/pods/{name}/eviction"
    porter.space.kubectl.run("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))

    def another() -> bool:
        serving = [pod["metadata"]["name"] for pod in porter.serving()]
        if not serving or name in serving:
            raise NotYet(f"{serving} serve")
        return True

    eventually("another engine serves", another, within=120)
    survival.check_whole_and_single(porter, porter.wait_ready()["status"])
    assert chat.say(porter.space, porter.name, "evicted", ["good day"]) == [[porter.greeting]]
