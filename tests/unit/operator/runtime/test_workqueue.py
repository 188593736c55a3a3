import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from studio.kube import Unavailable
from studio_operator.runtime.keys import Key
from studio_operator.runtime.schedule import Schedule
from studio_operator.runtime.workqueue import WorkQueue

A, B = Key("Assistant", "n", "a"), Key("Assistant", "n", "b")


def quick() -> Schedule:
    return Schedule(debounce=0.001, backoff=lambda _: 0.001)


@asynccontextmanager
async def working(queue: WorkQueue) -> AsyncIterator[None]:
    task = asyncio.create_task(queue.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Passes:
    """Passes that end when told to."""

    def __init__(self) -> None:
        self.started: asyncio.Queue[Key] = asyncio.Queue()
        self.going = asyncio.Event()
        self.together = 0
        self.most_of_one = 0
        self.most = 0
        self.running: list[Key] = []

    async def __call__(self, key: Key) -> float | None:
        self.running.append(key)
        self.most = max(self.most, len(self.running))
        self.most_of_one = max(self.most_of_one, self.running.count(key))
        self.started.put_nowait(key)
        await self.going.wait()
        self.running.remove(key)
        return None


async def test_one_key_is_never_worked_on_twice_at_a_time() -> None:
    passes = Passes()
    queue = WorkQueue(passes, schedule=quick())
    async with working(queue):
        queue.add(A)
        await passes.started.get()
        queue.add(A)
        queue.add(B)
        assert await passes.started.get() == B
        assert queue.oldest_running() >= 0
        passes.going.set()
        assert await passes.started.get() == A
    assert passes.most_of_one == 1


async def test_workers_are_bounded() -> None:
    passes = Passes()
    queue = WorkQueue(passes, workers=2, schedule=quick())
    async with working(queue):
        for name in "abcdef":
            queue.add(Key("Assistant", "n", name))
        for _ in range(2):
            await passes.started.get()
        passes.going.set()
        for _ in range(4):
            await passes.started.get()
    assert passes.most == 2


async def test_a_failed_pass_is_repeated_until_it_works() -> None:
    attempts: asyncio.Queue[int] = asyncio.Queue()
    errors = iter([Unavailable(500, "InternalError", "boom"), RuntimeError("bug"), TimeoutError()])

    async def reconcile(_: Key) -> float | None:
        attempts.put_nowait(1)
        if error := next(errors, None):
            raise error
        return None

    queue = WorkQueue(reconcile, schedule=Schedule(debounce=0.0, backoff=lambda _: 0.0))
    async with working(queue):
        queue.add(A)
        for _ in range(4):
            await attempts.get()
        while len(queue) or queue.oldest_running():  # noqa: ASYNC110 the pass ends by itself
            await asyncio.sleep(0)
    assert attempts.empty()
    assert queue.last_completed is not None


async def test_a_pass_may_ask_to_be_repeated() -> None:
    done: asyncio.Queue[float] = asyncio.Queue()

    async def reconcile(_: Key) -> float | None:
        done.put_nowait(asyncio.get_running_loop().time())
        return 0.02

    queue = WorkQueue(reconcile, schedule=quick())
    async with working(queue):
        queue.add(A)
        first, second = await done.get(), await done.get()
    assert second - first >= 0.02
