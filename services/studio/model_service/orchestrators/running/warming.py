"""Which engines are started before their model is there, with what, and which of them are given up. Pure.

An engine takes most of its start for imports. So near the end of a training a slot that nobody needs starts the next
run of that assistant, and the model goes into it once it is there. It yields to any run that has a model: warming uses
what is free, and takes nothing.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from studio.model_service.items import Item
from studio.model_service.orchestrators.registry import Model

# An engine of a light pipeline is warm within half of that, on a busy node within all of it.
LEAD_SECONDS = 60.0
# A training whose model is there hands the engine over within milliseconds; an orchestrator that was away, a bit later.
HAND_OVER_SECONDS = 10.0

# Components of Rasa whose models TensorFlow loads, for half a minute each time: a warm engine is to be free by then.
TENSORFLOW = ("DIETClassifier", "ResponseSelector", "TEDPolicy", "UnexpecTEDIntentPolicy", "LanguageModelFeaturizer")

UNNEEDED = "there is no training any more whose model it could take"
CHANGED = "another engine, or another way to run it, is wanted now"
YIELDED = "a run that has its model needs the slot"
MADE_ROOM = "the cluster has no room for what is to run now"


@dataclass(frozen=True, slots=True)
class Training:
    """A training that may end in a model.

    `digest` is how an engine for it is run; None: none shall be warmed for it. `rest` are the seconds that it needs
    still; None: nobody can tell. `at_work` says that its engine has begun or is about to, `warmed` that an engine was
    warmed for it before: one try is enough. `leaves_in` says for how many seconds one that has ended counts still.
    """

    id: str
    uid: str
    digest: str | None
    rest: float | None
    at_work: bool = True
    warmed: bool = False
    leaves_in: float | None = None


@dataclass(frozen=True, slots=True)
class Engine:
    """A run without a model. `held`: a consumer has it, so that it takes a slot; `stopping`: it was given up before."""

    id: str
    uid: str
    digest: str
    order: int
    held: bool = True
    stopping: bool = False


@dataclass(frozen=True, slots=True)
class Situation:
    """All trainings and warm engines of a Studio, and its slots.

    `idle` consumers hold nothing; `waiting` runs that have their model wait for one. For `cramped` trainings and runs
    the cluster has no room: an engine that is only warmed takes none from them.
    """

    trainings: Sequence[Training] = ()
    engines: Sequence[Engine] = ()
    idle: int = 0
    waiting: int = 0
    cramped: int = 0

    @property
    def room(self) -> int:
        """How many engines without a model may wait for a consumer, or be begun."""
        return 0 if self.cramped else max(self.idle - self.waiting, 0)


@dataclass(frozen=True, slots=True)
class Warm:
    """Queue a run for the model that this training will make."""

    training: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """End a run that has no model yet, and say why."""

    run: str
    message: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do; `again` is in how many seconds to look again although nothing was told, None: no need."""

    warm: list[Warm] = field(default_factory=list)
    give_up: list[GiveUp] = field(default_factory=list)
    again: float | None = None


def decide(situation: Situation) -> Decision:
    """What is warmed, and what is given up. Repeated whenever something has changed."""
    outlived = _outlived(situation)
    given_up = [*outlived, *_yielded(situation, {each.run for each in outlived})]
    gone = {each.run for each in given_up}
    kept = [engine for engine in situation.engines if not engine.stopping and engine.id not in gone]
    served = {engine.uid for engine in kept}
    candidates = [
        (_lead(each), each) for each in situation.trainings if _may_be_warmed(each) and each.uid not in served
    ]
    near = [training for lead, training in sorted(candidates, key=lambda each: each[0]) if lead < 0]
    room = situation.room - sum(not engine.held for engine in kept)
    return Decision(
        warm=[Warm(training.id) for training in _one_each(near)[: max(room, 0)]],
        give_up=given_up,
        again=_again([lead for lead, _ in candidates], situation.trainings),
    )


def _lead(training: Training) -> float:
    """In how many seconds it is time to warm an engine for it; negative: it is."""
    return (training.rest or 0.0) - LEAD_SECONDS


def _again(leads: Iterable[float], trainings: Iterable[Training]) -> float | None:
    ahead = [lead for lead in leads if lead >= 0]
    leaving = [training.leaves_in for training in trainings if training.leaves_in is not None]
    return min((*ahead, *leaving), default=None)


def _may_be_warmed(training: Training) -> bool:
    return training.digest is not None and training.at_work and not training.warmed


def _one_each(trainings: Iterable[Training]) -> list[Training]:
    """The first training of each assistant."""
    first: dict[str, Training] = {}
    for training in trainings:
        first.setdefault(training.uid, training)
    return list(first.values())


def _outlived(situation: Situation) -> list[GiveUp]:
    """Engines whose training has ended without a model for them, or for which another one would be started now."""
    digests: dict[str, set[str | None]] = {}
    for training in situation.trainings:
        digests.setdefault(training.uid, set()).add(training.digest)
    return [
        GiveUp(engine.id, CHANGED if engine.uid in digests else UNNEEDED)
        for engine in situation.engines
        if not engine.stopping and engine.digest not in digests.get(engine.uid, ())
    ]


def _yielded(situation: Situation, outlived: Collection[str]) -> list[GiveUp]:
    """Those that stand in the way of runs that wait, the youngest first; what is about to go counts as gone."""
    leaving = [each for each in situation.engines if each.stopping or each.id in outlived]
    living = sorted((each for each in situation.engines if each not in leaving), key=lambda each: -each.order)
    going = sum(each.held for each in leaving)
    held = [engine for engine in living if engine.held]
    slots = max(situation.waiting - situation.idle - going, 0)
    # What has a slot again may find room as well: that is seen once it is there.
    rooms = max(situation.cramped - going - slots, 0)
    # What has found no consumer waits for nothing: it would be in the way later.
    queued = [engine for engine in living if not engine.held]
    why = MADE_ROOM if situation.cramped else YIELDED
    return [
        *(GiveUp(engine.id, YIELDED) for engine in held[:slots]),
        *(GiveUp(engine.id, MADE_ROOM) for engine in held[slots : slots + rooms]),
        *(GiveUp(engine.id, why) for engine in queued[: max(len(queued) - situation.room, 0)]),
    ]


def model_to_warm_with(
    runs: Sequence[Item], models: Sequence[Model], *, serving: str | None, image: str
) -> Model | None:
    """What an engine of `image` loads until its own model is there: what its assistant serves. None: nothing of ours.

    Never a model of another assistant, for a model is code; nor one of another engine, which could refuse it; nor one
    of TensorFlow: of that only the imports are worth their time.
    """
    version = next((run.model_version for run in runs if run.id == serving), None)
    model = next((model for model in models if model.version == version), None)
    return model if model and model.engine_image == image and not needs_tensorflow(model.members) else None


def needs_tensorflow(members: Iterable[str]) -> bool:
    """Whether a model with these members is loaded by TensorFlow; each component has a folder of its name."""
    return any(component in member for member in members for component in TENSORFLOW)
