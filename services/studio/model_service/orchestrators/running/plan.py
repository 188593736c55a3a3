"""What to do next about the runs of one assistant. Pure.

At most one run serves: the one that the selector of the Service names. The serving run is never stopped; it first loses
the Service to a run that is ready, answers on until every node sends to that one, and is stopped in a later pass.
A run that is warmed has no model yet: it never serves, and becomes the run of what is wanted instead of a new one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from studio.contract.model_service import DesiredRunning, RunState
from studio.contract.reasons import SILENT, Reason
from studio.model_service.items import Item
from studio.model_service.orchestrators.digest import digest
from studio.model_service.orchestrators.registry import Model

# Failures that lie outside of the model and its specification; the run is tried again after a pause.
RETRYABLE = frozenset({Reason.CONFLICT, Reason.TOO_MANY_LOSSES})
RETRY_SECONDS = 60.0
# So long after a flip, requests may still come to the run that served before: its endpoint leaves the rules of the
# nodes within a second or two, callers that keep connections open use them for a few seconds more.
SETTLING_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """The model version that should serve, and the digest of how it should be run."""

    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class Run:
    """One run; `order` grows with every new run of the assistant.

    `blocking` is an end after which none like it is started by itself: a failure that would only repeat, or a person's
    word. `silent` says that it was ready and does not answer now, `by_hand` that a person started it although nothing
    shall run, `warm` that it was begun before its model was there, and still waits for it.
    """

    id: str
    order: int
    version: int
    digest: str
    state: str
    stopping: bool = False
    blocking: bool = False
    silent: bool = False
    by_hand: bool = False
    warm: bool = False

    @property
    def ready(self) -> bool:
        """Whether it can serve now."""
        return self.state == RunState.READY and not self.silent

    def is_for(self, wanted: Wanted) -> bool:
        """Whether it runs what is wanted, as it is wanted."""
        return not self.warm and (self.version, self.digest) == (wanted.version, wanted.digest)


@dataclass(frozen=True, slots=True)
class Start:
    """Queue a run of what is wanted."""

    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Assign:
    """Make a run that is warmed the run of what is wanted."""

    run: str
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Flip:
    """Point the Service at a run."""

    run: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Ask for the end of a run."""

    run: str
    reason: str


Action = Start | Assign | Flip | Stop


def plan(
    wanted: Wanted | None, runs: Sequence[Run], serving: str | None, *, halted: bool = False, settling: bool = False
) -> list[Action]:
    """The next actions; empty when nothing is to be done. Repeated with fresh facts until it is.

    `serving` is the run that the Service names, `halted` that nothing shall run but what a person started, `settling`
    that the Service was flipped a moment ago: what can answer is kept meanwhile. Without anything wanted (no model yet,
    or it is lost) what answers stays, and nothing else is tried beside it.
    """
    usable = [run for run in runs if not RunState(run.state).final and not run.stopping]
    matching = [run for run in usable if wanted and run.is_for(wanted) and (run.by_hand or not halted)]
    if halted and not matching:
        return [Stop(run.id, Reason.HALTED) for run in usable if wanted or not run.by_hand]
    if wanted is None:
        return _beside_what_answers(usable, serving, settling=settling)
    best = _best(matching, serving)
    warm = _warm(usable, wanted)
    usable = [run for run in usable if not run.warm]
    front = _front(best, usable, serving)
    actions: list[Action] = []
    if best is None and not _blocked(wanted, runs):
        actions.append(Assign(warm.id, wanted) if warm else Start(wanted))
    if front is not None and front.ready and front.id != serving:
        actions.append(Flip(front.id))
    kept = {serving, best and best.id, front and front.id}
    actions += [Stop(run.id, Reason.REPLACED) for run in usable if run.id not in kept and not (settling and run.ready)]
    return actions


def _beside_what_answers(usable: Sequence[Run], serving: str | None, *, settling: bool) -> list[Action]:
    """The ends of runs that were tried for a lost model, or instead of it, once one answers; not of warm ones."""
    if not any(run.id == serving and run.ready for run in usable):
        return []
    others = [run for run in usable if run.id != serving and not run.warm]
    return [Stop(run.id, Reason.REPLACED) for run in others if not (settling and run.ready)]


def awake(runs: Sequence[Run]) -> bool:
    """Whether something runs that has a model, or will: what runs on demand goes on, and never begins by itself."""
    return any(not run.warm and not run.stopping and not RunState(run.state).final for run in runs)


def _best(matching: Sequence[Run], serving: str | None) -> Run | None:
    """Of the runs of what is wanted, the one to go on with."""
    return max(matching, key=lambda run: (run.id == serving, run.ready, run.order), default=None)


def _warm(usable: Sequence[Run], wanted: Wanted) -> Run | None:
    """The run that is warmed in the way in which the model is to be run."""
    fitting = (run for run in usable if run.warm and run.digest == wanted.digest)
    return max(fitting, key=lambda run: run.order, default=None)


def _front(best: Run | None, usable: Sequence[Run], serving: str | None) -> Run | None:
    """The run that should serve at this moment: what is wanted if it can, else whatever can."""
    if best is not None and best.ready:
        return best
    current = next((run for run in usable if run.id == serving), None)
    if current is not None and current.ready:
        return current
    ready = max((run for run in usable if run.ready), key=lambda run: run.order, default=None)
    return ready or current


def _blocked(wanted: Wanted, runs: Sequence[Run]) -> bool:
    """Whether the newest run of what is wanted failed in a way that would repeat, or a person stopped it."""
    newest = max((run for run in runs if run.is_for(wanted)), key=lambda run: run.order, default=None)
    return newest is not None and newest.blocking


def target(desired: DesiredRunning, models: Sequence[Model], serving: Run | None) -> Model | None:
    """The model that should serve; `models` newest first, `serving` the run that the Service names, ended or not.

    A version by number; or the model of the wanted content. While that does not exist, what serves stays, even if its
    model is lost; and if nothing answers, the newest model is better than none.
    """
    kept = next((model for model in models if serving and model.version == serving.version), None)
    if desired.model != "latest":
        return next((model for model in models if str(model.version) == desired.model), kept)
    wanted = next((model for model in models if model.fingerprint == desired.fingerprint), None)
    answers = serving is not None and serving.ready
    return wanted or kept or (models[0] if models and not answers else None)


def specification(desired: DesiredRunning, model: Model) -> dict[str, Any]:
    """What a run's Job is made from: the desired state, with the engine image that trained the model.

    A model is loaded by the image that made it: a new image retrains, and until then the old pair serves.
    """
    spec = engine_specification(desired, model.engine_image)
    return {**spec, "fingerprint": model.fingerprint, "model_version": model.version, "model_sha256": model.sha256}


def engine_specification(desired: DesiredRunning, image: str) -> dict[str, Any]:
    """The same, as far as it does not depend on the model: what an engine of that image is warmed with."""
    spec = desired.model_dump(mode="json")
    spec["engine"]["image"] = image
    return spec


def wanted_of(desired: DesiredRunning, model: Model) -> Wanted:
    """What should run, with the digest of everything whose change takes a new run."""
    return Wanted(model.version, engine_digest(desired, model.engine_image))


def engine_digest(desired: DesiredRunning, image: str) -> str:
    """The digest of everything but the model whose change takes a new run."""
    spec = engine_specification(desired, image)
    told = {key: spec[key] for key in ("engine", "credentials", "actions_url")}
    # A digest that was not told is left out, so that no run changes because its message has learnt a field.
    digests = ("credentials_digest", "licence_digest", "stores_digest")
    told |= {key: spec[key] for key in digests if spec[key] is not None}
    return digest(told)


def outdated(serving: Item, wanted: Wanted) -> bool:
    """Whether a run has the model that is wanted, but is run in another way."""
    return serving.model_version == wanted.version and serving.spec_digest != wanted.digest


def settling_for(since: datetime | None, now: datetime) -> float:
    """For how many seconds a Service that was flipped at `since` has to settle; 0 once it has.

    A time to come is none of ours: the annotation was edited, or the clock set back.
    """
    passed = None if since is None else (now - since).total_seconds()
    return SETTLING_SECONDS - passed if passed is not None and 0 <= passed < SETTLING_SECONDS else 0.0


def stopped_by_hand(item: Item) -> bool:
    """Whether a person asked for the end of a run."""
    return item.stop_requested and item.stop_reason == Reason.STOPPED


def run_of(item: Item, *, seconds_since_end: float | None) -> Run:
    """The facts of a run's row; `seconds_since_end` by the clock of the database."""
    failed = item.state == RunState.FAILED
    retry = item.reason in RETRYABLE and (seconds_since_end or 0.0) > RETRY_SECONDS
    return Run(
        id=item.id,
        order=item.seq,
        version=item.model_version or 0,
        digest=item.spec_digest,
        state=item.state,
        stopping=item.stop_requested or item.state == RunState.DRAINING,
        blocking=(failed and not retry) or stopped_by_hand(item),
        silent=item.reason in SILENT,
        by_hand=item.spec.get("mode") == "Never",
        warm=item.warm,
    )
