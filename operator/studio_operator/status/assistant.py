"""The status of an Assistant: one condition per step, summed up in Ready, Available, Stalled and Degraded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from studio.contract.labels import ENGINE_PORT
from studio.contract.model_service import (
    ModelView,
    ObservedRunning,
    ObservedTraining,
    RunState,
    RunView,
    TrainingState,
    TrainingView,
)
from studio.contract.reasons import Reason
from studio_operator.status.conditions import (
    Condition,
    false,
    known,
    parse_timestamp,
    paused,
    render,
    timestamp,
    true,
    unknown,
)
from studio_operator.status.health import Health

STEPS = ("StudioReady", "ContentReady", "Trained", "Running", "ActionsReady")
# What the orchestrators say, as it is shown in the status.
OBSERVED = ("fingerprint", "training", "model", "run", "urls")
# A forecast that is off by less is not told anew.
ABOUT = timedelta(minutes=1)
_REST = "/webhooks/rest/webhook"


@dataclass(frozen=True)
class Problem:
    """Why a step cannot go on; `waiting` when it may get better without a change of the spec."""

    reason: str
    message: str
    waiting: bool = False


@dataclass(frozen=True)
class AssistantFacts:
    """What one pass saw of an Assistant. A step that was not reached is None."""

    name: str
    namespace: str
    generation: int
    studio: str
    mode: str = "Always"
    trigger: str = "OnChange"
    fingerprint: str | None = None
    warnings: tuple[str, ...] = ()
    spec_problem: Problem | None = None
    studio_problem: Problem | None = None
    # Models are trained and run, but another part of the Studio does not serve.
    part_missing: Problem | None = None
    content_problem: Problem | None = None
    actions: Health | None = None
    training: ObservedTraining | None = None
    running: ObservedRunning | None = None
    # The orchestrators did not answer, or refused: what was known before still stands.
    unreachable: Problem | None = None
    # The Studio is gone and the Jobs of its consumers were removed: nothing runs, whatever was known before.
    stopped: bool = False
    paused: bool = False
    # The public address of its Studio, where its REST channel is exposed there.
    public_url: str | None = None

    @property
    def heard(self) -> bool:
        """Whether this pass got as far as to know what the orchestrators make of it."""
        return self.training is not None or self.stopped


def assistant_status(facts: AssistantFacts, *, before: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The whole status as it is to be written."""
    old: Sequence[dict[str, Any]] = before.get("conditions", [])
    if facts.paused:
        return {**before, "conditions": paused(old, generation=facts.generation, now=now)}
    steps = _steps(facts, old)
    conditions = [*_summary(facts, steps, before), *steps.values()]
    shown = before.get("training", {})
    status: dict[str, Any] = {
        "observedGeneration": facts.generation,
        "studio": facts.studio,
        "conditions": render(conditions, before=old, generation=facts.generation, now=now),
    }
    if not facts.heard:
        return status | {key: before[key] for key in OBSERVED if key in before}
    if facts.stopped:
        return status | {key: before[key] for key in ("fingerprint", "model") if key in before}
    if facts.fingerprint:
        status["fingerprint"] = facts.fingerprint
    return status | _training(facts, shown, now) | _model(facts) | _run(facts)


def only_position_moved(facts: AssistantFacts, *, before: Mapping[str, Any], now: datetime) -> bool:
    """Whether the status would differ from `before` in nothing but its way through the queue: place and forecast."""
    training = facts.training.training if facts.training else None
    if facts.training is None or training is None or assistant_status(facts, before=before, now=now) == before:
        return False
    shown = before.get("training", {})
    start = parse_timestamp(shown.get("estimatedStart"))
    place = {
        "position": shown.get("position"),
        "waits_for": shown.get("waitsFor", ""),
        "starts_in": None if start is None else (start - now).total_seconds(),
    }
    as_shown = facts.training.model_copy(update={"training": training.model_copy(update=place)})
    return assistant_status(replace(facts, training=as_shown), before=before, now=now) == before


def _steps(facts: AssistantFacts, old: Sequence[dict[str, Any]]) -> dict[str, Condition]:
    """One condition per step that applies, in the order in which they happen; one not reached says what it said."""
    earlier = known(old)
    if facts.spec_problem:
        return {kind: earlier[kind] for kind in STEPS if kind in earlier}
    steps = {"StudioReady": _studio(facts), "ContentReady": _content(facts, earlier)}
    if facts.heard:
        steps["Trained"] = _trained(facts)
        steps["Running"] = _running(facts)
    else:
        waits = facts.unreachable.message if facts.unreachable else "waits for the steps before it"
        for kind in ("Trained", "Running"):
            steps[kind] = earlier.get(kind) or unknown(kind, "Pending", waits)
    if facts.actions is not None:
        health = facts.actions
        steps["ActionsReady"] = Condition("ActionsReady", health.ready, health.reason, health.message)
    return steps


def _studio(facts: AssistantFacts) -> Condition:
    if problem := facts.studio_problem or facts.part_missing:
        return false("StudioReady", problem.reason, problem.message)
    return true("StudioReady", "Available")


def _content(facts: AssistantFacts, earlier: Mapping[str, Condition]) -> Condition:
    if facts.content_problem:
        return false("ContentReady", facts.content_problem.reason, facts.content_problem.message)
    if facts.fingerprint is None:
        return earlier.get("ContentReady") or unknown("ContentReady", "Pending", "not looked at yet")
    return true("ContentReady", "Warnings" if facts.warnings else "Accepted", "; ".join(facts.warnings))


def _trained(facts: AssistantFacts) -> Condition:
    if facts.training is None:
        return unknown("Trained", "Pending", "waits for the steps before it")
    if (model := facts.training.model) and facts.training.cache_hit:
        message = f"model {model.version}: the same content, configuration and engine image were trained before"
        return true("Trained", "CacheHit", message)
    if model:
        return true("Trained", "Trained", f"model {model.version}")
    if facts.content_problem:
        return false("Trained", "ContentNotReady", facts.content_problem.message)
    training = facts.training.training
    if training is None:
        return false("Trained", "NotRequested", _how_to_request(facts))
    return false("Trained", *_untrained(training))


def _how_to_request(facts: AssistantFacts) -> str:
    if facts.trigger != "Manual":
        return "no training of this content was asked for yet"
    return (
        "spec.training.trigger is Manual and no training of this content was asked for: "
        f"`studio train {facts.name}`, POST to /api/v1/assistants/{facts.name}/trainings of the back end, "
        "or set spec.training.trigger to OnChange"
    )


def _untrained(training: TrainingView) -> tuple[str, str]:
    """Reason and message while a training has made no model."""
    if training.state is TrainingState.QUEUED:
        place = f"place {training.position} in the queue" if training.position else "in the queue"
        return (
            "Queued",
            f"{place}: {training.waits_for}" if training.waits_for else f"{place}. {training.message}".strip(),
        )
    ended = f"ended {training.state.value}" if training.state.final else "is under way"
    return training.reason, training.message or f"training {training.id} {ended}"


# Why nothing runs, by spec.running.mode, where nothing runs by itself.
_AT_REST = {
    "Never": ("NotWanted", "spec.running.mode is Never"),
    "OnDemand": ("Asleep", "spec.running.mode is OnDemand: it runs once somebody starts it, and ends when unused"),
}


# Reasons of a run that has not begun and that nothing but its turn keeps.
_MERELY_QUEUED = (Reason.REQUESTED, Reason.ASSIGNED)


def _running(facts: AssistantFacts) -> Condition:
    if facts.mode != "Always" and not _runs_by_hand(facts.running):
        return false("Running", *_AT_REST[facts.mode])
    if facts.running is None:
        return unknown("Running", "Pending", "waits for the steps before it")
    return _run_seen(facts.running)


def _runs_by_hand(running: ObservedRunning | None) -> bool:
    """Whether a run is under way although the spec wants none: somebody started it, or it is about to end."""
    runs = (running.serving, running.newest) if running else ()
    return any(run is not None and not run.state.final for run in runs)


def _run_seen(running: ObservedRunning) -> Condition:
    if running.serving and running.serving.answers:
        return true("Running", "Serving", _serving_message(running))
    if running.serving and running.serving.state is RunState.READY:
        return false("Running", running.serving.reason, running.serving.message)
    newest = running.newest
    if newest is not None:
        said = newest.reason, newest.message or f"run {newest.id} is {newest.state.value}"
        return false("Running", *(_awaited(running, newest) or said))
    if running.serving:
        return false("Running", running.serving.reason, running.serving.message)
    return false("Running", "NoModel", f"there is no model to run yet{_warming(running)}")


def _serving_message(running: ObservedRunning) -> str:
    serving, newest = running.serving, running.newest
    message = f"model {serving.model_version} answers" if serving else ""
    if newest and serving and newest.id != serving.id and newest.state is not RunState.STOPPED:
        said = f"model {newest.model_version} is {newest.state.value}: {newest.message or newest.reason}"
        _, told = _awaited(running, newest) or ("", said)
        message += f"; {told}"
    return message + _warming(running)


def _awaited(running: ObservedRunning, newest: RunView) -> tuple[str, str] | None:
    """Reason and message of a run that waits for the Service, or for a slot; None: what it says of itself is enough."""
    model = f"model {newest.model_version}"
    if newest.answers and running.problem_reason:
        return running.problem_reason, f"{model} is ready, and the Service cannot be turned to it: {running.problem}"
    if newest.answers:
        return "Swapping", f"{model} is ready, and about to take over"
    if newest.state is RunState.QUEUED and newest.waits_for:
        # What kept it from starting before says more than that it waits again.
        reason = "Queued" if newest.reason in _MERELY_QUEUED else newest.reason
        return reason, f"{model} waits: {newest.waits_for}"
    return None


def _warming(running: ObservedRunning) -> str:
    """What is started before there is a model for it."""
    warm = running.warming
    if warm is None:
        return ""
    return f"; training is about to end, so an engine for the next model is started: {warm.message or warm.reason}"


def _summary(facts: AssistantFacts, steps: Mapping[str, Condition], before: Mapping[str, Any]) -> list[Condition]:
    earlier = known(before.get("conditions", [])) if _nothing_new(facts, before) else {}
    ready = earlier.get("Ready")
    if ready is None or (ready.status and not steps["StudioReady"].status):
        ready = _ready(facts, steps)
    stalled = earlier.get("Stalled") or _stalled(facts)
    summary = [ready, _available(facts, steps)]
    if stalled:
        summary.append(stalled)
    elif not ready.status and not _rests(facts, ready):
        summary.append(true("Reconciling", ready.reason, ready.message))
    if facts.unreachable:
        summary.append(true("Degraded", facts.unreachable.reason, facts.unreachable.message))
    elif facts.running and facts.running.problem_reason:
        summary.append(true("Degraded", facts.running.problem_reason, facts.running.problem or ""))
    elif facts.running and facts.running.trackers_durable is False:
        message = "the engine keeps conversations in memory: it could not use its database; they are lost when it stops"
        summary.append(true("Degraded", "TrackersNotDurable", message))
    return summary


def _rests(facts: AssistantFacts, ready: Condition) -> bool:
    """Whether it is somebody's turn to ask for a training, or a run: nothing is wrong, and nothing is under way."""
    return ready.reason in ("Cancelled", "Stopped") or (ready.reason == "NotRequested" and facts.trigger == "Manual")


def _nothing_new(facts: AssistantFacts, before: Mapping[str, Any]) -> bool:
    """Whether the same is wanted as before and nobody could be asked how it is going: the old verdict holds."""
    same = facts.generation == before.get("observedGeneration") and facts.fingerprint == before.get("fingerprint")
    return same and facts.fingerprint is not None and not facts.heard and facts.spec_problem is None


def _ready(facts: AssistantFacts, steps: Mapping[str, Condition]) -> Condition:
    if facts.spec_problem:
        return false("Ready", facts.spec_problem.reason, facts.spec_problem.message)
    if not facts.heard:
        return _not_heard(facts)
    needed = [step for kind, step in steps.items() if kind != "Running" or facts.mode == "Always"]
    # What is wrong with the Assistant itself says more than what is wrong with its Studio.
    missing = sorted((step for step in needed if not step.status), key=lambda step: step.status is None)
    if missing:
        blocking = next((step for step in missing if step.type != "StudioReady" and step.status is False), missing[0])
        return false("Ready", blocking.reason, blocking.message)
    if facts.mode == "Always" and facts.running and not _serves_target(facts.running):
        return false("Ready", *_swapping(facts.running))
    return true("Ready", "Ready", "the newest content is trained and answers" if facts.mode == "Always" else "trained")


def _not_heard(facts: AssistantFacts) -> Condition:
    problem = facts.studio_problem or facts.content_problem or facts.unreachable or facts.part_missing
    if problem is None:
        return false("Ready", "Pending", "waits for objects of an earlier resource of this name to go")
    return false("Ready", problem.reason, problem.message)


def _serves_target(running: ObservedRunning) -> bool:
    serving, target = running.serving, running.target
    if serving is None or target is None or running.outdated:
        return False
    return serving.model_version == target.version


def _swapping(running: ObservedRunning) -> tuple[str, str]:
    """Reason and message while something answers, but not what should."""
    if running.target is None:
        return "ModelNotFound", "spec.running.model: there is no such model: name one of this assistant, or latest"
    waits = f"model {running.target.version} is not served yet"
    if running.outdated:
        waits = f"model {running.target.version} is not served with the changed settings yet"
    newest, serving = running.newest, running.serving
    begun = newest is not None and newest.model_version == running.target.version
    if newest is None or not begun or (serving is not None and newest.id == serving.id):
        return "Swapping", waits
    return _awaited(running, newest) or (newest.reason, newest.message or waits)


def _available(facts: AssistantFacts, steps: Mapping[str, Condition]) -> Condition:
    if facts.spec_problem and "Running" not in steps:
        return unknown("Available", facts.spec_problem.reason, f"nothing was started yet: {facts.spec_problem.message}")
    running = steps["Running"]
    return replace(running, type="Available", reason="Available" if running.status else running.reason)


def _stalled(facts: AssistantFacts) -> Condition | None:
    for problem in (facts.spec_problem, facts.studio_problem, facts.content_problem):
        if problem and not problem.waiting:
            return true("Stalled", problem.reason, problem.message)
    training = facts.training.training if facts.training and not facts.training.model else None
    if training and training.state is TrainingState.FAILED:
        return true("Stalled", *_untrained(training))
    newest = facts.running.newest if facts.running and facts.mode != "Never" else None
    if newest and newest.state is RunState.FAILED:
        return true("Stalled", newest.reason, newest.message)
    return None


def _training(facts: AssistantFacts, shown: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The newest training; `shown` is what is told of it so far."""
    training: TrainingView | None = facts.training.training if facts.training else None
    if training is None:
        return {}
    told = {"id": training.id, "state": training.state.value, "reason": training.reason, "message": training.message}
    earlier = parse_timestamp(shown.get("estimatedStart")) if shown.get("id") == training.id else None
    place = {
        "position": training.position,
        "waitsFor": training.waits_for or None,
        "estimatedStart": _estimated_start(training, earlier, now),
        "progress": training.progress.model_dump(exclude_none=True) if training.progress else None,
    }
    return {"training": told | {key: value for key, value in place.items() if value is not None}}


def _estimated_start(training: TrainingView, shown: datetime | None, now: datetime) -> str | None:
    """When it is expected to start, to the minute; what is shown stays while it is about right."""
    if training.starts_in is None:
        return None
    expected = now + timedelta(seconds=training.starts_in)
    if shown is not None and abs(expected - shown) < ABOUT:
        return timestamp(shown)
    return timestamp((expected + ABOUT / 2).replace(second=0, microsecond=0))


def _model(facts: AssistantFacts) -> dict[str, Any]:
    """The model that answers; without one that answers, the newest there is."""
    serving = facts.running.serving if facts.running else None
    known: list[ModelView | None] = []
    if facts.training:
        known += [facts.training.model, facts.training.latest_model]
    if facts.running:
        known.append(facts.running.target)
    models = {model.version: model for model in known if model}
    if serving:
        model = models.get(serving.model_version)
        shown = {"version": serving.model_version, "sha256": serving.model_sha256}
        return {"model": shown | ({"trainedAt": timestamp(model.trained_at)} if model else {})}
    model = next((model for model in known if model), None)
    if model is None:
        return {}
    return {"model": {"version": model.version, "sha256": model.sha256, "trainedAt": timestamp(model.trained_at)}}


def _run(facts: AssistantFacts) -> dict[str, Any]:
    run: RunView | None = (facts.running.serving or facts.running.newest) if facts.running else None
    if run is None:
        return {}
    urls = {"rest": f"http://{facts.name}.{facts.namespace}.svc:{ENGINE_PORT}{_REST}"}
    if facts.public_url:
        urls["public"] = f"{facts.public_url}/talk/{facts.name}{_REST}"
    return {"run": {"id": run.id, "state": run.state.value, "reason": run.reason}, "urls": urls}
