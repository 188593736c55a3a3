"""What people do by hand: back to an earlier model, stop and start, a training moved, cancelled and repeated."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest

from studio_e2e import chat, content, model_service, survival
from studio_e2e.api import Api, external_client, signed_in
from studio_e2e.assistants import Assistant
from studio_e2e.space import Space
from studio_e2e.waiting import NotYet, eventually

NEVER = {"mode": "Never"}


@pytest.fixture
def api(studio: Space, origin: str) -> Api:
    return signed_in(origin, external_client(studio))


@pytest.fixture
def second(studio: Space) -> Iterator[Assistant]:
    made = Assistant(studio, "next-in-line")
    yield made
    made.delete()


def test_back_to_an_earlier_model_and_stopped_and_started(assistant: Assistant, api: Api) -> None:
    assistant.apply_with_content(content.porter(greeting="The first."))
    first = assistant.wait_ready()["status"]
    assistant.set_content(content.porter(greeting="The second."))
    second = assistant.wait_ready(other_than=first["fingerprint"])["status"]
    chat.wait_says(assistant.space, assistant.name, "guest", "good day", "The second.")

    do(api, "PUT", f"/assistants/{assistant.name}/models/1/tags/golden")
    do(api, "POST", f"/assistants/{assistant.name}/models/1/activate")
    wait_runs(assistant, "1")
    chat.wait_says(assistant.space, assistant.name, "guest", "good day", "The first.")
    assert assistant.status["training"]["id"] == second["training"]["id"], "nothing was trained for it"
    models = {model["version"]: model for model in model_service.models(assistant.space, assistant.name)}
    assert (models["1"]["tags"], models["2"]["tags"]) == (["golden"], [])

    do(api, "POST", f"/assistants/{assistant.name}/run/stop")
    assistant.wait_for("Running", "False", reason="Stopped")
    eventually("its engine is gone", lambda: assistant.runs() == [], within=60)
    do(api, "POST", f"/assistants/{assistant.name}/run/start")
    eventually("it serves", assistant.serving, within=90)
    chat.wait_says(assistant.space, assistant.name, "guest", "good day", "The first.")


def test_old_models_go_but_for_those_that_are_tagged(assistant: Assistant, api: Api) -> None:
    """One model is to be kept, and what is tagged; content that made such a model is not trained again."""
    assistant.apply_with_content(
        content.porter(greeting="The first."), running=NEVER, training={"history": {"models": 1}}
    )
    status = assistant.wait_ready()["status"]
    do(api, "PUT", f"/assistants/{assistant.name}/models/1/tags/golden")
    for greeting in ("The second.", "The third."):
        assistant.set_content(content.porter(greeting=greeting))
        status = assistant.wait_ready(other_than=status["fingerprint"])["status"]
    assert versions(assistant) == {"1", "3"}

    assistant.set_content(content.porter(greeting="The first."))
    status = assistant.wait_ready(other_than=status["fingerprint"])["status"]
    assert (status["model"]["version"], assistant.conditions["Trained"]["reason"]) == ("1", "CacheHit")
    assert len(model_service.trainings(assistant.space, assistant.name)) == 3, "nothing was trained for it"
    survival.check_store(assistant.space)


def versions(assistant: Assistant) -> set[str]:
    """The models that are kept."""
    return {model["version"] for model in model_service.models(assistant.space, assistant.name)}


def test_a_training_in_the_line_is_moved_cancelled_and_repeated(
    assistant: Assistant, second: Assistant, api: Api
) -> None:
    """The shared Studio trains one after the other."""
    # A component that takes its time to be imported: this one is not to end by itself.
    assistant.apply({"files": content.with_component(content.porter(), "DIETClassifier")}, running=NEVER)
    under_way = assistant.wait_training_job()
    second.apply({"files": content.porter(greeting="Waits.")}, running=NEVER)
    waiting = wait_training(second, "Queued")
    assert waiting["position"] == 1
    second.wait_for("Trained", "False", saying=waiting["waits_for"])

    do(api, "POST", f"/trainings/{waiting['id']}/priority", {"priority": 7})
    assert wait_training(second, "Queued")["priority"] == 7
    do(api, "POST", f"/trainings/{waiting['id']}/cancel")
    assert wait_training(second, "Cancelled")["id"] == waiting["id"]
    second.wait_for("Trained", "False", reason="Cancelled")

    (running,) = model_service.trainings(assistant.space, assistant.name)
    assert running["state"] == "Running"
    do(api, "POST", f"/trainings/{running['id']}/cancel")
    assert wait_training(assistant, "Cancelled")["id"] == running["id"]
    assistant.wait_training_done(under_way)
    assert model_service.models(assistant.space, assistant.name) == []

    do(api, "POST", f"/trainings/{waiting['id']}/retry")
    again = second.wait_ready()["status"]["training"]
    assert again["id"] != waiting["id"]
    assert [view["state"] for view in model_service.trainings(assistant.space, assistant.name)] == ["Cancelled"]
    steps = sorted(api.get(f"/trainings/{waiting['id']}/transitions")["items"], key=lambda step: step["at"])
    assert [step["to_state"] for step in steps] == ["Queued", "Queued", "Cancelled"]
    assert steps[0]["who"] != steps[1]["who"] == steps[2]["who"], "the operator asked, a person moved and cancelled it"


def do(api: Api, method: str, path: str, body: Any = None) -> Any:
    """One request that has to be done; what it answers."""
    answer = api.ask(method, path, body)
    assert answer.status in {HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT}, (path, answer)
    return answer.body


def wait_runs(assistant: Assistant, version: str) -> None:
    """Until this version of the model answers."""

    def runs() -> bool:
        if (running := assistant.status["model"]["version"]) != version:
            raise NotYet(f"version {running} answers")
        return bool(assistant.conditions["Ready"]["status"] == "True")

    eventually(f"version {version} answers", runs, within=90)


def wait_training(assistant: Assistant, *states: str) -> dict[str, Any]:
    """The newest training, once it is in one of these states."""

    def found() -> dict[str, Any]:
        views = model_service.trainings(assistant.space, assistant.name)
        newest = max(views, key=lambda view: view["requested_at"], default={"state": "none"})
        if newest["state"] not in states:
            raise NotYet(f"the newest is {newest}")
        return newest

    return eventually(f"a training of {assistant.name} is {states}", found, within=30)
