"""The run's helper against a local orchestrator, store and engine."""

import asyncio
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp.test_utils import TestClient, TestServer
from tests.support.patience import STUCK_SECONDS
from tests.unit.services.helper.conftest import World, archive, digest_of

from studio.contract.model_service import RunReport, RunTicket, TrackerStore
from studio.model_service.helper import run, trackers
from studio.model_service.helper.archive import UnsafeArchive
from studio.model_service.helper.environment import HelperSettings
from studio.model_service.helper.run import RunHelper
from studio.model_service.orchestrator_client import OrchestratorClient

MODEL = archive({"metadata.json": b"{}", "components/a.json": b"[]"})
ATTEMPT = "/v1/runs/kiosk-t1-abcde/attempts/1"
NAME = f"{digest_of(MODEL).sha256}.tar.gz"


def _ticket(world: World, **changes: Any) -> RunTicket:
    world.objects["model"] = MODEL
    ticket = RunTicket(
        model_version="3",
        model=digest_of(MODEL),
        model_url=f"{world.url}/s3/model",
        members=["components/a.json", "metadata.json"],
        tracker_store=TrackerStore(
            host="127.0.0.1", port=1, database="trackers", db_schema="t", username="t", password="p"
        ),
    ).model_copy(update=changes)
    world.answers[f"{ATTEMPT}/start"] = ticket.model_dump()
    return ticket


@pytest.fixture
def helper(
    world: World, helper_settings: HelperSettings, orchestrator: OrchestratorClient,
    session: aiohttp.ClientSession, tmp_path: Path,
) -> RunHelper:  # fmt: skip
    return RunHelper(
        helper_settings, orchestrator, session,
        folder=tmp_path / "engine", channels=tmp_path / "channels.yml", engine_url=world.url, tracker_patience=0,
    )  # fmt: skip


async def test_prepare_puts_everything_in_place(world: World, helper: RunHelper, tmp_path: Path) -> None:
    _ticket(world)
    (tmp_path / "channels.yml").write_text("socketio:\n")
    await helper.prepare()
    assert helper.prepared
    folder = tmp_path / "engine"
    assert (folder / "models" / NAME).read_bytes() == MODEL
    assert (folder / "model-name").read_text() == NAME
    assert yaml.safe_load((folder / "credentials.yml").read_text()) == {"socketio": None, "rest": None}
    assert yaml.safe_load((folder / "endpoints.yml").read_text())["tracker_store"]["type"] == "SQL"
    assert len((folder / "token").read_text()) >= 32
    assert {oct(p.stat().st_mode & 0o007) for p in folder.iterdir() if p.is_file()} == {"0o0"}


async def test_a_restarted_helper_keeps_the_token_and_the_model(
    world: World, helper: RunHelper, tmp_path: Path
) -> None:
    _ticket(world)
    await helper.prepare()
    token = (tmp_path / "engine/token").read_text()
    del world.objects["model"]
    await helper.prepare()
    assert (tmp_path / "engine/token").read_text() == token


async def test_a_model_that_is_not_in_the_store_is_told(world: World, helper: RunHelper) -> None:
    _ticket(world)
    world.failures["/s3/model"] = [500, 404]
    await helper.prepare()
    assert world.bodies(f"{ATTEMPT}/start") == [{"missing": False}, {"missing": False}, {"missing": True}]


@pytest.mark.parametrize("members", [[], ["metadata.json"], ["components/a.json", "metadata.json", "evil.pkl"]])
async def test_a_model_with_other_members_is_refused(world: World, helper: RunHelper, members: list[str]) -> None:
    _ticket(world, members=members)
    with pytest.raises(UnsafeArchive, match="other members"):
        await helper.prepare()
    assert not helper.prepared


async def test_a_digest_that_leads_out_of_the_folder_is_refused(world: World, helper: RunHelper) -> None:
    _ticket(world, model=digest_of(MODEL).model_copy(update={"sha256": "../" * 21 + "x"}))
    with pytest.raises(UnsafeArchive):
        await helper.prepare()


async def test_ready_only_with_the_intended_model(
    world: World, helper: RunHelper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_CACHE_SECONDS", 0.0)
    _ticket(world)
    async with TestClient(TestServer(helper.application())) as client:

        async def status(path: str) -> int:
            async with client.get(path) as response:
                return response.status

        assert (await status("/started"), await status("/ready")) == (503, 503)
        await helper.prepare()
        assert (await status("/started"), await status("/ready")) == (200, 503)
        world.engine_token = (tmp_path / "engine/token").read_text()
        assert await status("/ready") == 503, "409: no model yet"
        world.engine_model = "old.tar.gz"
        assert await status("/ready") == 503, "another model"
        world.engine_model = NAME
        assert await status("/ready") == 200
        assert await status("/metrics") == 200


async def test_ready_is_asked_once_a_second(world: World, helper: RunHelper, tmp_path: Path) -> None:
    _ticket(world)
    await helper.prepare()
    world.engine_token, world.engine_model = (tmp_path / "engine/token").read_text(), NAME
    assert await helper.ready()
    world.engine_model = None
    assert await helper.ready(), "the answer is kept for a second"


async def test_trackers_are_reported_when_they_change(
    world: World, helper: RunHelper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = _ticket(world)
    found = iter([False, False, True])

    async def durability(_store: TrackerStore, *, application_name: str) -> RunReport:
        assert application_name == "kiosk-t1-abcde-1"
        return RunReport(trackers_durable=next(found))

    monkeypatch.setattr(trackers, "durability", durability)
    monkeypatch.setattr(run, "_RECHECK_SECONDS", 0.0)
    await helper.prepare()
    world.engine_token, world.engine_model = (tmp_path / "engine/token").read_text(), NAME
    await asyncio.wait_for(helper.report_trackers(ticket), STUCK_SECONDS)
    assert [body["trackers_durable"] for body in world.bodies("/report")] == [False, True]


async def test_a_tracker_database_that_is_away_is_waited_for_and_then_reported(world: World, helper: RunHelper) -> None:
    ticket = _ticket(world)
    started = time.monotonic()
    await helper.prepare()
    assert time.monotonic() - started < 10
    report = await trackers.durability(ticket.tracker_store, application_name="x")
    assert not report.trackers_durable
    assert "cannot be asked" in report.message
