"""Models as people download them: found in the registry, read from the object store, never held whole."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from studio.db.schema.model_service import assistants, models
from studio.http.problems import Refused
from studio.settings import StorageSettings
from studio.storage.port import ObjectMissing


class Objects(Protocol):
    """What downloads need of the object store."""

    def read(self, key: str) -> AsyncIterator[bytes]:
        """The bytes of an object in pieces; ObjectMissing at the first. Raises StorageError."""


class LateStore:
    """The object store, opened at the first download: its library takes 25 MiB, and most days nobody downloads."""

    def __init__(self, settings: StorageSettings) -> None:
        self._settings = settings
        self._store: Objects | None = None

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """The bytes of an object in pieces."""
        if self._store is None:
            self._store = await asyncio.to_thread(_open, self._settings)
        async for piece in self._store.read(key):
            yield piece


def _open(settings: StorageSettings) -> Objects:
    from studio.storage.s3 import S3Store  # see LateStore

    return S3Store.open(settings)


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model in the object store."""

    version: int
    key: str
    sha256: str
    size: int


async def find(engine: AsyncEngine, assistant: str, version: int | None) -> StoredModel:
    """A model of an assistant, the newest without a version. Raises Refused."""
    query = (
        select(models.c.version, models.c.object_key, models.c.sha256, models.c.size)
        .join(assistants, assistants.c.uid == models.c.uid)
        .where(assistants.c.name == assistant, ~assistants.c.removing)
        .order_by(models.c.version.desc())
        .limit(1)
    )
    if version is not None:
        query = query.where(models.c.version == version)
    async with engine.connect() as conn:
        row = (await conn.execute(query)).one_or_none()
    if row is None:
        raise Refused(404, f"{assistant} has no model {version or 'yet'}")
    return StoredModel(row.version, row.object_key, row.sha256, row.size)


async def open_model(store: Objects, model: StoredModel) -> AsyncIterator[bytes]:
    """The bytes of a model in pieces, once the store has begun to give them. Raises Refused, StorageError."""
    pieces = store.read(model.key)
    try:
        first = await anext(pieces, b"")
    except ObjectMissing:
        raise Refused(404, f"the model {model.version} is not stored any more") from None

    async def all_pieces() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    return all_pieces()
