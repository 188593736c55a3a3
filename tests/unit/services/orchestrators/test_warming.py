"""The decision about warming: a table, and properties over random histories of trainings, runs and slots."""

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.unit.services.orchestrators.models import model

from studio.model_service.orchestrators.running.warming import (
    CHANGED,
    LEAD_SECONDS,
    MADE_ROOM,
    UNNEEDED,
    YIELDED,
    Engine,
    GiveUp,
    Situation,
    Training,
    Warm,
    decide,
    needs_tensorflow,
)

NEAR = Training("t1", "a", "d", rest=20.0)
WARMED = replace(NEAR, warmed=True)
HELD = Engine("r1", "a", "d", order=1)

TABLE: list[tuple[str, Situation, list[object]]] = [
    ("nothing", Situation(idle=1), []),
    ("its end is near", Situation([NEAR], idle=1), [Warm("t1")]),
    ("nobody can tell how long it takes", Situation([replace(NEAR, rest=None)], idle=1), [Warm("t1")]),
    ("its end is far", Situation([replace(NEAR, rest=60.0)], idle=1), []),
    ("its engine does not work yet", Situation([replace(NEAR, at_work=False)], idle=1), []),
    ("it is not to be warmed", Situation([replace(NEAR, digest=None)], idle=1), []),
    ("one try is enough", Situation([WARMED], idle=1), []),
    ("no free slot", Situation([NEAR], idle=0), []),
    ("the only free slot is for a run that waits", Situation([NEAR], idle=1, waiting=1), []),
    ("one is free besides", Situation([NEAR], idle=2, waiting=1), [Warm("t1")]),
    ("a slot is about to be taken by another", Situation([NEAR], [Engine("r9", "b", "d", 9, held=False)], idle=1),
     [GiveUp("r9", UNNEEDED), Warm("t1")]),
    ("it is warm", Situation([WARMED], [HELD], idle=0), []),
    ("its training has failed", Situation([], [HELD]), [GiveUp("r1", UNNEEDED)]),
    ("the training of another does not help", Situation([replace(NEAR, uid="b", warmed=True)], [HELD]),
     [GiveUp("r1", UNNEEDED)]),
    ("the settings have changed", Situation([replace(WARMED, digest="e")], [HELD]), [GiveUp("r1", CHANGED)]),
    ("nothing is to be warmed any more", Situation([replace(WARMED, digest=None)], [HELD]), [GiveUp("r1", CHANGED)]),
    ("a newer training follows",
     Situation([replace(WARMED, digest=None), Training("t2", "a", "d", None, at_work=False)], [HELD]), []),
    ("another run needs the slot", Situation([WARMED], [HELD], idle=0, waiting=1), [GiveUp("r1", YIELDED)]),
    ("another run has a slot", Situation([WARMED], [HELD], idle=1, waiting=1), []),
    ("one that goes is enough", Situation([WARMED, replace(WARMED, id="t2", uid="b")],
                                          [replace(HELD, stopping=True), Engine("r2", "b", "d", 2)], waiting=1), []),
    ("the youngest yields", Situation([WARMED, replace(WARMED, id="t2", uid="b")], [HELD, Engine("r2", "b", "d", 2)],
                                      waiting=1), [GiveUp("r2", YIELDED)]),
    ("no consumer took it", Situation([WARMED], [replace(HELD, held=False)], idle=0), [GiveUp("r1", YIELDED)]),
    ("a consumer is about to take it", Situation([WARMED], [replace(HELD, held=False)], idle=1), []),
    ("given up before", Situation([], [replace(HELD, stopping=True)]), []),
    ("more is held than there are consumers", Situation([WARMED], [HELD], idle=-1), [GiveUp("r1", YIELDED)]),
    ("the cluster has no room for another", Situation([WARMED], [HELD], cramped=1), [GiveUp("r1", MADE_ROOM)]),
    ("nor for one that is about to be taken", Situation([WARMED], [replace(HELD, held=False)], idle=1, cramped=1),
     [GiveUp("r1", MADE_ROOM)]),
    ("nor has it for a warm one", Situation([NEAR], idle=1, cramped=1), []),
    ("a slot that gets free makes room, too", Situation([WARMED, replace(WARMED, id="t2", uid="b")],
                                                        [HELD, Engine("r2", "b", "d", 2)], waiting=1, cramped=1),
     [GiveUp("r2", YIELDED)]),
    ("one that goes makes room", Situation([WARMED, replace(WARMED, id="t2", uid="b")],
                                           [replace(HELD, stopping=True), Engine("r2", "b", "d", 2)], cramped=1), []),
    ("the nearest end first", Situation([NEAR, Training("t2", "b", "d", 5.0)], idle=1), [Warm("t2")]),
    ("one for each assistant", Situation([NEAR, replace(NEAR, id="t2")], idle=2), [Warm("t1")]),
]  # fmt: skip


@pytest.mark.parametrize(("situation", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_table(situation: Situation, expected: list[object]) -> None:
    decision = decide(situation)
    assert [*decision.give_up, *decision.warm] == expected


@pytest.mark.parametrize(
    ("trainings", "again"),
    [
        ([], None),
        ([replace(NEAR, rest=100.0), Training("t2", "b", "d", 75.0)], 75.0 - LEAD_SECONDS),
        ([NEAR], None),
        ([replace(NEAR, rest=100.0, digest=None)], None),
        ([replace(NEAR, at_work=False, leaves_in=4.0)], 4.0),
    ],
)
def test_when_to_look_again(trainings: list[Training], again: float | None) -> None:
    assert decide(Situation(trainings, idle=1)).again == again


@pytest.mark.parametrize(
    ("member", "needed"),
    [
        ("components/train_DIETClassifier4/DIETClassifier.tf_model.index", True),
        ("components/train_TEDPolicy1/domain.json", True),
        ("components/train_LogisticRegressionClassifier5/x.skops", False),
        ("components/train_MemoizationPolicy0/memorized_turns.json", False),
    ],
)
def test_models_of_tensorflow(member: str, needed: bool) -> None:
    assert needs_tensorflow([*model(1).members, "metadata.json", member]) == needed


class Studio(RuleBasedStateMachine):
    """Trainings come and end, runs come and end, consumers come and go; the decision is acted out in between."""

    def __init__(self) -> None:
        super().__init__()
        self.consumers = 2
        self.trainings: dict[str, Training] = {}
        self.engines: dict[str, Engine] = {}
        self.waiting = 0
        self.held = 0
        self.cramped = 0
        self.order = 0

    @property
    def idle(self) -> int:
        return self.consumers - self.held - sum(engine.held for engine in self.engines.values())

    def situation(self) -> Situation:
        trainings, engines = list(self.trainings.values()), list(self.engines.values())
        return Situation(trainings, engines, self.idle, self.waiting, self.cramped)

    def act(self) -> None:
        idle, waiting = self.idle, self.waiting
        decision = decide(self.situation())
        if decision.warm:
            assert idle > waiting, "the last slot is not taken from a run that waits"
            assert not self.cramped
        for end in decision.give_up:
            engine = self.engines[end.run]
            assert not engine.stopping
            if engine.held:
                self.engines[end.run] = replace(engine, stopping=True)
            else:
                del self.engines[end.run]
        for wish in decision.warm:
            training = self.trainings[wish.training]
            assert training.digest is not None
            self.trainings[wish.training] = replace(training, warmed=True)
            self.order += 1
            made = Engine(f"r{self.order}", training.uid, training.digest, self.order, held=False)
            self.engines[made.id] = made

    def drain(self) -> None:
        self.engines = {id_: engine for id_, engine in self.engines.items() if not engine.stopping}

    def claim(self) -> None:
        """What has its model goes first."""
        while self.idle > 0:
            queued = next((engine for engine in self.engines.values() if not engine.held), None)
            if self.waiting:
                self.waiting, self.held = self.waiting - 1, self.held + 1
            elif queued:
                self.engines[queued.id] = replace(queued, held=True)
            else:
                return

    @rule(uid=st.sampled_from("abc"), digest=st.sampled_from(["d", "e", None]), rest=st.sampled_from([None, 5, 300]))
    def train(self, uid: str, digest: str | None, rest: float | None) -> None:
        self.order += 1
        self.trainings[f"t{self.order}"] = Training(f"t{self.order}", uid, digest, rest)

    @precondition(lambda self: self.trainings)
    @rule(data=st.data(), digest=st.sampled_from(["d", None]), rest=st.sampled_from([None, 5.0]))
    def training_changes(self, data: st.DataObject, digest: str | None, rest: float | None) -> None:
        chosen = data.draw(st.sampled_from(sorted(self.trainings)))
        self.trainings[chosen] = replace(self.trainings[chosen], digest=digest, rest=rest)

    @precondition(lambda self: self.trainings)
    @rule(data=st.data())
    def training_ends(self, data: st.DataObject) -> None:
        del self.trainings[data.draw(st.sampled_from(sorted(self.trainings)))]

    @rule()
    def a_run_is_queued(self) -> None:
        self.waiting += 1

    @precondition(lambda self: self.held)
    @rule()
    def a_run_ends(self) -> None:
        self.held -= 1

    @rule(number=st.integers(0, 2))
    def room_is_lacking(self, number: int) -> None:
        self.cramped = number

    @rule(number=st.integers(0, 4))
    def scale(self, number: int) -> None:
        self.consumers = number

    @rule()
    def consumers_claim(self) -> None:
        self.claim()

    @rule()
    def the_given_up_are_gone(self) -> None:
        self.drain()

    @rule()
    def look(self) -> None:
        self.act()

    @invariant()
    def one_engine_for_each_assistant(self) -> None:
        uids = [engine.uid for engine in self.engines.values() if not engine.stopping]
        kept = {engine.run for engine in decide(self.situation()).give_up}
        living = [engine.uid for engine in self.engines.values() if not engine.stopping and engine.id not in kept]
        assert len(living) == len(set(living)) <= len(uids)

    @invariant()
    def it_settles(self) -> None:
        """Left alone, nothing waits behind a warm engine, and no engine is left without a training."""
        saved = dict(self.trainings), dict(self.engines), self.waiting, self.held, self.order
        for _ in range(6):
            self.act()
            self.drain()
            self.claim()
        decision = decide(self.situation())
        assert (decision.warm, decision.give_up) == ([], [])
        held = [engine for engine in self.engines.values() if engine.held]
        assert not (self.waiting and held)
        assert not (self.cramped and held)
        assert not held or self.held + len(held) <= self.consumers
        for engine in self.engines.values():
            assert any((each.uid, each.digest) == (engine.uid, engine.digest) for each in self.trainings.values())
        self.trainings, self.engines, self.waiting, self.held, self.order = saved


TestStudio = Studio.TestCase
TestStudio.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
