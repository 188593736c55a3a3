"""Tags and parents of models, and that retention takes nothing that is tagged or in use."""

import asyncio
from dataclasses import dataclass
from typing import Any

import asyncpg
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.patience import STUCK_SECONDS
from tests.unit.services.orchestrators.test_training import studio, train, want
from tests.unit.services.orchestrators.world import UID, World

from studio.db import pool
from studio.model_service.orchestrators import registry
from studio.model_service.orchestrators.training.retention import prune_models
from studio.settings import DatabaseSettings

__all__ = ["studio"]

RUN = """
insert into items (id, kind, uid, assistant, state, fingerprint, model_version, spec, spec_digest, finished_at)
values ($1, 'run', $2, 'concierge', $3, 'f', $4, '{}', 'd', case when $3 = 'Stopped' then now() end)"""


def tag_of(version: int, tag: str, assistant: str = "concierge") -> str:
    return f"/v1/models/{version}/tags/{tag}?assistant={assistant}"


async def models(studio: World) -> list[dict[str, Any]]:
    _, found = await studio.operator("GET", "/v1/models?assistant=concierge")
    return list(found)


async def test_a_model_is_tagged_and_untagged_idempotently(studio: World) -> None:
    await want(studio)
    await train(studio)
    backend = studio.client("system:serviceaccount:ns:studio-backend")
    for _ in range(2):
        for tag in ("b.2", "a"):
            assert (await backend("PUT", tag_of(1, tag)))[0] == 200
    (found,) = await models(studio)
    assert (found["tags"], found["seconds"], found["parent"]) == (["a", "b.2"], 1.5, None)
    for _ in range(2):
        status, left = await backend("DELETE", tag_of(1, "a"))
        assert (status, left["tags"]) == (200, ["b.2"])


async def test_what_cannot_be_tagged_is_refused(studio: World) -> None:
    await want(studio)
    await train(studio)
    for path, expected in (
        (tag_of(2, "a"), 404),
        (tag_of(1, "a", assistant="nobody"), 404),
        (tag_of(0, "a"), 422),
        (tag_of(1, "-a"), 422),
        (tag_of(1, "a%20b"), 422),
        (tag_of(1, "a" * 51), 422),
    ):
        for method in ("PUT", "DELETE"):
            assert (await studio.operator(method, path))[0] == expected, path
    assert (await studio.consumer()("PUT", tag_of(1, "a")))[0] == 403
    for number in range(20):
        assert (await studio.operator("PUT", tag_of(1, f"t{number}")))[0] == 200
    status, problem = await studio.operator("PUT", tag_of(1, "one-more"))
    assert (status, "has 20 tags already" in problem["detail"]) == (409, True)
    assert (await studio.operator("PUT", tag_of(1, "t7")))[0] == 200


async def test_a_model_follows_what_answered_when_it_was_made(studio: World) -> None:
    for number, content in enumerate("abc"):
        if number == 2:
            await studio.made.pool.execute(RUN, "concierge-r1", UID, "Ready", 1)
            await studio.made.pool.execute("update assistants set serving = 'concierge-r1'")
        await want(studio, content)
        await train(studio, content.encode())
    assert [(model["version"], model["parent"]) for model in await models(studio)] == [
        ("3", "1"), ("2", "1"), ("1", None),
    ]  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """One model as people and runs use it."""

    tags: list[str]
    run: str | None
    serves: bool


KEPT = st.builds(
    Kept, st.lists(st.sampled_from(["a", "b"]), unique=True), st.sampled_from([None, "Ready", "Stopped"]), st.booleans()
)


def test_retention_takes_exactly_what_nobody_needs(studio_database: DatabaseSettings) -> None:
    with asyncio.Runner() as runner:
        opened = runner.run(pool.open_pool(studio_database, application_name="test", max_size=2))

        @settings(max_examples=60, deadline=None)
        @given(st.data(), st.lists(KEPT, min_size=1, max_size=8), st.integers(0, 4))
        def check(data: st.DataObject, kept: list[Kept], keep: int) -> None:
            versions = range(1, len(kept) + 1)
            pinned = data.draw(st.sampled_from(["latest", *map(str, versions)]))
            serving = next((version for version in versions if kept[version - 1].serves), None)
            needed = {
                version
                for version, model in zip(versions, kept, strict=True)
                if model.tags or model.run == "Ready" or str(version) == pinned or version > len(kept) - max(keep, 1)
            }
            if serving is not None and kept[serving - 1].run:
                needed.add(serving)
            assert runner.run(left(opened, kept, serving=serving, pinned=pinned, keep=keep)) == needed

        try:
            check()
        finally:
            runner.run(opened.close())


async def left(database: asyncpg.Pool, kept: list[Kept], *, serving: int | None, pinned: str, keep: int) -> set[int]:
    """The versions that are there after retention."""
    async with database.acquire() as conn, conn.transaction():
        await conn.execute("truncate assistants, contents, models, items, transitions, garbage")
        await conn.execute(
            """insert into assistants (uid, name, namespace, studio, running, serving)
               values ($1, 'concierge', 'ns', 'studio', $2, $3)""",
            UID, {"model": pinned}, f"r{serving}",
        )  # fmt: skip
        for version, model in enumerate(kept, 1):
            await conn.execute(
                """insert into models (uid, version, fingerprint, sha256, size, members, object_key, engine_image,
                                       training, tags)
                   values ($1, $2, $3, 's', 1, '[]', $3, 'engine', 't', $4)""",
                UID, version, f"f{version}", model.tags,
            )  # fmt: skip
            if model.run:
                await conn.execute(RUN, f"r{version}", UID, model.run, version)
        assistant = await registry.assistant(conn, UID)
        assert assistant is not None
        await prune_models(conn, assistant, keep=keep)
        return {model.version for model in await registry.models(conn, UID)}


async def test_a_tag_at_the_same_moment_keeps_the_model(studio: World) -> None:
    for content in "ab":
        await want(studio, content)
        await train(studio, content.encode())
    async with studio.made.pool.acquire() as tagging, studio.made.pool.acquire() as pruning:
        assistant = await registry.assistant(pruning, UID)
        assert assistant is not None
        async with tagging.transaction():
            await tagging.execute("update models set tags = '{a}' where version = 1")
            pruned = asyncio.create_task(in_transaction(pruning, assistant))
            await until_it_waits(tagging)
        await pruned
    assert [model["version"] for model in await models(studio)] == ["2", "1"]


async def in_transaction(conn: asyncpg.Connection, assistant: registry.Assistant) -> None:
    async with conn.transaction():
        await prune_models(conn, assistant, keep=1)


async def until_it_waits(conn: asyncpg.Connection) -> None:
    async with asyncio.timeout(STUCK_SECONDS):
        while not await conn.fetchval("select count(*) from pg_locks where not granted"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
