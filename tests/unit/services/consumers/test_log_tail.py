"""What the end of a log tells of an engine that trains."""

import pytest

from studio.kube import Unavailable
from studio.model_service.consumers import log_tail
from studio.model_service.consumers.log_tail import LOOK_SECONDS, LogTail

NAMESPACE = "team"


class Logs:
    """The logs of pods, how often they were read, and whether they can be."""

    def __init__(self) -> None:
        self.of_pods = {"p": "Starting to train component 'TEDPolicy'.\n"}
        self.reads = 0
        self.away = False

    async def logs(self, namespace: str, pod: str, container: str, *, last_bytes: int, last_lines: int) -> str:
        self.reads += 1
        assert (namespace, container) == (NAMESPACE, "train")
        assert last_bytes <= 2**20
        assert last_lines <= 1000
        if self.away:
            raise Unavailable(503, "x", "away")
        return self.of_pods[pod]


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(log_tail, "monotonic", clock)
    return clock


@pytest.fixture
def kube() -> Logs:
    return Logs()


@pytest.fixture
async def tail(kube: Logs, clock: Clock) -> LogTail:
    tail = LogTail(kube, NAMESPACE, "train")  # type: ignore[arg-type]
    await tail.look("p")
    return tail


async def test_only_what_is_new_is_a_sign_of_life(tail: LogTail, kube: Logs, clock: Clock) -> None:
    clock.now += 600
    await tail.look("p")
    assert tail.silent_seconds == 600
    kube.of_pods["p"] = "Epochs:  50%|██ | 5/10 [00:03<00:03]\n"
    clock.now += LOOK_SECONDS
    await tail.look("p")
    assert (tail.silent_seconds, tail.progress.words) == (0, "TEDPolicy, 50 %")


async def test_it_is_not_read_more_often_than_every_few_seconds(tail: LogTail, kube: Logs, clock: Clock) -> None:
    for _ in range(10):
        clock.now += LOOK_SECONDS / 5
        await tail.look("p")
    assert kube.reads == 3


async def test_a_log_that_cannot_be_read_is_not_silence(tail: LogTail, kube: Logs, clock: Clock) -> None:
    clock.now += 600
    kube.away = True
    await tail.look("p")
    assert (tail.silent_seconds, tail.progress.words) == (0, "TEDPolicy")


async def test_another_pod_begins_anew(tail: LogTail, kube: Logs, clock: Clock) -> None:
    clock.now += 600
    kube.of_pods["q"] = ""
    await tail.look("q")
    assert (tail.silent_seconds, tail.progress.words) == (0, "")
