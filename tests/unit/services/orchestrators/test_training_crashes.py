"""The training orchestrator may die before or after any of its writes: the end is always the same."""

import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import pytest
from tests.support.fate import connections
from tests.unit.services.lives import Lives, Play, dying_anywhere, player, trouble_everywhere
from tests.unit.services.orchestrators.world import UID, desired_training, fingerprint

from studio.contract.model_service import FileDigest, TrainingResult, TrainingView, UploadRequest
from studio.model_service.items import Lease
from studio.model_service.orchestrators.http import Refused
from studio.model_service.orchestrators.training.service import TrainingService
from studio.settings import DatabaseSettings

T = TypeVar("T")
NAME = "concierge"


class Studio(Lives):
    """The training orchestrator, and what others do with it."""

    async def ask(self, request: Callable[[TrainingService], Awaitable[T]]) -> T:
        """As all its clients do: again after a lost answer."""

        def asked() -> Awaitable[T]:
            return request(TrainingService(self.pool, self.bucket, studio="studio", namespace="ns"))

        return await self.until_answered(asked)

    async def want(self, content: str, **changes: Any) -> None:
        desired = desired_training(content, **changes)
        observed = await self.ask(lambda service: service.put_assistant(desired))
        if observed.needs_content:
            data = content.encode()
            digest = hashlib.sha256(data).hexdigest()
            await self.ask(lambda service: service.put_content(NAME, fingerprint(content), data, digest))
            observed = await self.ask(lambda service: service.put_assistant(desired))
        assert not observed.needs_content

    async def claim(self) -> Lease:
        lease = await self.queue.claim("training", "consumer")
        assert lease is not None
        return lease

    async def train(self, lease: Lease) -> None:
        """What the helper of the first attempt does, and its consumer then."""
        item = lease.item
        model, log = b"the model", b"the log"
        digests = {
            "model": FileDigest(sha256=hashlib.sha256(model).hexdigest(), size=len(model)),
            "log": FileDigest(sha256=hashlib.sha256(log).hexdigest(), size=len(log)),
        }
        await self.ask(lambda service: service.fetch_ticket(item.id, 1))
        ticket = await self.ask(lambda service: service.upload_ticket(item.id, 1, UploadRequest(**digests)))
        self.store.upload(ticket.model_url, model)
        self.store.upload(ticket.log_url, log)
        result = TrainingResult(model=digests["model"], members=["m"], seconds=1.0)
        await self.ask(lambda service: service.accept_result(item.id, 1, result))
        await self.queue.finish(lease, "Succeeded", "Trained")

    def lose(self, *kinds: str) -> None:
        """The store loses all objects of some kinds."""
        self.store.objects = {key: data for key, data in self.store.objects.items() if not key.startswith(kinds)}

    async def find_nothing(self, lease: Lease) -> None:
        """The helper of a training finds no content, and says so."""
        await self.ask_in_vain(lambda service: service.fetch_ticket(lease.item.id, 1, missing=True))

    async def ask_in_vain(self, request: Callable[[TrainingService], Awaitable[object]]) -> None:
        """As the clients that ask again in a moment, when the operator has brought what was lost."""

        async def asked(service: TrainingService) -> None:
            with contextlib.suppress(Refused):
                await request(service)

        await self.ask(asked)

    async def archive(self, lease: Lease) -> None:
        await self.ask(lambda service: service.archive_log(lease.item.id, 1, b"words"))

    async def draw(self) -> Any:
        await self.ask(lambda service: service.tidy())
        return await super().draw()


async def from_the_wish_to_the_model(studio: Studio) -> None:
    await studio.want("a")
    await studio.want("b")
    await studio.train(await studio.claim())
    await studio.want("b")


async def newer_content(studio: Studio) -> None:
    await studio.want("a", keep_models=1)
    await studio.train(await studio.claim())
    await studio.want("b", keep_models=1)
    running = await studio.claim()
    await studio.want("c", keep_models=1)
    await studio.archive(running)
    await studio.queue.finish(running, "Superseded", "Superseded")
    await studio.train(await studio.claim())


async def what_people_ask_for(studio: Studio) -> None:
    await studio.want("a")
    first = await studio.claim()
    await studio.ask(lambda service: service.cancel(first.item.id, "ann"))
    await studio.archive(first)
    await studio.queue.finish(first, "Cancelled", "Cancelled")
    again = await studio.ask(lambda service: service.retry(first.item.id, "ann"))
    assert isinstance(again, TrainingView)
    await studio.ask(lambda service: service.prioritise(again.id, 7, "ann"))
    await studio.ask(lambda service: service.cancel(again.id, "ann"))
    await studio.ask(lambda service: service.request_by_hand(NAME, "ann"))
    await studio.train(await studio.claim())
    await studio.ask(lambda service: service.tag(NAME, 1, "good"))


async def removal(studio: Studio) -> None:
    await studio.want("a")
    await studio.train(await studio.claim())
    await studio.want("b")
    running = await studio.claim()
    assert not (await studio.ask(lambda service: service.remove_assistant(UID, delete_data=True))).gone
    await studio.queue.finish(running, "Cancelled", "Removed")
    assert (await studio.ask(lambda service: service.remove_assistant(UID, delete_data=True))).gone


async def what_the_store_has_lost(studio: Studio) -> None:
    await studio.want("a")
    first = await studio.claim()
    studio.lose("contents")
    await studio.find_nothing(first)
    await studio.want("a")
    await studio.train(first)
    studio.lose("contents", "models")
    await studio.ask_in_vain(lambda service: service.request_by_hand(NAME, "ann"))
    await studio.want("a")
    await studio.ask(lambda service: service.request_by_hand(NAME, "ann"))
    await studio.train(await studio.claim())


STORIES = (from_the_wish_to_the_model, newer_content, what_people_ask_for, removal, what_the_store_has_lost)


@pytest.fixture(params=STORIES, ids=lambda story: story.__name__)
async def play(request: pytest.FixtureRequest, studio_database: DatabaseSettings) -> AsyncIterator[Play]:
    async with connections(studio_database) as opened:
        yield player(Studio, request.param, opened)


async def test_dying_at_any_write_makes_no_difference(play: Play) -> None:
    await dying_anywhere(play)


async def test_trouble_at_any_call_makes_no_difference(play: Play) -> None:
    await trouble_everywhere(play)
