import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from studio_e2e.turnstile import Turnstile

SOON, NEVER = 20.0, 0.2
Way = Callable[[Turnstile], AbstractContextManager[None]]
Somebody = tuple[Event, Event]


def visit(folder: Path, way: Way, inside: Event, leave: Event) -> None:
    with way(Turnstile(folder)):
        inside.set()
        leave.wait(SOON)


class Visitors:
    """Processes that go through a turnstile, and stay until they are told to leave."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._context = folder, multiprocessing.get_context("fork")
        self._started: list[tuple[multiprocessing.process.BaseProcess, Event]] = []

    def come(self, way: Way) -> Somebody:
        inside, leave = self._context.Event(), self._context.Event()
        process = self._context.Process(target=visit, args=(self._folder, way, inside, leave), daemon=True)
        process.start()
        self._started.append((process, leave))
        return inside, leave

    def close(self) -> None:
        for _, leave in self._started:
            leave.set()
        for process, _ in self._started:
            process.join(SOON)
            assert process.exitcode == 0


@pytest.fixture
def visitors(tmp_path: Path) -> Iterator[Visitors]:
    came = Visitors(tmp_path)
    yield came
    came.close()


def test_many_are_there_beside_one_another(visitors: Visitors) -> None:
    for inside, _ in [visitors.come(Turnstile.among_others) for _ in range(3)]:
        assert inside.wait(SOON)


def test_whoever_is_alone_waits_for_those_inside_and_those_who_come_later_wait_too(visitors: Visitors) -> None:
    first, first_leaves = visitors.come(Turnstile.among_others)
    assert first.wait(SOON)
    alone, alone_leaves = visitors.come(Turnstile.alone)
    assert not alone.wait(NEVER)
    later, _ = visitors.come(Turnstile.among_others)
    assert not later.wait(NEVER)

    first_leaves.set()
    assert alone.wait(SOON)
    assert not later.is_set()
    alone_leaves.set()
    assert later.wait(SOON)


def test_two_cannot_be_alone(visitors: Visitors) -> None:
    first, first_leaves = visitors.come(Turnstile.alone)
    assert first.wait(SOON)
    second, _ = visitors.come(Turnstile.alone)
    assert not second.wait(NEVER)
    first_leaves.set()
    assert second.wait(SOON)
