"""What people call a model. Tags are the only thing of a model that changes; a tagged one is kept."""

from collections.abc import Callable
from dataclasses import replace

import asyncpg

from studio.model_service.orchestrators import registry
from studio.model_service.orchestrators.http import Refused
from studio.model_service.orchestrators.registry import Model

MOST = 20


async def add(conn: asyncpg.Connection, name: str, version: int, tag: str) -> Model:
    """Tag a model of an assistant, if it is not tagged so; must run in a transaction. Raises Refused."""
    return await _change(conn, name, version, lambda tags: tags | {tag})


async def remove(conn: asyncpg.Connection, name: str, version: int, tag: str) -> Model:
    """Take a tag away, if it is there; must run in a transaction. Raises Refused."""
    return await _change(conn, name, version, lambda tags: tags - {tag})


async def _change(
    conn: asyncpg.Connection, name: str, version: int, change: Callable[[frozenset[str]], frozenset[str]]
) -> Model:
    assistant = await registry.assistant_named(conn, name)
    if assistant is None:
        raise Refused(404, f"there is no assistant {name}")
    model = await registry.model_version(conn, assistant.uid, version, lock=True)
    if model is None:
        raise Refused(404, f"{name} has no model {version}")
    tags = sorted(change(frozenset(model.tags)))
    if len(tags) > MOST:
        raise Refused(409, f"the model {version} has {MOST} tags already: take one away first")
    await conn.execute("update models set tags = $3 where uid = $1 and version = $2", model.uid, version, tags)
    return replace(model, tags=tags)
