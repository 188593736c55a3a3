"""The lives of a process: it dies, or its calls fail, and in the end all is as if nothing had happened."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import asyncpg
from tests.fakes.kube import FakeKube
from tests.fakes.storage import FakeStore
from tests.support import truth
from tests.support.fate import Call, Died, Fate, at, first_time
from tests.support.patience import STUCK_SECONDS

from studio.kube import Conflict, KubeError, TooManyRequests, Unavailable
from studio.model_service.leasing import Queue
from studio.model_service.orchestrators import garbage
from studio.model_service.orchestrators.running.front import Overtaken
from studio.storage.port import StorageError

T = TypeVar("T")
# What passes by itself: an orchestrator's loop, or whoever asked it, repeats what failed so.
PASSES = (StorageError, KubeError, Overtaken, asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)


class Lives:
    """One story. `others` is the database as everybody else has it, `pool`, `kube` and `bucket` are those of a life."""

    def __init__(self, others: asyncpg.Pool, fate: Fate) -> None:
        self.others = others
        self.queue = Queue(others, connect=others.acquire)  # nobody listens
        self.server = FakeKube()
        self.store = FakeStore()
        self.live(fate)

    def live(self, fate: Fate) -> None:
        """Begin a life."""
        self.fate = fate
        self.pool: Any = fate.pool(self.others)
        self.kube = fate.kube(self.server)
        self.bucket: Any = fate.store(self.store)

    async def until_answered(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` answers in the end."""
        while True:
            try:
                return await ask()
            except Died:
                await self.fate.rest(self.others)
                self.live(Fate())
            except PASSES:
                await self.fate.rest(self.others)

    async def draw(self) -> Any:
        """The picture of the end, once time has passed."""
        await truth.expire(self.others)
        await self.until_answered(lambda: garbage.sweep(self.pool, self.bucket))
        return await truth.picture(self.others, self.server, self.store)


Story = Callable[[Any], Awaitable[None]]
Play = Callable[[Fate], Awaitable[Any]]


def player(make: Callable[[asyncpg.Pool, Fate], Lives], story: Story, others: asyncpg.Pool) -> Play:
    """Plays a story from its beginning under a fate, and gives the picture of its end."""

    async def play(fate: Fate) -> Any:
        await truth.forget(others)
        async with asyncio.timeout(STUCK_SECONDS):
            lives = make(others, fate)
            await story(lives)
            return await lives.draw()

    return play


async def dying_anywhere(play: Play) -> None:
    """Let the process die before its first write and after each one: the end is that of the undisturbed story.

    What it leaves behind before any other write is what it left after the last one.
    """
    undisturbed = Fate()
    expected = await play(undisturbed)
    deaths = 0
    for number, call in enumerate(["nothing", *undisturbed.calls]):
        fate = Fate(strikes=at(max(number, 1)), after=number > 0)
        assert await play(fate) == expected, f"died after write {number}: {call}"
        deaths += fate.dead.is_set()
    # Some stories are told with one write less, as it happens: two things are said at once.
    assert deaths > len(undisturbed.calls) / 2


async def stalling_anywhere(play: Play) -> None:
    """Let the process stand still before each of its writes until another one has done everything, and then go on."""
    undisturbed = Fate()
    expected = await play(undisturbed)
    for number, call in enumerate(undisturbed.calls, start=1):
        fate = Fate(strikes=at(number), stalls=True)
        assert await play(fate) == expected, f"stalled before write {number}: {call}"


# What a place may answer, or not answer, to a call.
TROUBLE: dict[str, tuple[Callable[[], Exception], ...]] = {
    "sql": (lambda: asyncpg.ConnectionDoesNotExistError("the server restarts"),),
    "store": (lambda: StorageError("the store refuses"),),
    "trackers": (lambda: OSError("the server restarts"),),
    "kube": (
        lambda: Conflict(409, "Conflict", "somebody was faster"),
        lambda: TooManyRequests(429, "TooManyRequests", "too much to do"),
        lambda: Unavailable(500, "InternalError", "an accident"),
        lambda: Unavailable(0, "Timeout", "no answer"),
    ),
}


async def trouble_everywhere(play: Play) -> None:
    """Let each call fail for its first time, carried out or not: the end is that of the undisturbed story."""
    undisturbed = Fate(counts=lambda _: True)
    expected = await play(undisturbed)
    for place in TROUBLE.keys() & {call.place for call in undisturbed.calls}:
        for error in TROUBLE[place]:
            # Whether a call that was not answered has been carried out, nobody knows.
            for after in (False, True) if error is TROUBLE[place][-1] else (False,):
                fate = Fate(partial(_goes_to, place), first_time, error, after)
                assert await play(fate) == expected, f"{place}, {'carried out' if after else 'refused'}: {error()!r}"


def _goes_to(place: str, call: Call) -> bool:
    return call.place == place
