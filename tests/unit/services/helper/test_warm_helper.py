"""The helper beside an engine that is started before its model: against a local orchestrator, store and engine."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from tests.support.patience import STUCK_SECONDS
from tests.unit.services.helper.conftest import World, archive, digest_of

from studio.contract.model_service import AwaitedModel, ModelTicket, TrackerStore, WarmTicket
from studio.model_service.helper import run
from studio.model_service.helper.archive import UnsafeArchive
from studio.model_service.helper.environment import HelperSettings
from studio.model_service.helper.transfer import WrongDigest
from studio.model_service.helper.warm import WarmHelper
from studio.model_service.orchestrator_client import OrchestratorClient

ATTEMPT = "/v1/runs/kiosk-t1-abcde/attempts/1"
OLD, NEW = archive({"metadata.json": b"old"}), archive({"metadata.json": b"new"})
STORE = TrackerStore(host="127.0.0.1", port=1, database="trackers", db_schema="t", username="t", password="p")


def name(data: bytes) -> str:
    return f"{digest_of(data).sha256}.tar.gz"


def ticket(world: World, key: str, data: bytes) -> ModelTicket:
    world.objects[key] = data
    return ModelTicket(
        model_version="1", model=digest_of(data), model_url=f"{world.url}/s3/{key}", members=["metadata.json"]
    )


def warm(world: World, meanwhile: ModelTicket | None) -> None:
    world.answers[f"{ATTEMPT}/warm"] = WarmTicket(tracker_store=STORE, warm_with=meanwhile).model_dump()


def answer(world: World, *tickets: ModelTicket | None) -> None:
    """What the orchestrator answers to those who wait for the model, one after the other."""
    told = iter(tickets)
    world.answers[f"{ATTEMPT}/model"] = lambda: AwaitedModel(model=next(told)).model_dump()


@pytest.fixture
def helper(
    world: World, helper_settings: HelperSettings, orchestrator: OrchestratorClient,
    session: aiohttp.ClientSession, tmp_path: Path,
) -> WarmHelper:  # fmt: skip
    return WarmHelper(
        helper_settings, orchestrator, session,
        folder=tmp_path / "engine", channels=tmp_path / "channels.yml", engine_url=world.url, tracker_patience=0,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def always_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_CACHE_SECONDS", 0.0)


@pytest.fixture
async def ready(helper: WarmHelper) -> AsyncIterator[Any]:
    """What the kubelet asks."""
    async with TestClient(TestServer(helper.application())) as client:

        async def ask() -> int:
            async with client.get("/ready") as response:
                return response.status

        yield ask


def starts(world: World, tmp_path: Path, model: str | None) -> None:
    """The engine has come up."""
    world.engine_token, world.engine_model = (tmp_path / "engine/token").read_text(), model


async def test_it_is_ready_when_warm_and_again_once_the_model_is_in(
    world: World, helper: WarmHelper, tmp_path: Path, ready: Any
) -> None:
    warm(world, ticket(world, "old", OLD))
    await helper.prepare()
    assert (tmp_path / "engine/warm-model-name").read_text() == name(OLD)
    assert (tmp_path / "engine/warm-models" / name(OLD)).read_bytes() == OLD
    assert not (tmp_path / "engine/model-name").exists()
    assert await ready() == 503, "the engine is not there"
    starts(world, tmp_path, name(OLD))
    assert await ready() == 200
    answer(world, None, None, ticket(world, "new", NEW))
    await helper.take_model()
    assert world.engine_model == name(NEW)
    (put,) = [request for request in world.requests if request[:2] == ("PUT", "/model")]
    assert put[2:] == (world.engine_token, {"model_file": f"/run/engine/models/{name(NEW)}"})
    assert (tmp_path / "engine/models" / name(NEW)).read_bytes() == NEW
    assert [body["loaded"] for body in world.bodies("/report")] == [digest_of(NEW).sha256]
    assert await ready() == 200
    world.engine_model = name(OLD)
    assert await ready() == 503, "the truth, from now on"


async def test_without_a_model_it_is_warm_as_soon_as_the_engine_listens(
    world: World, helper: WarmHelper, tmp_path: Path, ready: Any
) -> None:
    warm(world, None)
    await helper.prepare()
    assert not (tmp_path / "engine/warm-model-name").exists()
    starts(world, tmp_path, None)
    assert await ready() == 200, "409: it has no model, and could take one"


async def test_a_model_that_comes_before_the_engine_waits_for_it(
    world: World, helper: WarmHelper, tmp_path: Path
) -> None:
    warm(world, None)
    answer(world, ticket(world, "new", NEW))
    await helper.prepare()
    taking = asyncio.create_task(helper.take_model())
    await asyncio.wait({taking}, timeout=0.3)
    assert not taking.done()
    starts(world, tmp_path, None)
    await asyncio.wait_for(taking, STUCK_SECONDS)
    assert world.engine_model == name(NEW)


async def test_a_helper_that_was_restarted_finds_the_model_in(world: World, helper: WarmHelper, tmp_path: Path) -> None:
    warm(world, None)
    answer(world, ticket(world, "new", NEW))
    await helper.prepare()
    starts(world, tmp_path, name(NEW))
    await helper.take_model()
    assert not [request for request in world.requests if request[:2] == ("PUT", "/model")]
    assert [body["loaded"] for body in world.bodies("/report")] == [digest_of(NEW).sha256]


async def test_an_engine_that_refuses_is_reported(world: World, helper: WarmHelper, tmp_path: Path) -> None:
    warm(world, None)
    answer(world, ticket(world, "new", NEW))
    await helper.prepare()
    starts(world, tmp_path, None)
    world.put_status = 400
    taking = asyncio.create_task(helper.take_model())
    async with asyncio.timeout(STUCK_SECONDS):
        while not world.bodies("/report"):  # noqa: ASYNC110 - the orchestrator is a fake without events
            await asyncio.sleep(0.005)
    (report,) = world.bodies("/report")
    assert "the model is broken" in report["refused"]
    assert report["loaded"] is None
    assert not taking.done(), "it waits for its end"
    taking.cancel()


async def test_what_is_not_as_it_was_stored_goes_nowhere(world: World, helper: WarmHelper, tmp_path: Path) -> None:
    warm(world, None)
    await helper.prepare()
    starts(world, tmp_path, None)
    told = ticket(world, "new", NEW)
    answer(world, told.model_copy(update={"members": ["metadata.json", "evil.pkl"]}))
    with pytest.raises(UnsafeArchive, match="other members"):
        await helper.take_model()
    world.objects["bad"] = OLD
    wrong = told.model_copy(update={"model": digest_of(b"x"), "model_url": f"{world.url}/s3/bad"})
    answer(world, wrong, wrong, wrong)
    with pytest.raises(WrongDigest):
        await helper.take_model()
    assert world.engine_model is None


async def test_a_bad_model_to_warm_with_is_left_out(world: World, helper: WarmHelper, tmp_path: Path) -> None:
    told = ticket(world, "old", OLD)
    warm(world, told.model_copy(update={"members": ["other"]}))
    await helper.prepare()
    assert helper.prepared
    assert not (tmp_path / "engine/warm-model-name").exists()


async def test_a_model_to_warm_with_that_is_not_in_the_store_is_told(world: World, helper: WarmHelper) -> None:
    warm(world, ticket(world, "old", OLD))
    world.failures["/s3/old"] = [404]
    await helper.prepare()
    assert world.bodies(f"{ATTEMPT}/warm") == [{"missing": False}, {"missing": True}]
