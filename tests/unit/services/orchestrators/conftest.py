"""Orchestrators against a real database, a store in memory and an API server in memory."""

import functools
from collections.abc import AsyncIterator

import aiohttp
import asyncpg
import pytest
from tests.fakes.storage import FakeStore
from tests.support.tokens import TokenMaker
from tests.unit.services.orchestrators.world import World

from studio.db import pool
from studio.model_service.orchestrators.orchestrator import Connections
from studio.settings import DatabaseSettings


@pytest.fixture(scope="session")
def tokens() -> TokenMaker:
    return TokenMaker()


@pytest.fixture
async def world(
    studio_pool: asyncpg.Pool, studio_database: DatabaseSettings, tokens: TokenMaker
) -> AsyncIterator[World]:
    made = Connections(studio_pool, functools.partial(pool.connect, studio_database, application_name="test"))
    async with aiohttp.ClientSession() as session:
        yield World(made, FakeStore(), tokens, session)
