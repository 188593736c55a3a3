"""What is to be true after any fault, by the database, by the cluster and by the status alike."""

import json
from typing import Any

from studio.contract import labels
from studio.contract.labels import Component
from studio_e2e import assistants, model_service
from studio_e2e.assistants import Assistant
from studio_e2e.database import Database
from studio_e2e.space import Space
from studio_e2e.waiting import NotYet, eventually

Manifest = dict[str, Any]

# With the orchestrator's own logins, of the first thousand objects.
_STORE = '''\
import asyncio, json
from studio.db.pool import connect
from studio.settings import TrainingOrchestratorSettings
from studio.storage.s3 import S3Store
settings = TrainingOrchestratorSettings.from_env()
named = """select object_key from contents union select object_key from models
           union select log_key from items where log_key is not null"""
async def keys(conn, statement):
    return [row["object_key"] for row in await conn.fetch(statement)]
async def main():
    conn = await connect(settings.database, application_name="e2e")
    known = {"named": await keys(conn, named), "doomed": await keys(conn, "select object_key from garbage")}
    await conn.close()
    return known
store, known = settings.storage, asyncio.run(main())
found = S3Store.open(store)._client.list_objects_v2(Bucket=store.bucket, Prefix=store.prefix)
stored = [entry["Key"].removeprefix(store.prefix) for entry in found.get("Contents", [])]
print(json.dumps({"stored": stored, **known}))
'''

_LOSE = """\
import sys
from studio.settings import TrainingOrchestratorSettings
from studio.storage.s3 import S3Store
store = TrainingOrchestratorSettings.from_env().storage
client = S3Store.open(store)._client
for kind in ("contents", "models"):
    found = client.list_objects_v2(Bucket=store.bucket, Prefix=f"{store.prefix}{kind}/{sys.argv[1]}/")
    for entry in found["Contents"]:
        client.delete_object(Bucket=store.bucket, Key=entry["Key"])
"""


def lose_objects(porter: Assistant) -> None:
    """Delete contents and models of an assistant behind everybody's back; there must be some of both."""
    pod = porter.space.pod_of(Component.TRAINING_ORCHESTRATOR)["metadata"]["name"]
    porter.space.execute(pod, "python3", "-c", _LOSE, porter.live()["metadata"]["uid"])


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
        services = [service["metadata"]["name"] for service in space.list("services", assistant=porter.name)]
        if (runs, active, len(serving), services) != ([status["run"]["id"]], [], 1, [porter.name]):
            raise NotYet(f"runs {runs}, trainings {active}, serving {serving}, Services {services}")
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

    Each by its first attempt; a warm engine that had to go, or found no room beside those of other tests, is no run.
    """
    new = """select kind, state, reason, attempt, stop_requested from items
             where assistant = $1 and seq > $2
               and (kind = 'training' or reason <> 'GivenUp' and (state, reason) <> ('Failed', 'Unschedulable'))
             order by seq"""
    training = {"kind": "training", "state": "Succeeded", "reason": "Trained"}
    run = {"kind": "run", "state": "Ready", "reason": "Ready"}
    first = {"attempt": 1, "stop_requested": False}
    assert database.fetch(new, porter.name, since) == [training | first, run | first]


def check_store(space: Space) -> None:
    """The store has what the database names, and nothing else but what is to be deleted when its time has come."""

    def tidy() -> bool:
        pod = space.pod_of(Component.TRAINING_ORCHESTRATOR)["metadata"]["name"]
        keys = {kind: set(found) for kind, found in json.loads(space.execute(pod, "python3", "-c", _STORE)).items()}
        orphans, missing = keys["stored"] - keys["named"] - keys["doomed"], keys["named"] - keys["stored"]
        if orphans or missing:
            raise NotYet(f"nobody speaks for {orphans}, missing are {missing}")
        return True

    eventually("the store has what the database names", tidy, within=60, every=2)
