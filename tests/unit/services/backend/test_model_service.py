"""Trainings, models, runs and logs, through real orchestrators."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from tests.support.patience import STUCK_SECONDS
from tests.support.serving import Client
from tests.unit.services.backend.stage import UID, Stage, until

from studio.contract import labels, names
from studio.contract.model_service import DesiredRunning, DesiredTraining, EnginePod
from studio.kube import ASSISTANT
from studio.model_service.items import Lease
from studio.model_service.leasing import Queue
from studio.model_service.orchestrators import registry


def fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def want(stage: Stage, content: str, name: str = "concierge", uid: str = UID) -> None:
    """Desired state and content, as the operator sends them."""
    desired = DesiredTraining(
        uid=uid, name=name, namespace="ns", studio="studio", fingerprint=fingerprint(content),
        engine=EnginePod(image="engine:1"), trigger="Manual",
    )  # fmt: skip
    assert (await stage.training("PUT", f"/v1/assistants/{name}", json=desired.model_dump()))[0] == 200
    data = content.encode()
    status, _ = await stage.training(
        "PUT", f"/v1/assistants/{name}/content/{fingerprint(content)}", data=data,
        headers={"X-Content-SHA256": hashlib.sha256(data).hexdigest()},
    )  # fmt: skip
    assert status == 204


async def claim(stage: Stage) -> Lease:
    lease = await Queue(stage.pool, connect=stage.pool.acquire).claim("training", "c0")
    assert lease is not None
    return lease


async def train(stage: Stage, lease: Lease, model: bytes, log: bytes = b"Epochs: done\n") -> None:
    """All that the helper of a training does, and the end of it."""
    item = lease.item.id
    helper = Client(
        stage.session, stage.training._base,
        stage.tokens.token("system:serviceaccount:ns:studio-training", pod=f"{names.job(item, 1)}-x"),
    )  # fmt: skip
    files = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        for name, data in (("model", model), ("log", log))
    }
    base = f"/v1/trainings/{item}/attempts/1"
    _, ticket = await helper("POST", f"{base}/upload", json=files)
    stage.store.upload(ticket["model_url"], model)
    stage.store.upload(ticket["log_url"], log)
    result = {"model": files["model"], "members": ["m"], "seconds": 1.0}
    assert (await helper("POST", f"{base}/result", json=result))[0] == 204
    await Queue(stage.pool, connect=stage.pool.acquire).finish(lease, "Succeeded", "Trained")


@pytest.fixture(autouse=True)
async def _concierge(stage: Stage) -> None:
    stage.put_assistant()


async def test_a_training_is_requested_seen_and_cancelled(stage: Stage) -> None:
    status, problem = await stage.admin("POST", "/api/v1/assistants/concierge/trainings")
    assert (status, problem["detail"]) == (404, "there is no assistant concierge")  # the orchestrator knows nothing yet
    await want(stage, "a")
    dora = stage.person("designer", subject="dora")
    status, made = await dora("POST", "/api/v1/assistants/concierge/trainings")
    assert (status, made["state"], made["position"]) == (201, "Queued", 1), made
    assert await dora("GET", f"/api/v1/trainings/{made['id']}") == (200, made)
    status, ended = await dora("POST", f"/api/v1/trainings/{made['id']}/cancel")
    assert (status, ended["state"], ended["message"]) == (200, "Cancelled", "cancelled by dora")
    _, log = await stage.admin("GET", "/api/v1/audit")
    assert [(each["operation"], each["outcome"]) for each in log["items"]] == [
        ("trainings.cancel", "done"), ("trainings.request", "done"), ("trainings.request", "refused: 404"),
    ]  # fmt: skip


async def test_a_run_is_started_and_stopped_by_hand(stage: Stage) -> None:
    path = "/api/v1/assistants/concierge/run"
    dora, ann = stage.person("designer", subject="dora"), stage.person("developer", subject="ann")
    assert (await dora("POST", f"{path}/start"))[0] == 404, "the orchestrator knows nothing yet"
    await want(stage, "a")
    status, problem = await dora("POST", f"{path}/start")
    assert (status, "the operator has not told" in problem["detail"]) == (409, True)
    await want_run(stage)
    await stage.admin("POST", "/api/v1/assistants/concierge/trainings")
    await train(stage, await claim(stage), b"model")
    status, started = await dora("POST", f"{path}/start")
    assert (status, started["state"], started["message"]) == (200, "Queued", "started by dora"), started
    assert (await dora("POST", f"{path}/stop"))[0] == 403
    status, stopped = await ann("POST", f"{path}/stop")
    assert (status, stopped["id"], stopped["state"]) == (200, started["id"], "Stopped")
    assert stopped["message"] == "stopped by ann"
    assert (await ann("POST", "/api/v1/assistants/nobody/run/start"))[0] == 404
    _, log = await stage.admin("GET", "/api/v1/audit")
    assert ("runs.stop", "done") in [(each["operation"], each["outcome"]) for each in log["items"]]


async def test_a_training_is_moved_repeated_and_explained(stage: Stage) -> None:
    await want(stage, "a")
    _, made = await stage.admin("POST", "/api/v1/assistants/concierge/trainings")
    path = f"/api/v1/trainings/{made['id']}"
    ann = stage.person("developer", subject="ann")
    assert (await stage.person("designer")("POST", f"{path}/priority", json={"priority": 5}))[0] == 403
    assert (await ann("POST", f"{path}/priority", json={"priority": 5000}))[0] == 422
    status, moved = await ann("POST", f"{path}/priority", json={"priority": 5})
    assert (status, moved["priority"]) == (200, 5)
    await ann("POST", f"{path}/cancel")
    status, again = await ann("POST", f"{path}/retry")
    assert (status, again["message"]) == (201, f"repeats {made['id']}, which ended Cancelled")
    status, told = await stage.person("viewer")("GET", f"{path}/transitions")
    assert status == 200
    assert [(each["who"], each["from_state"], each["to_state"], each["reason"]) for each in told["items"]] == [
        ("admin", None, "Queued", "Requested"),
        ("ann", "Queued", "Queued", "Reprioritised"),
        ("ann", "Queued", "Cancelled", "Cancelled"),
    ]
    status, problem = await ann("POST", f"{path}/priority", json={"priority": 1})
    assert (status, "only what is Queued" in problem["detail"]) == (409, True)
    _, log = await stage.admin("GET", "/api/v1/audit")
    assert [(each["operation"], each["outcome"]) for each in log["items"]][:3] == [
        ("trainings.prioritise", "refused: 409"), ("trainings.request", "done"), ("trainings.cancel", "done"),
    ]  # fmt: skip


async def test_what_is_trained_already_is_answered_with_its_model(stage: Stage) -> None:
    await want(stage, "a")
    _, made = await stage.admin("POST", "/api/v1/assistants/concierge/trainings")
    await train(stage, await claim(stage), b"model")
    for path in ("/api/v1/assistants/concierge/trainings", f"/api/v1/trainings/{made['id']}/retry"):
        status, hit = await stage.admin("POST", path)
        assert (status, hit["reason"], hit["model"]["version"]) == (200, "CacheHit", "1")


async def test_lists_of_trainings_go_on_where_they_stopped(stage: Stage) -> None:
    ids = []
    for number in range(5):
        await want(stage, f"content {number}")
        _, made = await stage.admin("POST", "/api/v1/assistants/concierge/trainings")
        ids.append(made["id"])
    seen: list[str] = []
    query = "limit=2"
    while True:
        _, page = await stage.admin("GET", f"/api/v1/trainings?{query}")
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query = f"limit=2&cursor={page['next_cursor']}"
    assert seen == ids[::-1]
    _, page = await stage.admin("GET", "/api/v1/trainings?state=Queued")
    assert [item["id"] for item in page["items"]] == ids[-1:]


async def test_foreign_trainings_do_not_exist(stage: Stage) -> None:
    await want(stage, "a")
    _, made = await stage.admin("POST", "/api/v1/assistants/concierge/trainings")
    stranger = stage.person("developer", assistants=["other"])
    for method, path in (
        ("GET", ""), ("POST", "/cancel"), ("GET", "/log"), ("POST", "/retry"), ("POST", "/priority"),
        ("GET", "/transitions"),
    ):  # fmt: skip
        body = {"priority": 1} if path == "/priority" else None
        status, problem = await stranger(method, f"/api/v1/trainings/{made['id']}{path}", json=body)
        assert (status, problem["detail"]) == (404, f"there is no training {made['id']}")
    assert (await stranger("GET", "/api/v1/trainings"))[1]["items"] == []
    assert (await stranger("GET", "/api/v1/trainings?assistant=concierge"))[1]["items"] == []
    own = stage.person("viewer", assistants=["concierge"])
    assert len((await own("GET", "/api/v1/trainings"))[1]["items"]) == 1


async def test_models_are_listed_downloaded_and_activated(stage: Stage) -> None:
    model = b"\x1f\x8b" + b"model" * 5000
    await want(stage, "a")
    await stage.admin("POST", "/api/v1/assistants/concierge/trainings")
    await train(stage, await claim(stage), model)
    _, page = await stage.admin("GET", "/api/v1/assistants/concierge/models")
    (found,) = page["items"]
    assert (found["version"], found["active"], found["sha256"]) == ("1", False, hashlib.sha256(model).hexdigest())
    for version in ("1", "latest"):
        async with stage.admin.open(f"/api/v1/assistants/concierge/models/{version}/download") as response:
            assert response.headers["ETag"] == f'"{found["sha256"]}"'
            assert response.headers["Content-Type"] == "application/gzip"
            assert await response.read() == model
    assert (await stage.admin("GET", "/api/v1/assistants/concierge/models/2/download"))[0] == 404
    status, chosen = await stage.admin("POST", "/api/v1/assistants/concierge/models/1/activate")
    assert (status, chosen["version"]) == (200, "1")
    assert stage.kube.objects[ASSISTANT, "ns", "concierge"]["spec"]["running"] == {"model": "1"}
    assert stage.kube.objects[ASSISTANT, "ns", "concierge"]["spec"]["source"] == {"studio": {}}
    assert (await stage.admin("POST", "/api/v1/assistants/concierge/models/9/activate"))[0] == 404
    stage.store.objects.clear()
    assert (await stage.admin("GET", "/api/v1/assistants/concierge/models/1/download"))[0] == 404


async def test_models_are_tagged(stage: Stage) -> None:
    path = "/api/v1/assistants/concierge/models"
    await want(stage, "a")
    await stage.admin("POST", "/api/v1/assistants/concierge/trainings")
    await train(stage, await claim(stage), b"model")
    ann = stage.person("developer", subject="ann")
    assert (await ann("PUT", f"{path}/1/tags/good"))[0] == 204
    assert (await ann("PUT", f"{path}/latest/tags/v1.0"))[0] == 204
    assert (await ann("PUT", f"{path}/1/tags/not%20good"))[0] == 422
    assert (await ann("PUT", f"{path}/2/tags/good"))[0] == 404
    _, page = await ann("GET", path)
    assert [(each["tags"], each["parent"], each["seconds"]) for each in page["items"]] == [
        (["good", "v1.0"], None, 1.0)
    ]
    assert (await ann("DELETE", f"{path}/1/tags/good"))[0] == 204
    assert (await ann("DELETE", f"{path}/1/tags/good"))[0] == 204
    assert (await ann("GET", path))[1]["items"][0]["tags"] == ["v1.0"]
    _, log = await stage.admin("GET", "/api/v1/audit?limit=4")
    assert ("models.tag", "ann", "concierge model 1 tag good", "done") in [
        (each["operation"], each["who"], each["target"], each["outcome"]) for each in log["items"]
    ]


async def test_what_gitops_has_decided_is_not_overruled(stage: Stage) -> None:
    await want(stage, "a")
    await stage.admin("POST", "/api/v1/assistants/concierge/trainings")
    await train(stage, await claim(stage), b"model")
    body = {
        "apiVersion": labels.API_VERSION, "kind": "Assistant", "metadata": {"name": "concierge", "namespace": "ns"},
        "spec": {"running": {"model": "latest"}},
    }  # fmt: skip
    await stage.kube.apply(body, field_manager="argocd")
    status, problem = await stage.admin("POST", "/api/v1/assistants/concierge/models/1/activate")
    assert status == 409
    assert "spec.running.model of concierge is set by somebody else" in problem["detail"]


def put_pod(
    stage: Stage, item: str, *, job: str | None = None, kind: str = labels.TRAINING, container: str = "train"
) -> None:
    attempt = 1
    statuses = "initContainerStatuses" if container == "train" else "containerStatuses"
    stage.kube.put(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{item}-{attempt}-pod",
                "namespace": "ns",
                "labels": {kind: item, labels.ATTEMPT: str(attempt)},
                "ownerReferences": [{"kind": "Job", "name": job or names.job(item, attempt), "uid": "j"}],
            },
            "status": {statuses: [{"name": container, "state": {"running": {}}}]},
        }
    )


async def test_the_log_is_live_and_then_archived(stage: Stage) -> None:
    await want(stage, "a")
    _, made = await stage.admin("POST", "/api/v1/assistants/concierge/trainings")
    item, pod = made["id"], f"{made['id']}-1-pod"
    async with stage.admin.open(f"/api/v1/trainings/{item}/log") as response:
        events = _events(response)
        lease = await claim(stage)
        stage.kube.set_logs(
            "ns", pod, "train", "\nfirst\n\x1b[94msecond\x1b[0m\nEpochs:  50%|#  | 1/2 [00:01<00:01]\rthi"
        )
        put_pod(stage, item)
        assert await anext(events) == ("line", "1.1", {"line": "first"})
        assert await anext(events) == ("line", "1.2", {"line": "second"})
        log = "\nfirst\n\x1b[94msecond\x1b[0m\nEpochs:  50%|#  | 1/2 [00:01<00:01]\rthird\n"
        stage.kube.set_logs("ns", pod, "train", log)
        assert await anext(events) == ("line", "1.3", {"line": "third"})
        stage.kube.end_logs("ns", pod, "train")
        from studio.model_service.engine_log import clean

        await train(stage, lease, b"model", log=clean(log + "fourth\n").encode())
        assert await anext(events) == ("line", "1.4", {"line": "fourth"})
        assert await anext(events) == ("end", "", {"state": "Succeeded"})
    again = Client(stage.session, stage.base, stage.people.token("viewer"))
    again._headers["Last-Event-ID"] = "1.2"
    async with again.open(f"/api/v1/trainings/{item}/log") as response:
        assert [event async for event in _events(response)] == [
            ("line", "1.3", {"line": "third"}),
            ("line", "1.4", {"line": "fourth"}),
            ("end", "", {"state": "Succeeded"}),
        ]  # fmt: skip


async def test_the_log_of_a_pod_that_belongs_to_another_job_is_not_read(stage: Stage) -> None:
    await want(stage, "a")
    _, made = await stage.admin("POST", "/api/v1/assistants/concierge/trainings")
    lease = await claim(stage)
    queue = Queue(stage.pool, connect=stage.pool.acquire)
    put_pod(stage, made["id"], job="somebody-elses-job")
    stage.kube.set_logs("ns", f"{made['id']}-1-pod", "train", "secret\n")
    async with stage.admin.open(f"/api/v1/trainings/{made['id']}/log") as response:
        events = _events(response)
        listed = stage.kube.count()["list"]
        await until(lambda: stage.kube.count()["list"] >= listed + 2)
        await queue.finish(lease, "Failed", "OutOfMemory")
        assert await anext(events) == ("end", "", {"state": "Failed"})


async def want_run(stage: Stage) -> None:
    """What the operator says of an assistant that only runs when somebody starts it."""
    async with stage.pool.acquire() as conn, conn.transaction():
        desired = DesiredRunning(
            uid=UID, name="concierge", namespace="ns", studio="studio", fingerprint=fingerprint("a"), mode="Never",
            engine=EnginePod(image="engine:1"),
        )  # fmt: skip
        await registry.put_desired(conn, "running", desired)


async def queue_run(stage: Stage) -> str:
    """A model, and a run of it that waits; its id."""
    await want(stage, "a")
    await want_run(stage)
    await stage.admin("POST", "/api/v1/assistants/concierge/trainings")
    await train(stage, await claim(stage), b"model")
    _, run = await stage.admin("POST", "/api/v1/assistants/concierge/run/start")
    return str(run["id"])


async def test_a_run_has_a_log_and_a_history(stage: Stage) -> None:
    run = await queue_run(stage)
    assert (await stage.person("viewer")("GET", f"/api/v1/runs/{run}"))[1]["state"] == "Queued"
    queue = Queue(stage.pool, connect=stage.pool.acquire)
    async with stage.admin.open(f"/api/v1/runs/{run}/log") as response:
        events = _events(response)
        lease = await queue.claim("run", "c0")
        assert lease is not None
        stage.kube.set_logs("ns", f"{run}-1-pod", "engine", "loading\n")
        put_pod(stage, run, kind=labels.RUN, container="engine")
        assert await anext(events) == ("line", "1.1", {"line": "loading"})
        await queue.update(lease, state="Ready", reason="Ready")
        stage.kube.set_logs("ns", f"{run}-1-pod", "engine", "loading\nup\n")
        assert await anext(events) == ("line", "1.2", {"line": "up"})
        stage.kube.end_logs("ns", f"{run}-1-pod", "engine")
        await stage.pool.execute("update items set log_key = 'log' where id = $1", run)
        stage.store.objects["log"] = b"loading\nup\ndown\n"
        await queue.finish(lease, "Stopped", "Stopped")
        assert await anext(events) == ("line", "1.3", {"line": "down"})
        assert await anext(events) == ("end", "", {"state": "Stopped"})
    _, told = await stage.person("viewer")("GET", f"/api/v1/runs/{run}/transitions")
    assert [(each["who"], each["from_state"], each["to_state"], each["reason"]) for each in told["items"]] == [
        ("admin", None, "Queued", "Requested"),
        ("c0", "Queued", "Starting", "Claimed"),
        ("c0", "Starting", "Ready", "Ready"),
        ("c0", "Ready", "Stopped", "Stopped"),
    ]
    stranger = stage.person("developer", assistants=["other"])
    for path in ("", "/log", "/transitions"):
        status, problem = await stranger("GET", f"/api/v1/runs/{run}{path}")
        assert (status, problem["detail"]) == (404, f"there is no run {run}")


async def test_an_orchestrator_that_is_away_is_no_error_of_ours(stage: Stage) -> None:
    await stage.pool.execute("drop table transitions, items cascade")
    status, problem = await stage.admin("GET", "/api/v1/trainings")
    assert status == 503
    assert problem["detail"].startswith("the model service cannot do this now")
    stage.services.model_service._training._url = "http://127.0.0.1:9"
    assert (await stage.admin("GET", "/api/v1/assistants/concierge/models"))[0] == 503


async def test_streams_end_when_the_process_stops(stage: Stage) -> None:
    async with stage.admin.open("/api/v1/assistants/events") as response:
        events = _events(response)
        await anext(events)
        stage.app.state.closing.set()
        assert [event async for event in events] == []


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, str, Any]]:
    kind = number = ""
    async with asyncio.timeout(STUCK_SECONDS):
        async for raw in response.content:
            field, _, value = raw.decode().rstrip("\n").partition(": ")
            if field == "event":
                kind = value
            elif field == "id":
                number = value
            elif field == "data":
                yield kind, number, json.loads(value)
                kind = number = ""
