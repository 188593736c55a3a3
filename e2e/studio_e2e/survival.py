"""What is to be true after any fault, by the database, by the cluster and by the status alike."""

import json
from typing import Any

from studio.contract import labels
from studio.contract.labels import Component
from studio_e2e import assistants, model_service
from studio_e2e.assistants import Assistant
from studio_e2e.database import Database
from studio_e2e.waiting import NotYet, eventually

Manifest = dict[str, Any]

# With the orchestrator's own login, of the first thousand objects.
_OBJECTS = """\
import json
from studio.settings import TrainingOrchestratorSettings
from studio.storage.s3 import S3Store
settings = TrainingOrchestratorSettings.from_env().storage
found = S3Store.open(settings)._client.list_objects_v2(Bucket=settings.bucket, Prefix=settings.prefix)
print(json.dumps([entry["Key"].removeprefix(settings.prefix) for entry in found.get("Contents", [])]))
"""
_NAMED = """\
select object_key from contents union select object_key from models
union select log_key from items where log_key is not null"""


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


def newest_item(database: Database) -> int:
    """The number of the training or run that was requested last."""
    (row,) = database.fetch("select coalesce(max(seq), 0) as seq from items")
    return int(row["seq"])


def check_as_if_undisturbed(porter: Assistant, database: Database, *, since: int) -> None:
    """One training and one run came after the item of the number `since`, as in a change that nobody disturbs.

    Each by its first attempt; and the store has the objects that a row speaks for, and no other.
    """
    new = """select kind, state, reason, attempt, stop_requested from items
             where assistant = $1 and seq > $2 and (kind = 'training' or reason <> 'GivenUp') order by seq"""
    training = {"kind": "training", "state": "Succeeded", "reason": "Trained"}
    run = {"kind": "run", "state": "Ready", "reason": "Ready"}
    first = {"attempt": 1, "stop_requested": False}
    assert database.fetch(new, porter.name, since) == [training | first, run | first]

    def tidy() -> bool:
        # What was stored and is not needed is deleted when its time has come.
        database.execute("update garbage set due_at = now()")
        named = {row["object_key"] for row in database.fetch(_NAMED)}
        pod = porter.space.pod_of(Component.TRAINING_ORCHESTRATOR)["metadata"]["name"]
        stored = set(json.loads(porter.space.execute(pod, "python3", "-c", _OBJECTS)))
        if stored != named:
            raise NotYet(f"nobody speaks for {stored - named}, missing are {named - stored}")
        return True

    eventually("the store has what the database names", tidy, within=90, every=2)
