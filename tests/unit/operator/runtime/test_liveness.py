import pytest
from aiohttp import ClientSession

from studio.kube import ASSISTANT, STUDIO
from studio_operator.runtime.liveness import LONGEST_PASS_SECONDS, WATCH_SILENCE_SECONDS, Liveness, WatchActivity
from studio_operator.runtime.server import serve

PERIOD = 300.0


class Process:
    """A leading process whose facts a test sets."""

    def __init__(self, *namespaces: str) -> None:
        self.now = 10_000.0
        self.running = 0.0
        self.slow_pass: float | None = None
        self.activity = WatchActivity(namespaces, lambda: self.now)
        self.liveness = Liveness(
            kinds=(ASSISTANT, STUDIO),
            activity=self.activity,
            oldest_running=lambda: self.running,
            last_slow_pass=lambda: self.slow_pass,
            slow_pass_period=PERIOD,
            clock=lambda: self.now,
        )

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        self.slow_pass = self.now


@pytest.fixture
def process() -> Process:
    process = Process()
    process.liveness.lead()
    return process


def test_a_follower_has_nothing_to_complain_about() -> None:
    process = Process()
    process.now += 1e6
    assert process.liveness.complaints() == []


def test_a_watch_that_nobody_opens_again_is_dead(process: Process) -> None:
    process.pass_by(WATCH_SILENCE_SECONDS + 1)
    process.activity.opened("/apis/studio-operator.io/v1alpha1/studios")
    assert process.liveness.complaints() == ["the watch of assistants is dead"]
    process.activity.told(ASSISTANT, "n")
    assert process.liveness.complaints() == []


def test_a_dead_watch_of_one_namespace_is_not_hidden_by_those_of_others() -> None:
    process = Process("a", "b")
    process.liveness.lead()
    process.pass_by(WATCH_SILENCE_SECONDS + 1)
    for namespace in ("a", "b"):
        process.activity.opened(f"/apis/studio-operator.io/v1alpha1/namespaces/{namespace}/studios")
    process.activity.opened("/apis/studio-operator.io/v1alpha1/namespaces/b/assistants/")
    assert process.liveness.complaints() == ["the watch of assistants in a is dead"]
    process.activity.told(ASSISTANT, "b")
    assert process.liveness.complaints() == ["the watch of assistants in a is dead"]
    process.activity.told(ASSISTANT, "a")
    assert process.liveness.complaints() == []


@pytest.mark.parametrize(("namespaces", "folder"), [((), ""), (("n",), "namespaces/n/")])
def test_quiet_clusters_are_not_dead(namespaces: tuple[str, ...], folder: str) -> None:
    process = Process(*namespaces)
    process.liveness.lead()
    for _ in range(10):
        process.pass_by(240)
        for plural in ("assistants", "studios"):
            process.activity.opened(f"/apis/studio-operator.io/v1alpha1/{folder}{plural}")
        assert process.liveness.complaints() == []


def test_a_stuck_pass(process: Process) -> None:
    process.running = LONGEST_PASS_SECONDS + 1
    assert process.liveness.complaints() == ["a pass has been running for 301 s"]


def test_missed_slow_passes(process: Process) -> None:
    process.now += 3 * PERIOD + 1
    for kind in (ASSISTANT, STUDIO):
        process.activity.told(kind, "n")
    assert process.liveness.complaints() == ["no slow pass was completed for 901 s"]
    process.slow_pass = process.now
    assert process.liveness.complaints() == []


async def test_the_server_says_so() -> None:
    complaints: list[str] = []
    runner = await serve(0, complaints=lambda: complaints, unready=lambda: ["not yet"], host="127.0.0.1")
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with ClientSession() as session:
        async with session.get(f"{base}/healthz") as answer:
            assert (answer.status, await answer.text()) == (200, "ok\n")
        complaints += ["one", "two"]
        async with session.get(f"{base}/healthz") as answer:
            assert (answer.status, await answer.text()) == (503, "one\ntwo\n")
        async with session.get(f"{base}/readyz") as answer:
            assert answer.status == 503
        async with session.get(f"{base}/metrics") as answer:
            assert "studio_operator_workqueue_depth" in await answer.text()
    await runner.cleanup()
