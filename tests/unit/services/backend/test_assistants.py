"""Assistants: views, live state, creation, deletion."""

import asyncio
import json
from typing import Any

import aiohttp
from tests.support.patience import STUCK_SECONDS
from tests.unit.services.backend.stage import UID, Stage, assistant, until

from studio.kube import ASSISTANT, Unavailable


async def test_a_view_tells_what_the_operator_reported(stage: Stage) -> None:
    stage.put_assistant()
    status, found = await stage.admin("GET", "/api/v1/assistants/concierge")
    assert status == 200
    assert (found["name"], found["source"], found["ready"], found["available"]) == ("concierge", "studio", True, True)
    assert found["training"] == {
        "id": "concierge-t1-abcde",
        "state": "Succeeded",
        "position": None,
        "waits_for": None,
        "estimated_start": None,
        "progress": None,
        "reason": "Trained",
    }
    assert found["model"]["version"] == "1"
    assert found["urls"] == {"rest": "http://concierge.ns.svc:5005/webhooks/rest/webhook"}
    assert found["published_revision"] is None
    assert [each["type"] for each in found["conditions"]] == ["Ready", "Available"]


async def test_a_view_tells_what_a_training_waits_for(stage: Stage) -> None:
    waiting = {"id": "concierge-t2-abcde", "state": "Queued", "reason": "Requested", "position": 2,
               "waitsFor": "it is next", "estimatedStart": "2026-11-21T08:01:00Z"}  # fmt: skip
    manifest = assistant()
    manifest["status"]["training"] = waiting
    stage.kube.put(manifest)
    _, found = await stage.admin("GET", "/api/v1/assistants/concierge")
    told = {key: found["training"][key] for key in ("position", "waits_for", "estimated_start")}
    assert told == {"position": 2, "waits_for": "it is next", "estimated_start": "2026-11-21T08:01:00Z"}


async def test_a_view_tells_how_far_a_training_is(stage: Stage) -> None:
    manifest = assistant()
    manifest["status"]["training"] = {
        "id": "concierge-t2-abcde", "state": "Running", "reason": "Training", "progress": {"step": "DIETClassifier"},
    }  # fmt: skip
    stage.kube.put(manifest)
    _, found = await stage.admin("GET", "/api/v1/assistants/concierge")
    assert found["training"]["progress"] == {"step": "DIETClassifier", "percent": None}


async def test_an_assistant_without_any_status_has_a_view(stage: Stage) -> None:
    body = assistant("plain", "u2", source={"files": {"config.yml": "x" * 1000}})
    del body["status"]
    stage.kube.put(body)
    _, found = await stage.admin("GET", "/api/v1/assistants/plain")
    assert (found["source"], found["ready"], found["training"], found["conditions"]) == ("files", False, None, [])


async def test_assistants_of_another_studio_do_not_exist_here(stage: Stage) -> None:
    stage.put_assistant("elsewhere", "u2", studioRef={"name": "other"})
    assert (await stage.admin("GET", "/api/v1/assistants/elsewhere"))[0] == 404
    assert (await stage.admin("GET", "/api/v1/assistants"))[1]["items"] == []


async def test_pages_by_name(stage: Stage) -> None:
    for number in range(5):
        stage.put_assistant(f"a{number}", f"u{number}")
    await until(lambda: len(stage.services.live.assistants.objects) == 5)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = "limit=2" + (f"&cursor={cursor}" if cursor else "")
        _, page = await stage.admin("GET", f"/api/v1/assistants?{query}")
        seen += [item["name"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ["a0", "a1", "a2", "a3", "a4"]


async def test_creation_with_a_starter(stage: Stage) -> None:
    body = {"name": "hotel", "language": "en", "display_name": "The hotel", "template": "starter"}
    status, made = await stage.admin("POST", "/api/v1/assistants", json=body)
    assert status == 201, made
    assert (made["name"], made["source"], made["display_name"]) == ("hotel", "studio", "The hotel")
    stored = stage.kube.objects[ASSISTANT, "ns", "hotel"]
    assert stored["spec"] == {"studioRef": {"name": "studio"}, "language": "en", "source": {"studio": {}}}
    _, content = await stage.admin("GET", "/api/v1/assistants/hotel/content")
    assert [file["path"] for file in content["draft"]["files"]] == [
        "config.yml", "data/nlu.yml", "data/rules.yml", "domain.yml",
    ]  # fmt: skip
    assert content["draft"]["changed"]
    status, problem = await stage.admin("POST", "/api/v1/assistants", json=body)
    assert (status, problem["detail"]) == (409, "name: there is an assistant hotel already")


async def test_deletion(stage: Stage) -> None:
    stage.put_assistant()
    assert await stage.admin("DELETE", "/api/v1/assistants/concierge") == (202, {"name": "concierge"})
    assert (ASSISTANT, "ns", "concierge") not in stage.kube.objects
    _, log = await stage.admin("GET", "/api/v1/audit")
    assert [(each["who"], each["operation"], each["target"], each["outcome"]) for each in log["items"]] == [
        ("admin", "assistants.delete", "concierge", "done")
    ]


async def test_a_change_that_fails_is_in_the_audit_log(stage: Stage) -> None:
    stage.kube.fail(Unavailable(0, "Unreachable", "create Assistant: no route"), verb="create")
    status, problem = await stage.admin("POST", "/api/v1/assistants", json={"name": "hotel"})
    assert (status, problem["title"]) == (503, "Service Unavailable")
    _, log = await stage.admin("GET", "/api/v1/audit")
    assert [(each["target"], each["outcome"]) for each in log["items"]] == [("hotel", "failed")]


async def test_live_state(stage: Stage) -> None:
    stage.put_assistant()
    async with stage.admin.open("/api/v1/assistants/events") as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        events = _events(response)
        assert (await anext(events))[0] == "assistant"
        stage.put_assistant("second", "u2")
        kind, data = await anext(events)
        assert (kind, data["name"]) == ("assistant", "second")
        stage.kube.set_status(ASSISTANT, "ns", "concierge", {"run": {"id": "r2", "state": "Starting"}})
        kind, data = await anext(events)
        assert (kind, data["run"]) == ("assistant", {"id": "r2", "state": "Starting"})
        stage.kube.remove(ASSISTANT, "ns", "second")
        assert await anext(events) == ("deleted", {"name": "second"})


async def test_live_state_shows_nobody_what_they_may_not_see(stage: Stage) -> None:
    client = stage.person("viewer", assistants=["second"])
    async with client.open("/api/v1/assistants/events") as response:
        events = _events(response)
        stage.put_assistant()
        stage.put_assistant("second", "u2")
        kind, data = await anext(events)
        assert (kind, data["name"]) == ("assistant", "second")


async def test_one_watch_serves_all_streams(stage: Stage) -> None:
    stage.put_assistant()
    async with (
        stage.admin.open("/api/v1/assistants/events") as one,
        stage.admin.open("/api/v1/assistants/concierge/events") as two,
    ):
        assert (await anext(_events(one)))[0] == "assistant"
        assert (await anext(_events(two)))[0] == "assistant"
    assert stage.kube.count()["watch"] == 2  # Assistants and the Studio


async def test_a_lost_watch_shows_what_went_meanwhile(stage: Stage) -> None:
    stage.put_assistant()
    await until(lambda: "concierge" in stage.services.live.assistants.objects)
    stage.kube.remove(ASSISTANT, "ns", "concierge", silently=True)
    stage.kube.compact()
    stage.kube.close_watches()
    await until(lambda: "concierge" not in stage.services.live.assistants.objects)


async def test_content_of_an_assistant_that_goes_with_its_data_goes(stage: Stage) -> None:
    stage.put_assistant(deletionPolicy="Delete")
    path = "/api/v1/assistants/concierge/content/files/config.yml"
    assert (await stage.admin("PUT", path, data="language: en"))[0] == 204
    body = assistant(deletionPolicy="Delete")
    body["metadata"] |= {"deletionTimestamp": "2026-11-21T08:01:00Z", "finalizers": ["studio-operator.io/x"]}
    stage.kube.put(body)

    async def gone() -> bool:
        return bool(await stage.pool.fetchval("select count(*) from drafts where assistant_uid = $1", UID) == 0)

    await until(gone)


async def _events(response: aiohttp.ClientResponse) -> Any:
    kind = ""
    async with asyncio.timeout(STUCK_SECONDS):
        async for raw in response.content:
            line = raw.decode().rstrip("\n")
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield kind, json.loads(line.removeprefix("data: "))
