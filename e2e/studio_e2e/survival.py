"""What is to be true after any fault, by the database, by the cluster and by the status alike."""

from typing import Any

from studio.contract import labels
from studio.contract.labels import Component
from studio_e2e import assistants, model_service
from studio_e2e.assistants import Assistant
from studio_e2e.waiting import NotYet, eventually

Manifest = dict[str, Any]


def check_whole_and_single(porter: Assistant, status: Manifest) -> None:
    """What the model service knows, what the cluster has and what the status says are one and the same."""
    space, fingerprint = porter.space, status["fingerprint"]
    wanted = [view for view in model_service.trainings(space, porter.name) if view["fingerprint"] == fingerprint]
    assert [view["state"] for view in wanted] == ["Succeeded"]
    models = [model for model in model_service.models(space, porter.name) if model["fingerprint"] == fingerprint]
    assert [str(model["version"]) for model in models] == [status["model"]["version"]]

    def single() -> bool:
        runs = [job["metadata"]["labels"][labels.RUN] for job in porter.runs()]
        active = [job["metadata"]["name"] for job in porter.jobs(Component.TRAINING) if not assistants.has_ended(job)]
        serving = [pod["metadata"]["name"] for pod in porter.serving()]
        if runs != [status["run"]["id"]] or active or len(serving) != 1:
            raise NotYet(f"runs {runs}, trainings {active}, serving {serving}")
        return True

    eventually("one run serves and nothing else is left", single, within=90)


def check_trained_once(porter: Assistant, training: Manifest) -> None:
    """The first Job of a training, `training`, was also its last: whoever came later has adopted it."""
    item = training["metadata"]["labels"][labels.TRAINING]
    jobs = [job for job in porter.jobs(Component.TRAINING) if job["metadata"]["labels"][labels.TRAINING] == item]
    assert [job["metadata"]["uid"] for job in jobs] == [training["metadata"]["uid"]]
