"""Roles, databases and schema on a real server."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from alembic import autogenerate
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from tests.support import kafka, postgres

from studio.db import migrate, pool
from studio.db.identifiers import identifier, literal
from studio.db.schema import metadata
from studio.db.scram import verifier
from studio.events.connection import connection
from studio.events.errors import EventBrokerUnavailable
from studio.settings import DatabaseSettings, MigrateSettings

SERVICES = Path(__file__).parents[4] / "services"
HEAD = ScriptDirectory(str(SERVICES / "studio/db/alembic")).get_current_head()


@pytest.fixture
def server() -> Iterator[postgres.Server]:
    """A server of its own: roles belong to the whole server."""
    with postgres.server() as running:
        yield running


def environment(server: postgres.Server, folder: Path) -> dict[str, str]:
    values = {"studio": "studio-pass", "trackers": "trackers-pass", "admin": postgres.PASSWORD}
    for name, value in values.items():
        (folder / name).write_text(value + "\n")
    return {
        "DATABASE_HOST": "127.0.0.1", "DATABASE_PORT": str(server.port), "DATABASE_SSLMODE": "disable",
        "DATABASE_PASSWORD_FILE": str(folder / "studio"), "TRACKERS_PASSWORD_FILE": str(folder / "trackers"),
        "DATABASE_ADMIN_PASSWORD_FILE": str(folder / "admin"), "MIGRATE_PATIENCE_SECONDS": "30",
    }  # fmt: skip


async def logged_in(settings: DatabaseSettings, sql: str) -> object:
    conn = await pool.connect(settings, application_name="test")
    try:
        return await conn.fetchval(sql)
    finally:
        await conn.close()


async def test_once_twice_and_at_once(server: postgres.Server, tmp_path: Path) -> None:
    settings = MigrateSettings.from_env(environment(server, tmp_path))
    await asyncio.gather(*(migrate.migrate(settings) for _ in range(3)))
    await migrate.migrate(settings)
    studio = settings.database
    assert await logged_in(studio, "select version_num from alembic_version") == HEAD
    assert await logged_in(studio, "select count(*) from items") == 0
    trackers = studio.login(name="trackers", user="trackers", password_file=tmp_path / "trackers")
    assert await logged_in(trackers, "select rolcreaterole from pg_roles where rolname = current_user")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await logged_in(studio.login(name="trackers", user="studio", password_file=tmp_path / "studio"), "select 1")


async def test_a_changed_password_is_taken_over(server: postgres.Server, tmp_path: Path) -> None:
    settings = MigrateSettings.from_env(environment(server, tmp_path))
    await migrate.migrate(settings)
    (tmp_path / "studio").write_text("another")
    await migrate.migrate(settings)
    assert await logged_in(settings.database, "select 1") == 1


async def test_a_server_that_comes_later_is_waited_for(server: postgres.Server, tmp_path: Path) -> None:
    settings = MigrateSettings.from_env(environment(server, tmp_path))
    await asyncio.to_thread(server.stop)
    migrating = asyncio.create_task(migrate.migrate(settings))
    await asyncio.to_thread(server.start)
    await migrating
    assert await logged_in(settings.database, "select count(*) from items") == 0


async def test_killed_anywhere_and_run_again(server: postgres.Server, tmp_path: Path) -> None:
    env = {**os.environ, **environment(server, tmp_path), "PYTHONPATH": str(SERVICES)}
    for _ in range(5):  # each run gets one step further: two roles, two databases, the schema
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "studio", "migrate", env=env, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        await process.stdout.readline()
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.communicate()
    settings = MigrateSettings.from_env(env)
    await migrate.migrate(settings)
    assert await logged_in(settings.database, "select count(*) from items") == 0


async def test_keycloak_gets_a_database_of_its_own(server: postgres.Server, tmp_path: Path) -> None:
    (tmp_path / "keycloak").write_text("keycloak-pass")
    env = {**environment(server, tmp_path), "KEYCLOAK_PASSWORD_FILE": str(tmp_path / "keycloak")}
    settings = MigrateSettings.from_env(env)
    for _ in range(2):
        await migrate.migrate(settings)
    login = settings.database.login(name="keycloak", user="keycloak", password_file=tmp_path / "keycloak")
    assert await logged_in(login, "select pg_get_userbyid(datdba) from pg_database where datname = 'keycloak'") == (
        "keycloak"
    )
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await logged_in(settings.database.login(name="keycloak", user="studio", password_file=tmp_path / "studio"), "")


@pytest.mark.timeout(180)
async def test_topics_are_made_once_the_broker_is_there(
    server: postgres.Server, kafka_server: kafka.KafkaServer, tmp_path: Path
) -> None:
    name, broker = kafka.topic_name(), kafka_server.settings()
    settings = MigrateSettings.from_env({
        **environment(server, tmp_path),
        "EVENT_BROKER_SERVERS": broker.servers[0], "EVENT_BROKER_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "EVENT_BROKER_FOLDER": str(broker.folder), "EVENT_BROKER_ENGINE_USER": "engine",
        "EVENTS_TOPIC": name, "EVENTS_PARTITIONS": "2", "MIGRATE_PATIENCE_SECONDS": "90",
    })  # fmt: skip
    await asyncio.to_thread(kafka_server.stop)
    migrating = asyncio.create_task(migrate.migrate(settings))
    await asyncio.to_thread(kafka_server.start)
    await migrating
    await kafka.visible(kafka_server.settings("engine"), name)
    producer = AIOKafkaProducer(**connection(kafka_server.settings("engine"), client_id="test"))
    await producer.start()
    try:
        assert len(await producer.partitions_for(name)) == 2
        assert (await producer.send_and_wait(name, b"event")).offset == 0
    finally:
        await producer.stop()


async def test_a_broker_that_never_comes_is_told(server: postgres.Server, tmp_path: Path) -> None:
    env = {**environment(server, tmp_path), "EVENT_BROKER_SERVERS": "localhost:1", "MIGRATE_PATIENCE_SECONDS": "1"}
    with pytest.raises(EventBrokerUnavailable, match="localhost:1 does not answer"):
        await migrate.migrate(MigrateSettings.from_env(env))


async def test_without_a_superuser(server: postgres.Server, tmp_path: Path) -> None:
    """As on managed servers, whose administrator may only make roles and databases."""
    env = environment(server, tmp_path)
    server.sql(f"create role admin login createrole createdb password '{postgres.PASSWORD}'")
    await migrate.migrate(MigrateSettings.from_env({**env, "DATABASE_ADMIN_USER": "admin"}))
    assert await logged_in(MigrateSettings.from_env(env).database, "select count(*) from items") == 0


async def test_the_migrations_lead_to_the_metadata(studio_database: DatabaseSettings) -> None:
    async def connect() -> asyncpg.Connection:
        return await pool.connect(studio_database, application_name="test")

    def differences(conn: Connection) -> list[object]:
        context = MigrationContext.configure(conn, opts={"compare_type": True, "compare_server_default": True})
        return list(autogenerate.compare_metadata(context, metadata))

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    async with engine.connect() as conn:
        assert await conn.run_sync(differences) == []
    await engine.dispose()


async def test_constraints_have_their_names(studio_pool: asyncpg.Pool) -> None:
    rows = await studio_pool.fetch(
        "select conname from pg_constraint where conrelid = 'items'::regclass and contype = 'c' order by 1"
    )
    assert [row["conname"] for row in rows] == [
        f"ck_items_{name}" for name in ("finished", "kind", "released", "state")
    ]


async def test_down_and_up_again(studio_database: DatabaseSettings) -> None:
    from alembic import command

    async def connect() -> asyncpg.Connection:
        return await pool.connect(studio_database, application_name="test")

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    async with engine.connect() as conn:
        await conn.run_sync(lambda sync: command.downgrade(migrate.configuration(sync), "base"))
    await engine.dispose()
    await migrate.upgrade(studio_database)
    assert await logged_in(studio_database, "select count(*) from items") == 0


async def test_a_verifier_is_a_password(postgres_server: postgres.Server) -> None:
    role = "scram_role"
    postgres_server.sql(f"create role {role} login password {literal(verifier('se cret'))}")
    assert await logged_in(postgres_server.settings(user=role, password="se cret"), "select 1") == 1


async def test_statements_have_a_limit(postgres_server: postgres.Server) -> None:
    conn = await pool.connect(postgres_server.settings(), application_name="test", statement_timeout=0.1)
    with pytest.raises(asyncpg.QueryCanceledError):
        await conn.fetchval("select pg_sleep(30)")
    await conn.close()


async def test_the_password_is_read_for_each_connection(postgres_server: postgres.Server, tmp_path: Path) -> None:
    postgres_server.sql("create role rotating login password 'one'")
    settings = postgres_server.settings(user="rotating")
    settings = settings.login(name="postgres", user="rotating", password_file=tmp_path / "password")
    (tmp_path / "password").write_text("one")
    opened = await pool.open_pool(settings, application_name="test", max_size=2, min_size=1)
    postgres_server.sql("alter role rotating password 'two'")
    (tmp_path / "password").write_text("two")
    await opened.expire_connections()
    assert await opened.fetchval("select 1") == 1
    await opened.close()


@pytest.mark.parametrize("name", ["", "a" * 64, 'a"b', "A", "1a", "a b"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        identifier(name)


def test_literals() -> None:
    assert literal("it's \\ x") == "E'it''s \\\\ x'"
