"""Engines that are started before their model is there: they take it, they end without it, and nobody misses them."""

from collections.abc import Collection, Mapping
from typing import Any

from studio.contract import labels
from studio_e2e import assistants, chat, content, model_service, watching
from studio_e2e.assistants import Assistant, Porter
from studio_e2e.waiting import NotYet, eventually

Manifest = dict[str, Any]

WARM = f"{labels.GROUP}/warm"


def test_the_next_model_goes_into_a_warm_engine(porter: Assistant) -> None:
    before, greeting = porter.status, "Good day, says the warm one."
    ringing = chat.ringing(porter.space, porter.name, "good day")
    with watching.messages_of(porter, "Running") as told, ringing as doorbell:
        engine = renew(porter, greeting)
        after = porter.wait_ready(other_than=before["fingerprint"])["status"]
        doorbell.wait_for([greeting])
    assert doorbell.failed == []
    assert any("an engine for the next model is started" in message for message in told), told
    assert_served_by(porter, engine, after)
    assert chat.say(porter.space, porter.name, "warm", ["good day"]) == [[greeting]]
    eventually("only one run is left", lambda: len(porter.runs()) == 1, within=60)
    assistants.wait_studio_ready(porter.space)


def test_a_new_assistant_is_warmed_too(assistant: Assistant) -> None:
    assistant.apply_with_content(content.porter())
    engine = wait_warm_job(assistant)
    after = assistant.wait_ready()["status"]
    assert_served_by(assistant, engine, after)
    assert chat.say(assistant.space, assistant.name, "first", ["good day"]) == [[content.GREETING]]


def test_without_its_warm_engine_a_model_starts_as_ever(porter: Assistant) -> None:
    before, greeting = porter.status, "Good day, says the cold one."
    engine = renew(porter, greeting)
    pods = f"job-name={engine['metadata']['name']}"
    eventually("its pod is there", lambda: porter.space.list("pods", selector=pods), within=30)
    porter.space.run("delete", "pods", "-l", pods, "--grace-period=0", "--force")
    after = porter.wait_ready(other_than=before["fingerprint"])["status"]
    chat.wait_says(porter.space, porter.name, "cold", "good day", greeting)
    # The model may have come before the loss was seen: then the same run goes on with another attempt.
    (serving,) = [job for job in porter.runs() if job["metadata"]["labels"][labels.RUN] == after["run"]["id"]]
    assert WARM not in serving["metadata"]["annotations"]
    eventually("only one run is left", lambda: len(porter.runs()) == 1, within=90)


def test_a_warm_engine_that_is_not_wanted_any_more_ends(porter: Assistant) -> None:
    engine = renew(porter, "Good day, says nobody.")
    porter.space.patch("assistant", porter.name, {"spec": {"running": {"mode": "Never"}}})

    def gone() -> bool:
        if left := [job["metadata"]["name"] for job in porter.runs()]:
            raise NotYet(f"{left} run")
        return True

    eventually("nothing runs", gone, within=120)
    view = run_of(porter, engine)
    # The tests of the other process may have taken the room that it needs: then it has ended before.
    assert (view["state"], view["reason"]) in {
        ("Stopped", "GivenUp"),
        ("Stopped", "Halted"),
        ("Failed", "Unschedulable"),
    }
    porter.space.patch("assistant", porter.name, {"spec": {"running": {"mode": None}}})


def test_a_warm_engine_whose_training_fails_ends(porter: Porter) -> None:
    before, files = porter.status["run"]["id"], porter.files
    engine = change(porter, content.with_component(files, "SpacyNLP"))
    porter.wait_for("Trained", "False", reason="InvalidContent", within=120)
    eventually("only the run that serves is left", lambda: len(porter.runs()) == 1, within=60)
    ended = run_of(porter, engine)
    assert (ended["state"], ended["reason"]) in {("Stopped", "GivenUp"), ("Failed", "Unschedulable")}
    assert (porter.status["run"]["id"], porter.conditions["Available"]["status"]) == (before, "True")
    assert chat.say(porter.space, porter.name, "unmoved", ["good day"]) == [[porter.greeting]]
    porter.set_content(files)
    porter.wait_for("Ready")


def renew(porter: Assistant, greeting: str) -> Manifest:
    """Train the words of another greeting; gives the Job of the engine that is started for its model."""
    return change(porter, content.porter(greeting=greeting))


def change(porter: Assistant, files: Mapping[str, str]) -> Manifest:
    """Train new content; gives the Job of the engine that is started for its model, in the slot that is free."""
    eventually("only one run is left", lambda: len(porter.runs()) == 1, within=90)
    known = {job["metadata"]["name"] for job in porter.runs()}
    porter.set_content(files)
    return wait_warm_job(porter, besides=known)


def run_of(porter: Assistant, engine: Manifest) -> dict[str, Any]:
    """What the orchestrator tells of the run of a Job."""
    run = engine["metadata"]["labels"][labels.RUN]
    (view,) = [view for view in model_service.runs(porter.space, porter.name) if view["id"] == run]
    return view


def wait_warm_job(assistant: Assistant, *, besides: Collection[str] = ()) -> Manifest:
    """The Job of an engine that was started before its model; those of earlier models are known."""

    def found() -> Manifest:
        jobs = {job["metadata"]["name"]: job for job in assistant.runs()}
        for name in jobs.keys() - set(besides):
            if WARM in jobs[name]["metadata"].get("annotations", {}):
                return jobs[name]
        raise NotYet(f"Jobs {sorted(jobs)}")

    return eventually(f"an engine of {assistant.name} is warmed", found, within=120)


def assert_served_by(assistant: Assistant, engine: Manifest, status: Manifest) -> None:
    """The run, its attempt and its pod are those of the engine that was started before the model."""
    assert status["run"]["id"] == engine["metadata"]["labels"][labels.RUN]
    pod = assistant.wait_serving()
    assert pod["metadata"]["labels"]["job-name"] == engine["metadata"]["name"]
    (view,) = [view for view in model_service.runs(assistant.space, assistant.name) if view["serving"]]
    assert (view["attempt"], view["model_version"]) == (1, status["model"]["version"])
