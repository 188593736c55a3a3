"""fetch and upload against a local orchestrator and store."""

from pathlib import Path

import aiohttp
import pytest
from tests.unit.services.helper.conftest import World, archive, digest_of

from studio.contract.model_service import FetchTicket, TrainingResult
from studio.model_service.helper.archive import UnsafeArchive
from studio.model_service.helper.environment import HelperSettings, report_failure
from studio.model_service.helper.fetch import fetch
from studio.model_service.helper.transfer import TransferError, WrongDigest
from studio.model_service.helper.upload import LOG_BYTES, store
from studio.model_service.orchestrator_client import OrchestratorClient, Refused, Unavailable

CONTENT = archive({"config.yml": b"language: en\n", "domain.yml": b"d", "nlu.yml": b"n"})
MODEL = archive({"metadata.json": b"{}", "components/a/b.json": b"[]"})
ATTEMPT = "/v1/trainings/kiosk-t1-abcde/attempts/1"


def _offer_content(world: World, data: bytes = CONTENT) -> None:
    world.objects["content"] = data
    ticket = FetchTicket(url=f"{world.url}/s3/content?X-Amz-Signature=a%2Fb", **digest_of(CONTENT).model_dump())
    world.answers[f"{ATTEMPT}/fetch"] = ticket.model_dump()


async def test_fetch(
    world: World, helper_settings: HelperSettings, orchestrator: OrchestratorClient,
    session: aiohttp.ClientSession, tmp_path: Path,
) -> None:  # fmt: skip
    _offer_content(world)
    world.failures[f"{ATTEMPT}/fetch"] = [503, 401]
    world.failures["/s3/content"] = [403]
    names = await fetch(helper_settings, orchestrator, session, tmp_path)
    assert names == ["config.yml", "domain.yml", "nlu.yml"]
    assert (tmp_path / "content/domain/domain.yml").read_bytes() == b"d"
    assert not (tmp_path / "content.tar.gz").exists()
    asked = [r for r in world.requests if r[1] == f"{ATTEMPT}/fetch"]
    assert len(asked) == 4, "two failures, then a fresh ticket for each try of the store"
    assert {bearer for _, _, bearer, _ in asked} == {"Bearer bearer-1"}
    assert world.bodies("/s3/content")[-1] == "X-Amz-Signature=a%2Fb", "the signed URL is sent as it was given"


async def test_content_that_is_not_in_the_store_is_told(
    world: World, helper_settings: HelperSettings, orchestrator: OrchestratorClient,
    session: aiohttp.ClientSession, tmp_path: Path,
) -> None:  # fmt: skip
    _offer_content(world)
    world.failures["/s3/content"] = [500, 404]
    await fetch(helper_settings, orchestrator, session, tmp_path)
    assert world.bodies(f"{ATTEMPT}/fetch") == [{"missing": False}, {"missing": False}, {"missing": True}]


async def test_fetch_of_other_bytes(
    world: World, helper_settings: HelperSettings, orchestrator: OrchestratorClient,
    session: aiohttp.ClientSession, tmp_path: Path,
) -> None:  # fmt: skip
    for wrong in (CONTENT[:-1], CONTENT + b"x", bytes(len(CONTENT))):
        _offer_content(world, wrong)
        with pytest.raises(WrongDigest):
            await fetch(helper_settings, orchestrator, session, tmp_path, patience=30)
        assert not (tmp_path / "content").exists()


async def test_fetch_refused(
    world: World, helper_settings: HelperSettings, orchestrator: OrchestratorClient,
    session: aiohttp.ClientSession, tmp_path: Path,
) -> None:  # fmt: skip
    world.failures[f"{ATTEMPT}/fetch"] = [409]
    with pytest.raises(Refused, match="because 409"):
        await fetch(helper_settings, orchestrator, session, tmp_path)


async def test_store_away_for_too_long(
    world: World, helper_settings: HelperSettings, orchestrator: OrchestratorClient,
    session: aiohttp.ClientSession, tmp_path: Path,
) -> None:  # fmt: skip
    _offer_content(world)
    world.failures["/s3/content"] = [500] * 100
    with pytest.raises(TransferError, match="500"):
        await fetch(helper_settings, orchestrator, session, tmp_path, patience=0)


def _trained(work: Path, model: bytes = MODEL) -> None:
    (work / "model").mkdir()
    (work / "model/model.tar.gz").write_bytes(model)
    (work / "train.log").write_bytes(b"start\n\rProcessed rules:   0%|          | 0/2 [00:00<?, ?it/s]\nend\n")
    (work / "started").write_text("100\n")
    (work / "finished").write_text("123\n")


def _offer_store(world: World) -> None:
    world.answers[f"{ATTEMPT}/upload"] = {
        "model_url": f"{world.url}/s3/model",
        "model_headers": {"x-amz-checksum-sha256": "c"},
        "log_url": f"{world.url}/s3/log",
    }


async def test_upload(
    world: World, helper_settings: HelperSettings, orchestrator: OrchestratorClient,
    session: aiohttp.ClientSession, tmp_path: Path,
) -> None:  # fmt: skip
    _trained(tmp_path)
    _offer_store(world)
    world.failures["/s3/model"] = [503]
    world.failures[f"{ATTEMPT}/result"] = [409]
    result = await store(helper_settings, orchestrator, session, tmp_path)
    assert world.objects == {"model": MODEL, "log": b"start\nend\n"}
    assert result.members == ["components/a/b.json", "metadata.json"]
    assert result.seconds == 23
    assert TrainingResult.model_validate(world.bodies("/result")[-1]) == result
    assert world.bodies("/s3/model")[-1]["x-amz-checksum-sha256"] == "c"
    assert world.bodies("/s3/model")[-1]["Content-Length"] == str(len(MODEL))
    assert len(world.bodies("/upload")) == 3


async def test_of_a_very_long_log_the_end_is_stored(
    world: World, helper_settings: HelperSettings, orchestrator: OrchestratorClient,
    session: aiohttp.ClientSession, tmp_path: Path,
) -> None:  # fmt: skip
    _trained(tmp_path)
    _offer_store(world)
    (tmp_path / "train.log").write_bytes(b"word\n" * (LOG_BYTES // 4) + b"the end\n")
    await store(helper_settings, orchestrator, session, tmp_path)
    assert world.objects["log"].endswith(b"the end\n")


async def test_an_engines_link_is_not_uploaded(
    world: World, helper_settings: HelperSettings, orchestrator: OrchestratorClient,
    session: aiohttp.ClientSession, tmp_path: Path,
) -> None:  # fmt: skip
    _trained(tmp_path)
    _offer_store(world)
    (tmp_path / "model/model.tar.gz").unlink()
    (tmp_path / "model/model.tar.gz").symlink_to(tmp_path / "projected-token")
    with pytest.raises(UnsafeArchive):
        await store(helper_settings, orchestrator, session, tmp_path)
    assert world.objects == {}


async def test_the_token_is_read_for_every_request(
    world: World, helper_settings: HelperSettings, orchestrator: OrchestratorClient
) -> None:
    await orchestrator.put_text("/v1/x", "a")
    helper_settings.token_file.write_text("bearer-2")
    await orchestrator.put_text("/v1/x", "b")
    assert [bearer for _, _, bearer, _ in world.requests] == ["Bearer bearer-1", "Bearer bearer-2"]


async def test_orchestrator_away(helper_settings: HelperSettings, tmp_path: Path) -> None:
    async with OrchestratorClient("http://127.0.0.1:1", helper_settings.token_file, patience=0) as client:
        with pytest.raises(Unavailable):
            await client.put_text("/v1/x", "a")
    async with OrchestratorClient("http://127.0.0.1:1", tmp_path / "missing", patience=0) as client:
        with pytest.raises(Unavailable):
            await client.put_text("/v1/x", "a")


def test_failures_are_left_for_the_kubelet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report_failure("no", file=tmp_path / "log")
    assert (tmp_path / "log").read_text() == "no"
    report_failure("no", file=tmp_path / "missing" / "log")
    assert capsys.readouterr().err == "no\nno\n"
