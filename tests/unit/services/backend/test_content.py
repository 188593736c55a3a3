"""Drafts, publications, and what the operator gets of them."""

import asyncio
import io
import zipfile
from typing import Any

import pytest
from tests.unit.services.backend.stage import UID, Stage, assistant, until

from studio.contract.labels import PUBLISHED
from studio.kube import ASSISTANT, Unavailable

CONTENT = "/api/v1/assistants/concierge/content"
FILES = f"{CONTENT}/files"
INTERNAL = "/internal/v1/assistants/concierge/content"


@pytest.fixture(autouse=True)
async def _concierge(stage: Stage) -> None:
    stage.put_assistant()


async def write(stage: Stage, path: str, text: str) -> None:
    assert await stage.admin("PUT", f"{FILES}/{path}", data=text.encode()) == (204, "")


def published(stage: Stage) -> str | None:
    annotations: dict[str, str] = stage.kube.objects[ASSISTANT, "ns", "concierge"]["metadata"].get("annotations", {})
    return annotations.get(PUBLISHED)


async def test_a_file_is_written_read_and_deleted(stage: Stage) -> None:
    await write(stage, "data/nlu.yml", "nlu: [grüß]\n")
    assert await stage.admin("GET", f"{FILES}/data/nlu.yml") == (200, "nlu: [grüß]\n")
    _, state = await stage.admin("GET", CONTENT)
    (file,) = state["draft"]["files"]
    assert (file["path"], file["size"], file["updated_by"]) == ("data/nlu.yml", len("nlu: [grüß]\n".encode()), "admin")
    assert (state["draft"]["changed"], state["published"]) == (True, None)
    assert await stage.admin("DELETE", f"{FILES}/data/nlu.yml") == (204, "")
    assert (await stage.admin("GET", f"{FILES}/data/nlu.yml"))[0] == 404
    assert (await stage.admin("DELETE", f"{FILES}/data/nlu.yml"))[0] == 404


async def test_nobody_overwrites_what_they_have_not_read(stage: Stage) -> None:
    await write(stage, "config.yml", "one")
    async with stage.admin.open(f"{FILES}/config.yml") as response:
        tag = response.headers["ETag"]
    await write(stage, "config.yml", "two")
    for method in ("PUT", "DELETE"):
        status, problem = await stage.admin(method, f"{FILES}/config.yml", data=b"mine", headers={"If-Match": tag})
        assert (status, problem["detail"]) == (412, "If-Match: the file was changed meanwhile; read it again")
    assert (await stage.admin("PUT", f"{FILES}/config.yml", data=b"x", headers={"If-Match": "*"}))[0] == 204
    assert (await stage.admin("PUT", f"{FILES}/new.yml", data=b"x", headers={"If-Match": "*"}))[0] == 412


async def test_publication_reaches_the_operator(stage: Stage) -> None:
    assert (await stage.operator("GET", INTERNAL))[0] == 404
    await write(stage, "config.yml", "language: en")
    status, made = await stage.admin("POST", f"{CONTENT}/publish", json={"message": "first"})
    assert (status, made["revision"]) == (201, 1)
    assert published(stage) == "1"
    assert await stage.operator("GET", f"{INTERNAL}?revision=1") == (
        200, {"revision": 1, "files": {"config.yml": "language: en"}},
    )  # fmt: skip
    status, problem = await stage.admin("POST", f"{CONTENT}/publish", json={"message": "again"})
    assert (status, problem["detail"]) == (409, "nothing has changed since revision 1 was published")
    await write(stage, "config.yml", "language: de")
    await stage.admin("POST", f"{CONTENT}/publish", json={"message": "second"})
    assert (await stage.operator("GET", f"{INTERNAL}?revision=1"))[1]["files"] == {"config.yml": "language: en"}
    assert (await stage.operator("GET", INTERNAL))[1]["revision"] == 2
    _, page = await stage.admin("GET", f"{CONTENT}/revisions?limit=1")
    assert [(each["revision"], each["message"], each["published_by"]) for each in page["items"]] == [
        (2, "second", "admin")
    ]
    _, page = await stage.admin("GET", f"{CONTENT}/revisions?limit=1&cursor={page['next_cursor']}")
    assert ([each["revision"] for each in page["items"]], page["next_cursor"]) == ([1], None)
    _, state = await stage.admin("GET", CONTENT)
    assert (state["draft"]["changed"], state["published"]["revision"]) == (False, 2)


async def test_a_publication_that_could_not_be_announced_is_announced_later(stage: Stage) -> None:
    await write(stage, "config.yml", "language: en")
    stage.kube.fail(Unavailable(0, "Unreachable", "no route"), verb="patch")
    assert (await stage.admin("POST", f"{CONTENT}/publish", json={}))[0] == 201
    assert published(stage) is None
    await stage.services.publications.announce_pending()
    assert published(stage) == "1"
    writes = len(stage.kube.writes())
    await stage.services.publications.announce_pending()
    assert len(stage.kube.writes()) == writes, "what is announced is not announced again"


async def test_a_successor_of_the_same_name_has_content_of_its_own(stage: Stage) -> None:
    await write(stage, "config.yml", "language: en")
    stage.kube.fail(Unavailable(0, "Unreachable", "no route"), verb="patch")
    await stage.admin("POST", f"{CONTENT}/publish", json={})
    stage.kube.remove(ASSISTANT, "ns", "concierge")
    stage.kube.put(assistant(uid="another"))
    await stage.services.publications.announce_pending()
    assert published(stage) is None

    async def is_new() -> bool:
        return not (await stage.admin("GET", CONTENT))[1]["draft"]["files"]

    await until(is_new)
    assert await stage.pool.fetchval("select count(*) from drafts where assistant_uid = $1", UID) == 1


async def test_two_who_publish_at_once_make_one_revision(stage: Stage) -> None:
    await write(stage, "config.yml", "language: en")
    answers = await asyncio.gather(*(stage.admin("POST", f"{CONTENT}/publish", json={}) for _ in range(4)))
    assert sorted(status for status, _ in answers) == [201, 409, 409, 409]


async def test_what_cannot_be_published(stage: Stage) -> None:
    status, problem = await stage.admin("POST", f"{CONTENT}/publish", json={})
    assert (status, problem["detail"]) == (
        409, "the draft has no config.yml: add one with recipe, pipeline and policies",
    )  # fmt: skip
    stage.put_assistant("inline", "u2", source={"files": {"config.yml": "x"}})
    path = "/api/v1/assistants/inline/content"
    for method, where in (
        ("PUT", "/files/a.yml"),
        ("DELETE", "/files/a.yml"),
        ("POST", "/publish"),
        ("PUT", "/archive"),
    ):
        body: dict[str, Any] = {"json": {}} if method == "POST" else {"data": b"x"}
        status, problem = await stage.admin(method, path + where, **body)
        assert (status, problem["detail"]) == (409, "the content of inline comes from spec.source.files: edit it there")


async def test_archives_in_and_out(stage: Stage) -> None:
    await write(stage, "data/old.yml", "old")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("bot/config.yml", "bot/domain/main.yml", "bot/data/nlu.yml", "bot/tests/test_a.yml",
                     "bot/endpoints.yml", "bot/README.md", "bot/actions/a.py", "bot/data/test_x.yml"):  # fmt: skip
            archive.writestr(name, f"of: {name}")
    status, answer = await stage.admin("PUT", f"{CONTENT}/archive", data=packed.getvalue())
    assert (status, answer["files"]) == (200, ["config.yml", "data/nlu.yml", "domain/main.yml"])
    assert answer["left_out"] == ["README.md", "actions/a.py", "data/test_x.yml", "endpoints.yml", "tests/test_a.yml"]
    async with stage.admin.open(f"{CONTENT}/archive") as response:
        assert response.headers["Content-Type"] == "application/zip"
        with zipfile.ZipFile(io.BytesIO(await response.read())) as archive:
            assert archive.namelist() == ["config.yml", "data/nlu.yml", "domain/main.yml"]
            assert archive.read("data/nlu.yml") == b"of: bot/data/nlu.yml"
    assert (await stage.admin("GET", f"{CONTENT}/archive?revision=1"))[0] == 404


async def test_an_import_keeps_who_changed_what_it_does_not_change(stage: Stage) -> None:
    await write(stage, "config.yml", "same")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("config.yml", "same")
        archive.writestr("domain.yml", "new")
    await stage.person("designer", subject="dora")("PUT", f"{CONTENT}/archive", data=packed.getvalue())
    _, state = await stage.admin("GET", CONTENT)
    assert [file["updated_by"] for file in state["draft"]["files"]] == ["admin", "dora"]


async def test_every_change_is_in_the_audit_log(stage: Stage) -> None:
    await write(stage, "config.yml", "language: en")
    await stage.admin("POST", f"{CONTENT}/publish", json={}, headers={"X-Request-Id": "my-request.1"})
    await stage.admin("DELETE", f"{FILES}/config.yml")
    _, log = await stage.admin("GET", "/api/v1/audit")
    assert [(each["operation"], each["target"], each["outcome"]) for each in log["items"]] == [
        ("content.write", "concierge/config.yml (deleted)", "done"),
        ("content.publish", "concierge revision 1", "done"),
        ("content.write", "concierge/config.yml", "done"),
    ]
    assert log["items"][1]["request_id"] == "my-request.1"


async def test_only_the_operator_reads_what_is_internal(stage: Stage) -> None:
    for client in (stage.admin, stage.person("developer")):
        assert (await client("GET", INTERNAL))[0] == 401
    from tests.support.serving import Client

    other = Client(stage.session, stage.base, stage.tokens.token("system:serviceaccount:ns:studio-training"))
    assert (await other("GET", INTERNAL))[0] == 403
    assert (await Client(stage.session, stage.base, None)("GET", INTERNAL))[0] == 401
