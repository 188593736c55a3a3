"""Changed content: trained again, swapped without a lost message; broken content: said, while the old model answers."""

import pytest

from studio.contract.labels import Component
from studio_e2e import chat, content, manifests, model_service
from studio_e2e.assistants import Assistant, Porter
from studio_e2e.waiting import eventually

GREETING = "Good day to you."


def greets(porter: Porter) -> list[list[str]]:
    return chat.say(porter.space, porter.name, "passer-by", ["good day"])


def test_a_half_filled_form_is_finished_on_the_new_model(porter: Porter) -> None:
    space, before, greeting = porter.space, porter.status, porter.greeting
    asked = chat.say(space, "porter", "visitor", ["I have an appointment", "Mrs Miller"])
    assert asked == [["Whom do you want to see?"], ["On which floor?"]]

    with chat.ringing(space, "porter", "good day") as doorbell:
        doorbell.wait_for([greeting])
        porter.set_content(content.porter(greeting=GREETING, announcement="{visitor} on floor {floor} expects you."))
        after = porter.wait_ready(other_than=before["fingerprint"])["status"]
        doorbell.wait_for([GREETING])
        told = chat.say(space, "porter", "visitor", ["third"])

    assert told == [["Mrs Miller on floor third expects you."]]
    assert doorbell.failed == []
    assert {tuple(answer) for answer in doorbell.heard} == {(greeting,), (GREETING,)}
    assert after["model"]["sha256"] != before["model"]["sha256"]
    assert int(after["model"]["version"]) > int(before["model"]["version"])
    eventually("only one run is left", lambda: len(porter.runs()) == 1, within=60)


def test_the_next_message_of_a_connection_goes_where_the_service_says(porter: Porter) -> None:
    """One that was kept would go on to the engine before, and break when that ends."""
    assert chat.connection_after(porter.space, porter.name, "good day") == "close"


def test_unreadable_yaml_is_said_and_the_old_model_answers(porter: Porter) -> None:
    training, files = porter.status["training"]["id"], porter.files
    porter.set_content({**files, "nlu.yml": "nlu: [\n"})
    said = porter.wait_for("ContentReady", "False", reason="UnreadableContent", saying="nlu.yml", within=20)
    assert "line" in said["message"]
    porter.wait_for("Stalled", reason="UnreadableContent")
    assert porter.conditions["Available"]["status"] == "True"
    assert greets(porter) == [[porter.greeting]]

    porter.set_content(files)
    porter.wait_for("Ready", within=30)
    assert "Stalled" not in porter.conditions
    assert porter.status["training"]["id"] == training


def test_a_component_that_the_engine_lacks_is_said_in_its_own_words(porter: Porter) -> None:
    files = porter.files
    porter.set_content(content.with_component(files, "SpacyNLP"))
    said = porter.wait_for("Trained", "False", reason="InvalidContent", within=120)
    assert "SpacyNLP" in said["message"]
    assert "spacy" in said["message"]
    assert "Traceback" not in said["message"]
    porter.wait_for("Stalled", reason="InvalidContent")
    found = porter.conditions
    assert (found["Available"]["status"], found["Ready"]["status"]) == ("True", "False")
    assert greets(porter) == [[porter.greeting]]
    assert "Component 'SpacyNLP' requires" in model_service.training_log(porter.space, porter.status["training"]["id"])

    porter.set_content(files)
    porter.wait_for("Ready", within=60)
    assert "Stalled" not in porter.conditions


def test_a_component_whose_server_nobody_has_named_is_warned_of(porter: Porter) -> None:
    """Duckling trains without one, and then finds nothing."""
    files, before = porter.files, porter.status["fingerprint"]
    porter.set_content(content.with_component(files, "DucklingEntityExtractor"))
    porter.wait_ready(other_than=before)
    said = porter.wait_for("ContentReady", reason="Warnings", saying="DucklingEntityExtractor", within=20)
    assert "RASA_DUCKLING_HTTP_URL in spec.engine.env" in said["message"]
    assert greets(porter) == [[porter.greeting]]
    porter.set_content(files)
    porter.wait_for("ContentReady", reason="Accepted", within=20)


def test_content_that_is_too_large_is_refused_with_the_limit(assistant: Assistant) -> None:
    pages = [f"{assistant.name}-{number}" for number in range(9)]
    for number, page in enumerate(pages):
        # A ConfigMap holds 1 MiB with everything around it.
        assistant.space.create(manifests.config_map(page, {f"nlu_{number}.yml": "# long\n" + "#" * 1_000_000}))
    assistant.apply({"configMaps": [{"name": page} for page in pages]}, running={"mode": "Never"})
    said = assistant.wait_for("Stalled", reason="ContentTooLarge", within=30)
    assert "8 MiB" in said["message"]
    assert assistant.jobs(Component.TRAINING) == []
    for page in pages:
        assistant.space.delete("configmap", page)


def test_a_missing_config_map_heals_when_it_comes(assistant: Assistant) -> None:
    assistant.apply(manifests.from_config_map(f"{assistant.name}-content"), running={"mode": "Never"})
    said = assistant.wait_for("ContentReady", "False", reason="ConfigMapMissing", within=20)
    assert f"{assistant.name}-content" in said["message"]
    assert "Stalled" not in assistant.conditions
    assistant.set_content(content.porter())
    assistant.wait_for("ContentReady", within=20)
    assistant.wait_ready()


@pytest.mark.parametrize("path", ["endpoints.yml", "credentials.yml"])
def test_files_that_are_not_used_are_warned_of(assistant: Assistant, path: str) -> None:
    files = {**content.porter(), path: "{}\n"}
    assistant.apply({"files": files}, running={"mode": "Never"}, training={"trigger": "Manual"})
    said = assistant.wait_for("ContentReady", reason="Warnings", saying=path, within=20)
    assert "spec." in said["message"]
