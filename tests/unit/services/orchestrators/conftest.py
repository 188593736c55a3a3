"""Orchestrators against a real database, a store in memory and an API server in memory."""

import functools
from collections.abc import AsyncIterator

import aiohttp
import asyncpg
import pytest
from tests.fakes.kube import FakeKube
from tests.fakes.storage import FakeStore
from tests.support.serving import serving
from tests.support.tokens import TokenMaker
from tests.unit.services.orchestrators.running_stage import FakeTrackers
from tests.unit.services.orchestrators.world import PROCESS, World

from studio.db import pool
from studio.model_service.orchestrators.orchestrator import Connections
from studio.model_service.orchestrators.running.front import Front
from studio.model_service.orchestrators.running.process import build
from studio.model_service.orchestrators.running.reconciler import Reconciler
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


@pytest.fixture
def kube() -> FakeKube:
    fake = FakeKube()
    fake.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}})
    return fake


@pytest.fixture
def trackers() -> FakeTrackers:
    return FakeTrackers()


@pytest.fixture
async def studio(world: World, trackers: FakeTrackers) -> AsyncIterator[World]:
    app, _ = build(world.made, world.store, trackers, world.access("run"), PROCESS)  # type: ignore[arg-type]
    async with serving(app) as base:
        world.base = base
        yield world


@pytest.fixture
def reconciler(world: World, kube: FakeKube, trackers: FakeTrackers) -> Reconciler:
    return Reconciler(world.made.pool, Front(kube, version="1.0.0"), trackers)
