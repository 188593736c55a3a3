"""The decision about runs: a table, and properties over random histories."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.unit.services.orchestrators.models import model
from tests.unit.services.orchestrators.world import desired_running

from studio.contract.model_service import DesiredRunning, EnginePod
from studio.model_service.orchestrators.running.plan import (
    Assign,
    Flip,
    Run,
    Start,
    Stop,
    Wanted,
    plan,
    settling_for,
    specification,
    target,
    wanted_of,
)

V1, V2 = Wanted(1, "d"), Wanted(2, "d")


def run(order: int, version: int = 1, state: str = "Ready", **more: bool) -> Run:
    return Run(f"r{order}", order, version, "d", state, **more)


TABLE = [
    ("nothing wanted, nothing there", None, [], None, []),
    ("nothing wanted, what serves stays", None, [run(1)], "r1", []),
    (
        "nothing wanted, nor anything beside what answers",
        None,
        [run(1), run(2, 2, "Queued")],
        "r1",
        [Stop("r2", "Replaced")],
    ),
    ("nothing wanted, and nothing answers", None, [run(1, silent=True), run(2, 2, "Starting")], "r1", []),
    ("nothing wanted, a warm one waits for its model", None, [run(1), run(2, 0, "Warming", warm=True)], "r1", []),
    ("first run", V1, [], None, [Start(V1)]),
    ("it is queued", V1, [run(1, state="Queued")], None, []),
    ("it is starting", V1, [run(1, state="Starting")], None, []),
    ("it is ready", V1, [run(1)], None, [Flip("r1")]),
    ("it serves", V1, [run(1)], "r1", []),
    ("new model", V2, [run(1)], "r1", [Start(V2)]),
    ("new run starting", V2, [run(1), run(2, 2, "Starting")], "r1", []),
    ("new run ready", V2, [run(1), run(2, 2)], "r1", [Flip("r2")]),
    ("new run serves", V2, [run(1), run(2, 2)], "r2", [Stop("r1", "Replaced")]),
    ("old one stopping", V2, [run(1, stopping=True), run(2, 2)], "r2", []),
    ("old one gone", V2, [run(1, state="Stopped"), run(2, 2)], "r2", []),
    ("serving one restarts", V1, [run(1, state="Starting")], "r1", []),
    ("new run failed for good", V2, [run(1), run(2, 2, "Failed", blocking=True)], "r1", []),
    ("new run failed for a while", V2, [run(1), run(2, 2, "Failed")], "r1", [Start(V2)]),
    ("newer failure counts", V2, [run(2, 2, "Stopped"), run(3, 2, "Failed", blocking=True)], None, []),
    ("older failure does not", V2, [run(2, 2, "Failed", blocking=True), run(3, 2, "Stopped")], None, [Start(V2)]),
    ("wish changed before it started", V1, [run(1), run(2, 2, "Queued")], "r1", [Stop("r2", "Replaced")]),
    ("wish changed after it was ready", V1, [run(1), run(2, 2)], "r1", [Stop("r2", "Replaced")]),
    ("serving one dead, another is ready", V2, [run(1), run(2, 2, "Failed", blocking=True)], "r2", [Flip("r1")]),
    (
        "serving one down, obsolete one helps out",
        V2,
        [run(1), run(2, 2, "Starting")],
        "r2",
        [Flip("r1")],
    ),
    ("two of the same", V1, [run(1), run(2)], "r1", [Stop("r2", "Replaced")]),
    (
        "two of the same starting",
        V1,
        [run(1, state="Queued"), run(2, state="Starting")],
        None,
        [Stop("r1", "Replaced")],
    ),
    ("serving one silent, another answers", V2, [run(1), run(2, 2, silent=True)], "r2", [Flip("r1")]),
    ("serving one silent, nothing else", V1, [run(1, silent=True)], "r1", []),
    ("rollback", V1, [run(1, state="Stopped"), run(2, 2)], "r2", [Start(V1)]),
    ("serving one is being stopped", V1, [run(1, stopping=True)], "r1", [Start(V1)]),
]


@pytest.mark.parametrize(
    ("wanted", "runs", "serving", "expected"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE]
)
def test_table(wanted: Wanted | None, runs: list[Run], serving: str | None, expected: list[object]) -> None:
    assert plan(wanted, runs, serving) == expected


def test_what_answers_is_kept_until_a_flip_has_settled() -> None:
    runs = [run(1), run(2, 2), run(3, 1, "Starting"), run(4, 1, silent=True)]
    assert plan(V2, runs, "r2", settling=True) == [Stop("r3", "Replaced"), Stop("r4", "Replaced")]
    assert plan(V2, runs, "r2") == [Stop("r1", "Replaced"), Stop("r3", "Replaced"), Stop("r4", "Replaced")]


def warm(order: int, digest: str = "d", state: str = "Warming", **more: bool) -> Run:
    return Run(f"r{order}", order, 0, digest, state, warm=True, **more)


WARM_TABLE = [
    ("nothing wanted yet: it is kept", None, [warm(1)], None, []),
    ("the model is there", V1, [warm(1)], None, [Assign("r1", V1)]),
    ("no consumer has it yet", V1, [warm(1, state="Queued")], None, [Assign("r1", V1)]),
    ("the new model is there", V2, [run(1), warm(2)], "r1", [Assign("r2", V2)]),
    ("it is run in another way", V1, [warm(1, "e")], None, [Start(V1)]),
    ("it is being stopped", V1, [warm(1, stopping=True)], None, [Start(V1)]),
    ("it has failed", V1, [warm(1, state="Failed")], None, [Start(V1)]),
    ("what is wanted serves: it is kept for the next", V1, [run(1), warm(2)], "r1", []),
    ("what is wanted starts", V1, [run(1, state="Starting"), warm(2)], None, []),
    ("never served", V1, [run(1, silent=True), warm(2, state="Ready")], "r1", []),
    ("the youngest", V1, [warm(1), warm(2)], None, [Assign("r2", V1)]),
    ("what failed is not repeated by it", V1, [run(1, state="Failed", blocking=True), warm(2)], None, []),
]


@pytest.mark.parametrize(
    ("wanted", "runs", "serving", "expected"), [row[1:] for row in WARM_TABLE], ids=[r[0] for r in WARM_TABLE]
)
def test_a_warm_run_waits_for_its_model(
    wanted: Wanted | None, runs: list[Run], serving: str | None, expected: list[object]
) -> None:
    assert plan(wanted, runs, serving) == expected


def test_a_warm_run_ends_when_nothing_shall_run() -> None:
    assert plan(None, [warm(1)], None, halted=True) == [Stop("r1", "Halted")]


@pytest.mark.parametrize(("ago", "left"), [(0, 10), (4, 6), (10, 0), (3600, 0), (-5, 0)])
def test_a_flip_settles_by_the_time_on_the_service(ago: float, left: float) -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    assert settling_for(now - timedelta(seconds=ago), now) == left
    assert settling_for(None, now) == 0


def test_what_a_person_started_runs_though_nothing_shall_run() -> None:
    mine = run(2, by_hand=True)
    assert plan(V1, [run(1), mine], "r1", halted=True) == [Flip("r2")]
    assert plan(V1, [run(1), mine], "r2", halted=True) == [Stop("r1", "Replaced")]
    assert plan(V1, [mine], "r2", halted=True) == []
    assert plan(V2, [mine], "r2", halted=True) == [Stop("r2", "Halted")], "its model is no longer the wanted one"
    assert plan(None, [run(1), mine], "r2", halted=True) == [Stop("r1", "Halted")], "the store has lost its model"


def test_halted_stops_everything_once() -> None:
    runs = [run(1), run(2, 2, "Queued"), run(3, state="Failed"), run(4, stopping=True)]
    assert plan(V1, runs, "r1", halted=True) == [Stop("r1", "Halted"), Stop("r2", "Halted")]


def test_other_limits_take_a_new_run_and_other_fingerprints_do_not() -> None:
    desired = desired_running()
    one = wanted_of(desired, model(1))
    assert wanted_of(desired.model_copy(update={"fingerprint": "x", "mode": "Always"}), model(1)) == one
    for change in (
        {"engine": EnginePod(image="engine:1", resources={"limits": {"memory": "3Gi"}})},
        {"credentials": "channels"},
        {"credentials_digest": "1"},
        {"licence_digest": "1"},
        {"stores_digest": "1"},
        {"actions_url": "http://actions:5055/webhook"},
    ):
        assert wanted_of(desired.model_copy(update=change), model(1)) != one


def test_a_model_runs_in_the_image_that_trained_it() -> None:
    desired = desired_running(engine=EnginePod(image="engine:2"))
    assert DesiredRunning.model_validate(specification(desired, model(1))).engine.image == "engine:1"


MODELS = [model(3, "c"), model(2, "b"), model(1, "a")]


@pytest.mark.parametrize(
    ("content", "wanted", "serving", "expected"),
    [
        ("b", "latest", run(1, 3), 2),
        ("z", "latest", run(1, 1), 1),
        ("z", "latest", run(1, 1, state="Starting"), 1),
        ("z", "latest", None, 3),
        ("z", "latest", run(1, 9), None),  # its model is lost, and it answers on
        ("z", "latest", run(1, 9, silent=True), 3),
        ("z", "latest", run(1, 9, state="Starting"), 3),
        ("z", "latest", run(1, 9, state="Stopped"), 3),
        (None, "latest", run(1, 2), 2),
        ("a", "2", run(1, 1), 2),
        ("a", "9", run(1, 1), 1),
        ("a", "9", None, None),
    ],
)
def test_target(content: str | None, wanted: str, serving: Run | None, expected: int | None) -> None:
    found = target(desired_running(content, model=wanted), MODELS, serving)
    assert (found.version if found else None) == expected


class Runs(RuleBasedStateMachine):
    """Wishes, crashes and slow pods in any order, with the plan carried out in between."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: dict[str, Run] = {}
        self.serving: str | None = None
        self.wanted: Wanted | None = None
        self.halted = False
        self.settling = False

    def set(self, run_id: str, **changes: object) -> None:
        self.runs[run_id] = replace(self.runs[run_id], **changes)  # type: ignore[arg-type]

    def act(self) -> bool:
        runs = list(self.runs.values())
        actions = plan(self.wanted, runs, self.serving, halted=self.halted, settling=self.settling)
        assert sum(isinstance(action, Flip) for action in actions) <= 1
        flipped = False
        for action in actions:
            match action:
                case Start(wanted=wanted):
                    order = len(self.runs) + 1
                    self.runs[f"r{order}"] = Run(f"r{order}", order, wanted.version, wanted.digest, "Queued")
                case Assign(run=run_id, wanted=wanted):
                    before = self.runs[run_id]
                    assert before.warm
                    assert before.digest == wanted.digest
                    assert not before.stopping
                    state = "Queued" if before.state == "Queued" else "Starting"
                    self.set(run_id, version=wanted.version, warm=False, state=state)
                case Flip(run=run_id):
                    assert self.runs[run_id].ready
                    assert not self.runs[run_id].warm
                    assert not self.runs[run_id].stopping
                    self.serving = run_id
                    self.settling = flipped = True
        for action in actions:
            if isinstance(action, Stop) and not flipped:
                assert self.halted or action.run != self.serving
                assert self.halted or not (self.settling and self.runs[action.run].ready)
                queued = self.runs[action.run].state == "Queued"
                self.set(action.run, **({"state": "Stopped"} if queued else {"stopping": True}))
        return bool(actions)

    @rule(version=st.integers(1, 3), digest=st.sampled_from("de"))
    def want(self, version: int, digest: str) -> None:
        self.wanted, self.halted = Wanted(version, digest), False

    @rule()
    def halt(self) -> None:
        self.halted = True

    @rule(digest=st.sampled_from("de"), state=st.sampled_from(["Queued", "Warming"]))
    def begin_to_warm(self, digest: str, state: str) -> None:
        order = len(self.runs) + 1
        self.runs[f"r{order}"] = warm(order, digest, state)

    @rule()
    def give_up(self) -> None:
        for each in list(self.runs.values()):
            if each.warm and each.state in ("Queued", "Warming"):
                self.set(each.id, **({"state": "Stopped"} if each.state == "Queued" else {"stopping": True}))

    @rule()
    def one_pass(self) -> None:
        before = self.runs.get(self.serving or "")
        self.act()
        after = self.runs.get(self.serving or "")
        # A pass never takes the answer away from users.
        if before and before.ready and not before.stopping and not self.halted:
            assert after is not None
            assert after.ready
            assert not after.stopping

    @rule()
    def time_passes(self) -> None:
        self.settling = False

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), event=st.sampled_from(["ready", "silent", "crash", "fail", "stopped"]))
    def happen(self, data: st.DataObject, event: str) -> None:
        run_id = data.draw(st.sampled_from(sorted(self.runs)))
        run_now = self.runs[run_id]
        if run_now.state in ("Stopped", "Failed"):
            return
        if run_now.warm and event in ("ready", "silent", "crash"):
            return
        if event == "ready" and not run_now.stopping:
            self.set(run_id, state="Ready", silent=False)
        elif event == "silent":
            self.set(run_id, silent=True)
        elif event == "crash":
            self.set(run_id, state="Starting", silent=False)
        elif event == "fail":
            self.set(run_id, state="Failed", blocking=data.draw(st.booleans()))
        elif event == "stopped" and run_now.stopping:
            self.set(run_id, state="Stopped")

    @invariant()
    def it_settles(self) -> None:
        """With pods that work, a few passes lead to exactly one run, the wanted one, serving."""
        saved = self.runs.copy(), self.serving, self.settling
        for _ in range(12):
            moved = self.act() or self.settling
            self.settling = False
            for run_id, each in list(self.runs.items()):
                if each.stopping and each.state not in ("Stopped", "Failed"):
                    self.set(run_id, state="Stopped")
                elif each.state in ("Queued", "Starting", "Ready") and not each.stopping and not each.warm:
                    self.set(run_id, state="Ready", silent=False)
            if not moved and not self.act():
                break
        active = [each for each in self.runs.values() if each.state not in ("Stopped", "Failed")]
        assert not (self.halted and active)
        active = [each for each in active if not each.warm]
        if self.wanted and not self.halted:
            newest = max((e for e in self.runs.values() if e.is_for(self.wanted)), key=lambda e: e.order)
            if not newest.blocking:
                assert [each.id for each in active] == [newest.id if newest in active else active[0].id]
                assert active[0].is_for(self.wanted)
                assert self.serving == active[0].id
        self.runs, self.serving, self.settling = saved


TestRuns = Runs.TestCase
TestRuns.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)


@given(st.lists(st.tuples(st.integers(1, 2), st.sampled_from(["Queued", "Starting", "Ready", "Draining"])), max_size=5))
def test_a_plan_contradicts_itself_never(facts: list[tuple[int, str]]) -> None:
    runs = [run(order, version, state) for order, (version, state) in enumerate(facts)]
    for serving in (None, *(each.id for each in runs)):
        actions = plan(V2, runs, serving)
        stopped = {action.run for action in actions if isinstance(action, Stop)}
        flipped = {action.run for action in actions if isinstance(action, Flip)}
        assert not stopped & flipped
        assert serving not in stopped
