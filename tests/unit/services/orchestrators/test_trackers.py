"""Roles and schemas of conversations on a real server."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from tests.support import postgres

from studio.contract import names
from studio.contract.model_service import EventBrokerLogin
from studio.db import pool
from studio.model_service.orchestrators.running.trackers import Trackers
from studio.settings import DatabaseSettings, TrackerSettings

ONE, TWO = "6f1f4c1e-0000-4000-8000-00000000000a", "6f1f4c1e-0000-4000-8000-00000000000b"


@pytest.fixture
def settings(postgres_server: postgres.Server, tmp_path: Path) -> Iterator[TrackerSettings]:
    if not postgres_server.sql("select 1 from pg_roles where rolname = 'trackers'"):
        postgres_server.sql("create role trackers login createrole password 'test'")
    with postgres.database(postgres_server) as name:
        postgres_server.sql(f"alter database {name} owner to trackers")
        postgres_server.sql(f"revoke all on database {name} from public")
        (tmp_path / "key").write_text("k" * 64)
        yield TrackerSettings(postgres_server.settings(name, "trackers", "test"), tmp_path / "key")


def login(settings: TrackerSettings, uid: str, folder: Path) -> DatabaseSettings:
    store = Trackers(settings).store(uid)
    (folder / uid).write_text(store.password)
    return settings.database.login(name=store.database, user=store.username, password_file=folder / uid)


async def run(database: DatabaseSettings, *statements: str) -> None:
    conn = await pool.connect(database, application_name="engine")
    try:
        for statement in statements:
            await conn.execute(statement)
    finally:
        await conn.close()


def test_the_digest_of_the_stores_moves_with_them_and_tells_nothing(settings: TrackerSettings) -> None:
    one = EventBrokerLogin(servers=["a:9092"], topic="events", security_protocol="SASL_SSL", password="p")
    elsewhere = replace(settings, database=replace(settings.database, host="elsewhere"))
    (other_key := settings.key_file.with_name("other")).write_text("o" * 64)
    found = [
        Trackers(settings).stores_digest(one),
        Trackers(settings).stores_digest(one.model_copy(update={"password": "q"})),
        Trackers(settings).stores_digest(None),
        Trackers(elsewhere).stores_digest(one),
        Trackers(replace(settings, key_file=other_key)).stores_digest(one),
    ]
    assert len(set(found)) == len(found)
    assert Trackers(settings).stores_digest(one.model_copy()) == found[0]


async def test_many_come_and_go_at_once(settings: TrackerSettings) -> None:
    """What each may do in the database is one row of the server's catalogue for all of them."""
    trackers = Trackers(settings)
    uids = [f"{ONE[:-2]}{number:02}" for number in range(10, 22)]
    await asyncio.gather(*(trackers.ensure(uid) for uid in uids))
    await asyncio.gather(*(trackers.drop(uid) for uid in uids))


async def test_made_used_and_dropped(settings: TrackerSettings, tmp_path: Path) -> None:
    trackers = Trackers(settings)
    stores = await asyncio.gather(*(trackers.ensure(uid) for uid in (ONE, ONE, TWO, ONE)))
    assert stores[0] == stores[1] == trackers.store(ONE)
    assert stores[0].password != stores[2].password
    one, two = login(settings, ONE, tmp_path), login(settings, TWO, tmp_path)
    # What the engine does: tables without a schema land in its own.
    await run(one, "create table events (id serial primary key, data text)", "insert into events (data) values ('hi')")
    await run(two, "create table events (id serial primary key, data text)")
    schema = names.tracker_schema(ONE)
    for statement in (f"select * from {schema}.events", f"create table {schema}.x (id int)", "create schema mine"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await run(two, statement)
    for _ in range(2):
        await trackers.drop(ONE)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await run(one, "select 1")
    await run(two, "select * from events")
    await trackers.ensure(ONE)
    with pytest.raises(asyncpg.UndefinedTableError):
        await run(one, "select * from events")
    for uid in (ONE, TWO):
        await trackers.drop(uid)


async def test_the_newest_event_tells_when_something_was_heard(settings: TrackerSettings, tmp_path: Path) -> None:
    trackers = Trackers(settings)
    await trackers.ensure(ONE)
    assert await trackers.heard(ONE) is None, "the engine has made no table yet"
    one = login(settings, ONE, tmp_path)
    await run(one, "create table events (id serial primary key, sender_id text, timestamp double precision)")
    assert await trackers.heard(ONE) is None, "nobody has said anything"
    await run(one, "insert into events (sender_id, timestamp) values ('a', 1795248000.5), ('b', 1795248060)")
    assert await trackers.heard(ONE) == datetime(2026, 11, 21, 8, 1, tzinfo=UTC)
    await trackers.drop(ONE)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await trackers.heard(ONE)


async def test_engines_are_told_about_tls(settings: TrackerSettings, tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("PEM")
    database = replace(settings.database, ssl_mode="verify-full", ca_file=tmp_path / "ca")
    store = Trackers(replace(settings, database=database)).store(ONE)
    assert (store.sslmode, store.ca) == ("verify-full", "PEM")
    store = Trackers(replace(settings, database=replace(database, ssl_mode="require"))).store(ONE)
    assert (store.sslmode, store.ca) == ("require", None)


async def test_a_password_that_was_changed_is_set_again(settings: TrackerSettings, tmp_path: Path) -> None:
    trackers = Trackers(settings)
    await trackers.ensure(ONE)
    one = login(settings, ONE, tmp_path)
    await run(one, f"alter role {names.tracker_schema(ONE)} password 'mine'")
    await trackers.ensure(ONE)
    await run(one, "select 1")
    await trackers.drop(ONE)


async def test_a_strange_uid_is_refused(settings: TrackerSettings) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        await Trackers(settings).ensure('x"; drop table y; --')
