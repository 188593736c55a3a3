"""The watch of the assistants' Services, with the loop behind it."""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable

import pytest
from tests.fakes.kube import FakeKube
from tests.support.patience import STUCK_SECONDS
from tests.unit.services.orchestrators.running_stage import FakeTrackers, put, service
from tests.unit.services.orchestrators.world import PROCESS, UID, World

from studio.kube import Gone, KubeError, Unavailable
from studio.kube.kinds import SERVICE
from studio.model_service.orchestrators.orchestrator import Background
from studio.model_service.orchestrators.running.process import reconciling
from studio.model_service.orchestrators.running.service_watch import ServiceWatch


@pytest.fixture
async def background(studio: World, kube: FakeKube) -> AsyncIterator[Background]:
    """The loop at work and the watch, without the slow pass; the Service of the assistant is there."""
    loop = reconciling(studio.made.pool, kube, FakeTrackers(), PROCESS)  # type: ignore[arg-type]
    watch = ServiceWatch(kube, namespace=PROCESS.namespace, studio=PROCESS.studio, changed=loop.add)
    await put(studio)
    async with Background() as background:
        background.run("worker", loop.work)
        loop.add(UID)
        await until(lambda: service(kube) is not None)
        background.run("services", watch.follow)
        await until(lambda: any(request.verb == "watch" for request in kube.requests))
        yield background


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(STUCK_SECONDS):
        while not condition():  # noqa: ASYNC110 - the fake tells nobody
            await asyncio.sleep(0.01)


def deleted(kube: FakeKube) -> Callable[[], bool]:
    """Delete the Service; whether it has been made anew."""
    metadata = service(kube)["metadata"]
    kube.remove(SERVICE, metadata["namespace"], metadata["name"])
    return lambda: service(kube) is not None and service(kube)["metadata"]["uid"] != metadata["uid"]


@pytest.mark.usefixtures("background")
async def test_a_deleted_service_is_made_anew_at_once(kube: FakeKube) -> None:
    await until(deleted(kube))


@pytest.mark.usefixtures("background")
async def test_an_edited_service_is_mended_at_once(kube: FakeKube) -> None:
    body = copy.deepcopy(service(kube))
    wanted = dict(body["spec"]["selector"])
    body["spec"]["selector"]["x"] = "y"
    kube.put(body)
    assert service(kube)["spec"]["selector"] != wanted
    await until(lambda: service(kube)["spec"]["selector"] == wanted)


@pytest.mark.usefixtures("background")
@pytest.mark.parametrize("trouble", [Gone(410, "Expired", "too old"), Unavailable(503, "x", "away")])
async def test_a_watch_that_breaks_begins_anew(kube: FakeKube, trouble: KubeError) -> None:
    kube.fail(trouble, verb="watch", times=2)
    kube.close_watches()
    await until(deleted(kube))
