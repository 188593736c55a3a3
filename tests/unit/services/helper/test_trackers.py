"""The question about durable conversations, asked of a real PostgreSQL."""

import asyncpg
from tests.support import postgres

from studio.contract.model_service import TrackerStore
from studio.model_service.helper import trackers
from studio.settings import DatabaseSettings


async def test_each_thing_that_can_be_missing(
    postgres_server: postgres.Server, studio_database: DatabaseSettings
) -> None:
    database = studio_database.name
    postgres_server.sql("create role tracker_probe login password 'p'")
    try:
        postgres_server.sql("create schema tracker_probe", database)
        postgres_server.sql("grant usage on schema tracker_probe to tracker_probe", database)
        store = TrackerStore(
            host="127.0.0.1",
            port=studio_database.port,
            database=database,
            db_schema="tracker_probe",
            username="tracker_probe",
            password="p",
        )

        async def message() -> str:
            return (await trackers.durability(store, application_name="run-1")).message

        assert await trackers.reachable(store)
        assert "not made its table" in await message()
        postgres_server.sql("create table tracker_probe.events (id int)", database)
        assert "may not write" in await message()
        postgres_server.sql("grant insert, select on tracker_probe.events to tracker_probe", database)
        assert "no connection" in await message()
        engine = await asyncpg.connect(
            host="127.0.0.1",
            port=studio_database.port,
            database=database,
            user="tracker_probe",
            password="p",
            server_settings={"application_name": "run-1"},
        )
        try:
            assert (await trackers.durability(store, application_name="run-1")).trackers_durable
            assert not (await trackers.durability(store, application_name="run-2")).trackers_durable
        finally:
            await engine.close()
        assert not await trackers.reachable(store.model_copy(update={"port": 1}))
    finally:
        postgres_server.sql("drop schema tracker_probe cascade", database)
        postgres_server.sql("drop role tracker_probe")
