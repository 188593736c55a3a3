"""Engines that need more memory than they may have: a training gets more once, a serving engine is not given up."""

from typing import Any

from studio.contract import labels
from studio.contract.labels import Component
from studio_e2e import assistants, chat, content, manifests, model_service
from studio_e2e.assistants import Assistant, Porter
from studio_e2e.waiting import NotYet, eventually

# An engine that only imports itself needs more than twice as much.
TOO_LITTLE = {"requests": {"memory": "100Mi", "cpu": "50m"}, "limits": {"memory": "100Mi"}}
MORE = "150Mi"


def test_a_training_that_ran_out_of_memory_is_tried_once_with_more(assistant: Assistant) -> None:
    assistant.apply({"files": content.porter()}, running={"mode": "Never"}, training={"resources": TOO_LITTLE})
    said = assistant.wait_for("Trained", "False", reason="OutOfMemory", saying="spec.training.resources", within=120)
    assert "limits.memory" in said["message"]
    jobs = sorted(assistant.jobs(Component.TRAINING), key=lambda job: int(job["metadata"]["labels"][labels.ATTEMPT]))
    assert [memory_limit(job, "train") for job in jobs] == ["100Mi", MORE]
    assert model_service.models(assistant.space, assistant.name) == []

    def kept_for_a_while() -> bool:
        seconds = [job["spec"].get("ttlSecondsAfterFinished") for job in assistant.jobs(Component.TRAINING)]
        if not all(seconds):
            raise NotYet(f"{seconds}")
        return True

    eventually("the failed Jobs are removed in time, after their logs were stored", kept_for_a_while, within=30)


def test_a_new_run_that_never_gets_ready_leaves_the_old_one_at_work(porter: Porter) -> None:
    before = porter.status["run"]["id"]
    source = manifests.from_config_map(f"{porter.name}-content")
    porter.apply(source, running={"resources": TOO_LITTLE})
    said = porter.wait_for("Ready", "False", reason="OutOfMemory", within=60)
    assert "spec.running.resources.limits.memory" in said["message"]

    def given_up() -> bool:
        newest = model_service.runs(porter.space, porter.name)[0]
        if newest["state"] != "Failed":
            raise NotYet(f"{newest}")
        return True

    eventually("it is given up", given_up, within=180)
    porter.wait_for("Ready", "False", reason="OutOfMemory", within=20)
    assert porter.conditions["Available"]["status"] == "True"
    assert porter.status["run"]["id"] == before
    assert chat.say(porter.space, porter.name, "patient", ["good day"]) == [[porter.greeting]]
    made = len(porter.jobs(Component.RUN))

    porter.apply(source)
    porter.wait_ready()
    assert chat.say(porter.space, porter.name, "patient", ["good day"]) == [[porter.greeting]]
    assert len(porter.jobs(Component.RUN)) <= made + 1, "a crash loop is no storm of Jobs"
    assistants.wait_studio_ready(porter.space)


def memory_limit(job: dict[str, Any], container: str) -> str:
    """What a container of a Job's pods may use."""
    spec = job["spec"]["template"]["spec"]
    (found,) = [one for one in [*spec["initContainers"], *spec["containers"]] if one["name"] == container]
    return str(found["resources"]["limits"]["memory"])
