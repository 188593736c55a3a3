"""Assistants, contents and models in PostgreSQL: the rows that trainings and runs are about.

Functions take a connection; those that write must run in a transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

import asyncpg

from studio.contract.model_service import DesiredRunning, DesiredTraining
from studio.model_service.claiming import COLUMNS
from studio.model_service.items import Item, Kind
from studio.model_service.queue import CHANGES_CHANNEL, QUEUE_CHANNEL, notify

# ruff: noqa: S608 (column names are constants of this module; values are parameters)

Side = Literal["training", "running"]
KIND: dict[Side, Kind] = {"training": "training", "running": "run"}


class Removing(Exception):
    """The assistant is being removed, or was: nothing may be wanted of it any more."""


@dataclass(frozen=True, slots=True)
class Assistant:
    """One assistant as the orchestrators know it; `training` and `running` are the last desired states."""

    uid: str
    name: str
    namespace: str
    studio: str
    training: dict[str, Any] | None
    running: dict[str, Any] | None
    removing: bool
    delete_data: bool
    removed_at: datetime | None
    wanted_since: datetime | None
    serving: str | None
    service_reason: str
    service_message: str
    next_training: int
    next_run: int
    next_model: int

    def desired_training(self) -> DesiredTraining | None:
        """What the operator last wanted of trainings."""
        return DesiredTraining.model_validate(self.training) if self.training else None

    def desired_running(self) -> DesiredRunning | None:
        """What the operator last wanted of runs."""
        return DesiredRunning.model_validate(self.running) if self.running else None


@dataclass(frozen=True, slots=True)
class Content:
    """Stored content of one fingerprint."""

    uid: str
    fingerprint: str
    object_key: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Model:
    """One version of an assistant's model."""

    uid: str
    version: int
    fingerprint: str
    sha256: str
    size: int
    members: list[str]
    object_key: str
    engine_image: str
    training: str
    trained_at: datetime
    seconds: float | None = None
    parent: int | None = None
    tags: Sequence[str] = ()


_ASSISTANT = ", ".join(field.name for field in fields(Assistant))
_CONTENT = ", ".join(field.name for field in fields(Content))
_MODEL = ", ".join(field.name for field in fields(Model))


async def assistant(conn: asyncpg.Connection, uid: str, *, lock: bool = False) -> Assistant | None:
    """The assistant of a uid; with `lock` its row stays locked until the transaction ends."""
    row = await conn.fetchrow(f"select {_ASSISTANT} from assistants where uid = $1 {'for update' if lock else ''}", uid)
    return None if row is None else Assistant(**row)


async def assistant_named(conn: asyncpg.Connection, name: str) -> Assistant | None:
    """The assistant that has the name now."""
    row = await conn.fetchrow(f"select {_ASSISTANT} from assistants where name = $1 and not removing", name)
    return None if row is None else Assistant(**row)


async def assistants(conn: asyncpg.Connection) -> list[Assistant]:
    """All that are not gone, those that are being removed included."""
    rows = await conn.fetch(f"select {_ASSISTANT} from assistants where removed_at is null order by name, uid")
    return [Assistant(**row) for row in rows]


async def put_desired(conn: asyncpg.Connection, side: Side, desired: DesiredTraining | DesiredRunning) -> Assistant:
    """Remember what the operator wants; writes nothing if that is known. Raises Removing.

    Another assistant of the same name has been deleted meanwhile: it is marked for removal and loses the name.
    """
    wanted = desired.model_dump(mode="json")
    known = await assistant(conn, desired.uid)
    if known is not None and not known.removing and getattr(known, side) == wanted:
        return known
    await conn.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"assistant:{desired.name}")
    known = await assistant(conn, desired.uid, lock=True)
    if known is not None and known.removing:
        raise Removing(f"the assistant {desired.name} with uid {desired.uid} is being removed")
    await conn.execute(
        "update assistants set removing = true, removing_since = now() where name = $1 and uid <> $2 and not removing",
        desired.name, desired.uid,
    )  # fmt: skip
    row = await conn.fetchrow(
        f"""insert into assistants (uid, name, namespace, studio, {side}) values ($1, $2, $3, $4, $5)
            on conflict (uid) do update set {side} = excluded.{side}, wanted_since = case
              when coalesce(excluded.training, assistants.training) ->> 'fingerprint'
                   is distinct from assistants.training ->> 'fingerprint' then now()
              else assistants.wanted_since end
            returning {_ASSISTANT}""",
        desired.uid, desired.name, desired.namespace, desired.studio, wanted,
    )  # fmt: skip
    await notify(conn, (CHANGES_CHANNEL, f"desired-{side}:{desired.name}"))
    if known is not None and (getattr(known, side) or {}).get("paused") and not desired.paused:
        await notify(conn, (QUEUE_CHANNEL, KIND[side]))
    return Assistant(**row)


async def begin_removal(conn: asyncpg.Connection, uid: str, *, delete_data: bool) -> Assistant | None:
    """Mark for removal; None if the assistant is not known or gone."""
    known = await assistant(conn, uid, lock=True)
    if known is None or known.removed_at is not None:
        return None
    if known.removing and known.delete_data == delete_data:
        return known
    row = await conn.fetchrow(
        f"""update assistants set removing = true, delete_data = $2,
                                  removing_since = coalesce(removing_since, now())
            where uid = $1 returning {_ASSISTANT}""",
        uid, delete_data,
    )  # fmt: skip
    await notify(conn, (CHANGES_CHANNEL, f"desired-training:{known.name}"))
    await notify(conn, (CHANGES_CHANNEL, f"desired-running:{known.name}"))
    return Assistant(**row)


async def removing_for(conn: asyncpg.Connection, uid: str) -> float:
    """For how many seconds the assistant has been under removal."""
    seconds: float | None = await conn.fetchval(
        "select extract(epoch from clock_timestamp() - removing_since)::float8 from assistants where uid = $1", uid
    )
    return max(seconds or 0.0, 0.0)


async def finish_removal(conn: asyncpg.Connection, side: Side, uid: str) -> None:
    """One side is clean; the assistant is gone when both are."""
    await conn.execute(f"update assistants set {side} = null where uid = $1 and {side} is not null", uid)
    if side == "running":
        await conn.execute(
            """update assistants set serving = null, service_reason = '', service_message = ''
               where uid = $1 and (serving is not null or service_reason <> '')""",
            uid,
        )
    await conn.execute(
        """update assistants set removed_at = now()
           where uid = $1 and removing and training is null and running is null and removed_at is null
             and not exists (select 1 from items where items.uid = assistants.uid and finished_at is null)""",
        uid,
    )


async def next_number(
    conn: asyncpg.Connection, uid: str, counter: Literal["next_training", "next_run", "next_model"]
) -> int:
    """The next number of a training, run or model version of an assistant."""
    number: int = await conn.fetchval(
        f"update assistants set {counter} = {counter} + 1 where uid = $1 returning {counter} - 1", uid
    )
    return number


async def items(
    conn: asyncpg.Connection, uid: str, kind: Kind, *, active: bool = False, lock: bool = False, limit: int = 200
) -> list[Item]:
    """Trainings or runs of an assistant, newest first."""
    rows = await conn.fetch(
        f"""select {COLUMNS} from items where uid = $1 and kind = $2 {"and finished_at is null" if active else ""}
            order by seq desc limit $3 {"for update" if lock else ""}""",
        uid, kind, limit,
    )  # fmt: skip
    return [Item(**row) for row in rows]


async def newest_item(conn: asyncpg.Connection, uid: str, kind: Kind, fingerprint: str) -> Item | None:
    """The newest training or run of a fingerprint, final or not."""
    row = await conn.fetchrow(
        f"select {COLUMNS} from items where uid = $1 and kind = $2 and fingerprint = $3 order by seq desc limit 1",
        uid, kind, fingerprint,
    )  # fmt: skip
    return None if row is None else Item(**row)


async def content(conn: asyncpg.Connection, uid: str, fingerprint: str) -> Content | None:
    """The stored content of a fingerprint."""
    row = await conn.fetchrow(f"select {_CONTENT} from contents where uid = $1 and fingerprint = $2", uid, fingerprint)
    return None if row is None else Content(**row)


async def models(conn: asyncpg.Connection, uid: str) -> list[Model]:
    """The models of an assistant, newest first."""
    rows = await conn.fetch(f"select {_MODEL} from models where uid = $1 order by version desc", uid)
    return [Model(**row) for row in rows]


async def model_of(conn: asyncpg.Connection, uid: str, fingerprint: str) -> Model | None:
    """The model of a fingerprint."""
    row = await conn.fetchrow(f"select {_MODEL} from models where uid = $1 and fingerprint = $2", uid, fingerprint)
    return None if row is None else Model(**row)


async def model_version(conn: asyncpg.Connection, uid: str, version: int, *, lock: bool = False) -> Model | None:
    """The model of a version; with `lock` its row stays locked until the transaction ends."""
    row = await conn.fetchrow(
        f"select {_MODEL} from models where uid = $1 and version = $2 {'for update' if lock else ''}", uid, version
    )
    return None if row is None else Model(**row)


async def latest_model(conn: asyncpg.Connection, uid: str) -> Model | None:
    """The newest model."""
    row = await conn.fetchrow(f"select {_MODEL} from models where uid = $1 order by version desc limit 1", uid)
    return None if row is None else Model(**row)


async def names(conn: asyncpg.Connection | asyncpg.Pool) -> list[str]:
    """The names of all assistants that are not being removed."""
    return [row["name"] for row in await conn.fetch("select name from assistants where not removing order by name")]
