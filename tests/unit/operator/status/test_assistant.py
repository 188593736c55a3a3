"""The status of an Assistant from what one pass saw: design rules as a table."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from studio.contract.model_service import (
    ModelView,
    ObservedRunning,
    ObservedTraining,
    Progress,
    RunState,
    RunView,
    TrainingState,
    TrainingView,
)
from studio_operator.status.assistant import AssistantFacts, Problem, assistant_status, only_position_moved
from studio_operator.status.conditions import timestamp
from studio_operator.status.health import Health

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def model(version: str = "1") -> ModelView:
    return ModelView(
        version=version, fingerprint=f"f{version}", sha256="ab", size=1, trained_at=NOW, training="t", engine_image="e"
    )


def training(state: TrainingState, reason: str = "", message: str = "", **more: Any) -> TrainingView:
    return TrainingView(
        id="c-t2",
        assistant="c",
        fingerprint="f2",
        state=state,
        reason=reason or state.value,
        message=message,
        requested_at=NOW,
        **more,
    )


def run(version: str = "1", state: RunState = RunState.READY, reason: str = "", message: str = "") -> RunView:
    return RunView(
        id=f"c-r{version}",
        assistant="c",
        model_version=version,
        model_sha256="ab",
        state=state,
        reason=reason or state.value,
        message=message,
        serving=state is RunState.READY,
        requested_at=NOW,
    )


TRAINED = ObservedTraining(needs_content=False, model=model("2"), latest_model=model("2"))
SERVED = ObservedRunning(target=model("2"), serving=run("2"), newest=run("2"), trackers_durable=True)
OLD_SERVES = ObservedRunning(target=model("1"), serving=run("1"), newest=run("1"))
NOTHING_RUNS = ObservedRunning()
NOTHING_TRAINED = ObservedTraining(needs_content=False)


def untrained(state: TrainingState, **more: Any) -> ObservedTraining:
    return ObservedTraining(needs_content=False, training=training(state, **more), latest_model=model("1"))


def swapping(newest: RunView, *, serving: str | None = "1") -> ObservedRunning:
    """Model 2 should serve."""
    return ObservedRunning(target=model("2"), serving=run(serving) if serving else None, newest=newest)


def refused_to(running: ObservedRunning) -> ObservedRunning:
    """The same, while the API server refuses each write of the Service."""
    return running.model_copy(update={"problem_reason": "Forbidden", "problem": "a policy denies it"})


def facts(**changes: Any) -> AssistantFacts:
    settings: dict[str, Any] = {"fingerprint": "f2", "training": TRAINED, "running": SERVED} | changes
    return AssistantFacts("c", "team", generation=3, studio="studio", **settings)


def not_heard(**changes: Any) -> AssistantFacts:
    return facts(**({"training": None, "running": None} | changes))


def status_of(seen: AssistantFacts, before: dict[str, Any] | None = None) -> dict[str, Any]:
    return assistant_status(seen, before=before or {}, now=NOW)


def conditions_of(seen: AssistantFacts, before: dict[str, Any] | None = None) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in status_of(seen, before)["conditions"]}


READY = ("True", "Ready")
ANSWERS = ("True", "Available")
DOWN = Health(ready=False, available=False, desired=1, count=0, reason="RollingOut", message="actions: 0 of 1 ready")
BAD = Problem("UnreadableContent", "nlu.yml is not usable YAML")
LATER = Problem("ConfigMapMissing", "create it", waiting=True)
SILENT = Problem("ModelServiceUnreachable", "connection refused")

SILENT_ENGINE = run("2", reason="NotAnswering", message="the engine does not answer for the moment")

TABLE: dict[str, tuple[AssistantFacts, dict[str, tuple[str, str] | None]]] = {
    "the engine does not answer": (
        facts(running=ObservedRunning(target=model("2"), serving=SILENT_ENGINE, newest=SILENT_ENGINE)),
        {
            "Running": ("False", "NotAnswering"),
            "Available": ("False", "NotAnswering"),
            "Ready": ("False", "NotAnswering"),
            "Reconciling": ("True", "NotAnswering"),
            "Stalled": None,
        },
    ),
    "the engine does not answer while the next one loads": (
        facts(
            running=ObservedRunning(
                target=model("2"),
                serving=run("1", reason="NotAnswering"),
                newest=run("2", RunState.STARTING, "Loading"),
            )
        ),
        {"Running": ("False", "NotAnswering"), "Available": ("False", "NotAnswering")},
    ),
    "started by hand though nothing shall run": (
        facts(mode="Never"),
        {"Running": ("True", "Serving"), "Available": ANSWERS, "Ready": READY},
    ),
    "stopped by hand": (
        facts(running=ObservedRunning(target=model("2"), newest=run("2", RunState.STOPPED, message="stopped by ann"))),
        {
            "Running": ("False", "Stopped"),
            "Available": ("False", "Stopped"),
            "Ready": ("False", "Stopped"),
            "Reconciling": None,
            "Stalled": None,
        },
    ),
    "the pod of the engine is being deleted": (
        facts(running=ObservedRunning(target=model("2"), serving=run("2", reason="Terminating"), newest=run("2"))),
        {"Running": ("False", "Terminating"), "Available": ("False", "Terminating"), "Ready": ("False", "Terminating")},
    ),
    "trained and served": (
        facts(),
        {"Ready": READY, "Available": ANSWERS, "Stalled": None, "Reconciling": None, "Degraded": None},
    ),
    "first visit without a studio": (
        not_heard(fingerprint=None, studio_problem=Problem("StudioCreating", "just created", waiting=True)),
        {
            "Ready": ("False", "StudioCreating"),
            "Available": ("Unknown", "Pending"),
            "StudioReady": ("False", "StudioCreating"),
            "ContentReady": ("Unknown", "Pending"),
            "Trained": ("Unknown", "Pending"),
            "Running": ("Unknown", "Pending"),
            "Reconciling": ("True", "StudioCreating"),
            "Stalled": None,
        },
    ),
    "studio not found": (
        not_heard(studio_problem=Problem("StudioNotFound", "spec.studioRef.name: create it"), stopped=True),
        {"Stalled": ("True", "StudioNotFound"), "Ready": ("False", "StudioNotFound"), "Reconciling": None},
    ),
    "queued": (
        facts(training=untrained(TrainingState.QUEUED, position=3), running=NOTHING_RUNS),
        {"Trained": ("False", "Queued"), "Ready": ("False", "Queued"), "Running": ("False", "NoModel")},
    ),
    "training new content while the old model answers": (
        facts(training=untrained(TrainingState.RUNNING, reason="Training"), running=OLD_SERVES),
        {"Ready": ("False", "Training"), "Available": ANSWERS, "Reconciling": ("True", "Training"), "Stalled": None},
    ),
    "the engine refused the content, the old model answers": (
        facts(training=untrained(TrainingState.FAILED, reason="InvalidContent"), running=OLD_SERVES),
        {
            "Ready": ("False", "InvalidContent"),
            "Trained": ("False", "InvalidContent"),
            "Available": ANSWERS,
            "Stalled": ("True", "InvalidContent"),
            "Reconciling": None,
        },
    ),
    "a cancelled training is neither stalled nor under way": (
        facts(training=untrained(TrainingState.CANCELLED), running=OLD_SERVES),
        {"Ready": ("False", "Cancelled"), "Stalled": None, "Reconciling": None},
    ),
    "unreadable content, the old model answers": (
        facts(fingerprint=None, content_problem=BAD, training=NOTHING_TRAINED, running=OLD_SERVES),
        {
            "Ready": ("False", "UnreadableContent"),
            "ContentReady": ("False", "UnreadableContent"),
            "Trained": ("False", "ContentNotReady"),
            "Available": ANSWERS,
            "Stalled": ("True", "UnreadableContent"),
        },
    ),
    "content that may come": (
        facts(
            fingerprint=None,
            content_problem=LATER,
            training=ObservedTraining(needs_content=False),
            running=NOTHING_RUNS,
        ),
        {"Ready": ("False", "ConfigMapMissing"), "Stalled": None, "Reconciling": ("True", "ConfigMapMissing")},
    ),
    "content with warnings": (facts(warnings=("endpoints.yml is not used",)), {"ContentReady": ("True", "Warnings")}),
    "waiting for somebody to ask for a training": (
        facts(training=NOTHING_TRAINED, running=NOTHING_RUNS),
        {"Trained": ("False", "NotRequested"), "Ready": ("False", "NotRequested")},
    ),
    "trigger Manual waits for a person, and nothing is under way": (
        facts(trigger="Manual", training=NOTHING_TRAINED, running=NOTHING_RUNS),
        {
            "Trained": ("False", "NotRequested"),
            "Ready": ("False", "NotRequested"),
            "Available": ("False", "NoModel"),
            "Reconciling": None,
            "Stalled": None,
        },
    ),
    "trigger Manual waits for a person, and the old model answers": (
        facts(trigger="Manual", training=NOTHING_TRAINED, running=OLD_SERVES),
        {"Ready": ("False", "NotRequested"), "Available": ANSWERS, "Reconciling": None, "Stalled": None},
    ),
    "mode Never needs no run": (
        facts(mode="Never", running=NOTHING_RUNS),
        {
            "Ready": READY,
            "Available": ("False", "NotWanted"),
            "Running": ("False", "NotWanted"),
            "Stalled": None,
            "Reconciling": None,
        },
    ),
    "mode OnDemand needs no run": (
        facts(mode="OnDemand", running=NOTHING_RUNS),
        {"Ready": READY, "Available": ("False", "Asleep"), "Running": ("False", "Asleep"), "Reconciling": None},
    ),
    "mode OnDemand, and somebody has started it": (
        facts(mode="OnDemand", running=SERVED),
        {"Ready": READY, "Available": ANSWERS, "Running": ("True", "Serving")},
    ),
    "mode OnDemand tells of a start that failed": (
        facts(mode="OnDemand", running=ObservedRunning(target=model("2"), newest=run("2", RunState.FAILED))),
        {"Ready": READY, "Running": ("False", "Asleep"), "Stalled": ("True", run("2", RunState.FAILED).reason)},
    ),
    "mode Never ignores a run that failed": (
        facts(mode="Never", running=ObservedRunning(target=model("2"), newest=run("2", RunState.FAILED))),
        {"Ready": READY, "Stalled": None},
    ),
    "swapping": (
        facts(running=swapping(run("2", RunState.STARTING, "Loading"))),
        {"Ready": ("False", "Loading"), "Available": ANSWERS, "Trained": ("True", "Trained"), "Stalled": None},
    ),
    "changed settings, the new run not begun": (
        facts(running=SERVED.model_copy(update={"outdated": True})),
        {"Ready": ("False", "Swapping"), "Available": ANSWERS, "Stalled": None},
    ),
    "changed settings, the new run starts": (
        facts(
            running=SERVED.model_copy(
                update={
                    "outdated": True,
                    "newest": run("2", RunState.STARTING, "Loading").model_copy(update={"id": "c-r9"}),
                }
            )
        ),
        {"Ready": ("False", "Loading"), "Available": ANSWERS},
    ),
    "swap not begun": (
        facts(running=swapping(run("1"))),
        {"Ready": ("False", "Swapping"), "Available": ANSWERS},
    ),
    "the new run fails, the old model answers": (
        facts(running=swapping(run("2", RunState.FAILED, "CrashLoop"))),
        {"Ready": ("False", "CrashLoop"), "Available": ANSWERS, "Stalled": ("True", "CrashLoop")},
    ),
    "the only run starts": (
        facts(running=swapping(run("2", RunState.STARTING, "Unschedulable", "no node"), serving=None)),
        {
            "Ready": ("False", "Unschedulable"),
            "Available": ("False", "Unschedulable"),
            "Running": ("False", "Unschedulable"),
        },
    ),
    "a pinned model serves while newer content is trained": (
        facts(running=OLD_SERVES),
        {"Ready": READY, "Available": ANSWERS},
    ),
    "a pinned model that does not exist": (
        facts(running=ObservedRunning(serving=run("1"))),
        {"Ready": ("False", "ModelNotFound"), "Available": ANSWERS},
    ),
    "served while another part of the studio does not serve": (
        facts(part_missing=Problem("StudioNotReady", "Studio studio: WebClientReady: 0 of 1 ready", waiting=True)),
        {
            "Ready": ("False", "StudioNotReady"),
            "StudioReady": ("False", "StudioNotReady"),
            "Available": ANSWERS,
            "Reconciling": ("True", "StudioNotReady"),
            "Stalled": None,
        },
    ),
    "bad content says more than a studio that is not whole": (
        facts(
            fingerprint=None,
            content_problem=Problem("BadFileName", "rename it"),
            part_missing=Problem("StudioNotReady", "WebClientReady", waiting=True),
        ),
        {"Ready": ("False", "BadFileName"), "StudioReady": ("False", "StudioNotReady")},
    ),
    "no action server": (
        facts(actions=DOWN),
        {"ActionsReady": ("False", "RollingOut"), "Ready": ("False", "RollingOut"), "Available": ANSWERS},
    ),
    "conversations in memory": (
        facts(running=SERVED.model_copy(update={"trackers_durable": False})),
        {"Degraded": ("True", "TrackersNotDurable"), "Ready": READY},
    ),
    "the Service cannot be written, the old model answers": (
        facts(
            running=OLD_SERVES.model_copy(update={"problem_reason": "Forbidden", "problem": "services is forbidden"})
        ),
        {"Degraded": ("True", "Forbidden"), "Available": ANSWERS},
    ),
    "the Service cannot be turned to the model that is ready": (
        facts(running=refused_to(swapping(run("2", reason="Forbidden", message="a policy denies it")))),
        {"Ready": ("False", "Forbidden"), "Degraded": ("True", "Forbidden"), "Available": ANSWERS, "Stalled": None},
    ),
    "the same, told by an orchestrator that blames no run": (
        facts(running=refused_to(swapping(run("2")))),
        {"Ready": ("False", "Forbidden"), "Degraded": ("True", "Forbidden"), "Available": ANSWERS},
    ),
    "the same, and nothing answers": (
        facts(running=refused_to(swapping(run("2", reason="Forbidden"), serving=None))),
        {"Running": ("False", "Forbidden"), "Available": ("False", "Forbidden"), "Degraded": ("True", "Forbidden")},
    ),
    "the Service cannot be written matters more than conversations in memory": (
        facts(running=refused_to(OLD_SERVES.model_copy(update={"trackers_durable": False}))),
        {"Degraded": ("True", "Forbidden")},
    ),
    "the new run is ready, and takes over in a moment": (
        facts(running=swapping(run("2"))),
        {"Ready": ("False", "Swapping"), "Reconciling": ("True", "Swapping"), "Available": ANSWERS, "Degraded": None},
    ),
    "invalid spec from the beginning": (
        not_heard(fingerprint=None, spec_problem=Problem("InvalidSpec", "spec.source: set exactly one")),
        {
            "Ready": ("False", "InvalidSpec"),
            "Stalled": ("True", "InvalidSpec"),
            "Available": ("Unknown", "InvalidSpec"),
            "Trained": None,
        },
    ),
    "a Secret that is missing from the beginning": (
        not_heard(fingerprint=None, spec_problem=Problem("SecretMissing", "there is no Secret channels", waiting=True)),
        {
            "Ready": ("False", "SecretMissing"),
            "Reconciling": ("True", "SecretMissing"),
            "Available": ("Unknown", "SecretMissing"),
            "Stalled": None,
        },
    ),
    "unreachable from the beginning": (
        not_heard(unreachable=SILENT),
        {
            "Ready": ("False", "ModelServiceUnreachable"),
            "Degraded": ("True", "ModelServiceUnreachable"),
            "Available": ("Unknown", "Pending"),
            "Stalled": None,
        },
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_conditions(case: str) -> None:
    seen, expected = TABLE[case]
    conditions = conditions_of(seen)
    assert {kind: conditions.get(kind) for kind in expected} == expected


@pytest.mark.parametrize("case", TABLE)
def test_every_status_has_the_summary_and_is_stable(case: str) -> None:
    seen, _ = TABLE[case]
    once = status_of(seen)
    assert {"Ready", "Available"} <= {c["type"] for c in once["conditions"]}
    assert all(c["reason"] for c in once["conditions"])
    assert status_of(seen, once) == once


def message_of(seen: AssistantFacts, kind: str) -> str:
    (message,) = [c["message"] for c in status_of(seen)["conditions"] if c["type"] == kind]
    return str(message)


def test_a_refused_flip_says_why_the_new_model_does_not_answer() -> None:
    seen = facts(running=refused_to(swapping(run("2", message="the engine answers with the intended model"))))
    told = "model 2 is ready, and the Service cannot be turned to it: a policy denies it"
    assert (message_of(seen, "Ready"), message_of(seen, "Degraded")) == (told, "a policy denies it")


def test_a_flip_that_is_due_does_not_say_that_the_new_model_answers() -> None:
    seen = facts(running=swapping(run("2", message="the engine answers with the intended model")))
    assert message_of(seen, "Ready") == "model 2 is ready, and about to take over"


def waiting(reason: str = "Requested", waits_for: str = "both slots hold runs; it is next") -> RunView:
    return run("2", RunState.QUEUED, reason, "to run version 2 of the model").model_copy(
        update={"waits_for": waits_for, "position": 1}
    )


@pytest.mark.parametrize(("serving", "kind"), [("1", "Ready"), (None, "Ready"), (None, "Running")])
def test_a_run_that_waits_for_a_slot_says_so(serving: str | None, kind: str) -> None:
    seen = facts(running=swapping(waiting(), serving=serving))
    assert conditions_of(seen)[kind] == ("False", "Queued")
    assert message_of(seen, kind) == "model 2 waits: both slots hold runs; it is next"


def test_what_answers_says_that_the_next_run_waits() -> None:
    seen = facts(running=swapping(waiting()))
    assert message_of(seen, "Running") == "model 1 answers; model 2 waits: both slots hold runs; it is next"


def test_a_run_that_is_tried_again_keeps_the_reason() -> None:
    seen = facts(running=swapping(waiting("Unschedulable", "it is tried again at 12:01:40 UTC: no node has room")))
    assert conditions_of(seen)["Ready"] == ("False", "Unschedulable")
    assert message_of(seen, "Ready") == "model 2 waits: it is tried again at 12:01:40 UTC: no node has room"


def test_an_older_orchestrator_does_not_tell_what_a_run_waits_for() -> None:
    seen = facts(running=swapping(waiting(waits_for="")))
    assert conditions_of(seen)["Ready"] == ("False", "Requested")


def test_the_queue_position_is_told() -> None:
    status = status_of(facts(training=untrained(TrainingState.QUEUED, position=3), running=NOTHING_RUNS))
    assert status["training"]["position"] == 3
    assert any("place 3 in the queue" in c["message"] for c in status["conditions"])


def queued(position: int | None, **changes: Any) -> AssistantFacts:
    return facts(training=untrained(TrainingState.QUEUED, position=position, **changes), running=NOTHING_RUNS)


@pytest.mark.parametrize(
    ("seen", "moved"),
    [
        (queued(2), True),
        (queued(3), False),
        (queued(None), True),
        (queued(2, message="QuotaExceeded"), False),
        (queued(3, waits_for="it is next"), True),
        (queued(3, starts_in=90.0), True),
        (queued(2, waits_for="2 trainings are ahead", starts_in=90.0), True),
        (facts(training=untrained(TrainingState.RUNNING), running=NOTHING_RUNS), False),
        (facts(training=untrained(TrainingState.QUEUED, position=2), running=OLD_SERVES), False),
        (not_heard(unreachable=SILENT), False),
    ],
)
def test_a_place_in_the_queue_that_moved_alone_is_told_apart(seen: AssistantFacts, moved: bool) -> None:
    assert only_position_moved(seen, before=status_of(queued(3)), now=NOW) is moved


def test_what_a_training_waits_for_and_its_start_are_told() -> None:
    seen = queued(2, waits_for="1 training is ahead; the only consumer is busy", starts_in=130.0)
    status = status_of(seen)
    assert status["training"]["waitsFor"] == "1 training is ahead; the only consumer is busy"
    assert status["training"]["estimatedStart"] == timestamp((NOW + timedelta(seconds=130)).replace(second=0))
    (message,) = [c["message"] for c in status["conditions"] if c["type"] == "Trained"]
    assert message == "place 2 in the queue: 1 training is ahead; the only consumer is busy"
    assert "waitsFor" not in status_of(queued(2))["training"]


def test_how_far_a_training_is_is_told() -> None:
    running = untrained(TrainingState.RUNNING)
    assert running.training
    training = running.training.model_copy(update={"progress": Progress(step="DIETClassifier", percent=40)})
    seen = facts(training=running.model_copy(update={"training": training}), running=NOTHING_RUNS)
    assert status_of(seen)["training"]["progress"] == {"step": "DIETClassifier", "percent": 40}
    assert "progress" not in status_of(facts(training=running, running=NOTHING_RUNS))["training"]


@pytest.mark.parametrize(
    ("passed", "starts_in", "told_anew"), [(20, 100.0, False), (20, 150.0, False), (0, 400.0, True)]
)
def test_a_forecast_that_is_about_right_is_not_told_anew(passed: int, starts_in: float, told_anew: bool) -> None:
    before = status_of(queued(2, starts_in=130.0))
    now = NOW + timedelta(seconds=passed)
    later = assistant_status(queued(2, starts_in=starts_in), before=before, now=now)
    assert (later != before) is told_anew


def test_a_forecast_of_another_training_does_not_stay() -> None:
    before = status_of(queued(2, starts_in=100.0))
    before["training"]["id"] = "another"
    assert (
        status_of(queued(2, starts_in=155.0), before)["training"]["estimatedStart"]
        != (before["training"]["estimatedStart"])
    )


@pytest.mark.parametrize(
    ("running", "status", "message"),
    [
        (
            OLD_SERVES,
            "True",
            "model 1 answers; training is about to end, so an engine for the next model is started: soon",
        ),
        (
            NOTHING_RUNS,
            "False",
            "there is no model to run yet; training is about to end, so an engine for the next model is started: soon",
        ),
    ],
)
def test_an_engine_that_waits_for_its_model_is_told(running: ObservedRunning, status: str, message: str) -> None:
    warm = run("", RunState.WARMING, "Warm", "soon")
    seen = facts(training=untrained(TrainingState.RUNNING), running=running.model_copy(update={"warming": warm}))
    (condition,) = [c for c in status_of(seen)["conditions"] if c["type"] == "Running"]
    assert (condition["status"], condition["message"]) == (status, message)


def test_a_cache_hit_is_told() -> None:
    seen = facts(training=TRAINED.model_copy(update={"cache_hit": True}))
    trained = conditions_of(seen)["Trained"]
    assert trained == ("True", "CacheHit")
    assert conditions_of(seen)["Ready"] == ("True", "Ready")
    (message,) = [c["message"] for c in status_of(seen)["conditions"] if c["type"] == "Trained"]
    assert "were trained before" in message


def test_how_to_request_a_training_is_told() -> None:
    message = message_of(facts(trigger="Manual", training=NOTHING_TRAINED, running=NOTHING_RUNS), "Trained")
    assert "`studio train c`" in message
    assert "POST to /api/v1/assistants/c/trainings of the back end" in message
    assert "set spec.training.trigger to OnChange" in message


def test_what_answers_is_shown_with_its_model() -> None:
    status = status_of(facts(running=OLD_SERVES))
    assert status["model"] == {"version": "1", "sha256": "ab", "trainedAt": "2026-11-21T00:00:00Z"}
    assert status["run"] == {"id": "c-r1", "state": "Ready", "reason": "Ready"}
    assert status["urls"] == {"rest": "http://c.team.svc:5005/webhooks/rest/webhook"}


def test_the_public_address_is_shown_where_rest_is_served_there() -> None:
    status = status_of(facts(running=OLD_SERVES, public_url="https://bots.example.com"))
    assert status["urls"]["public"] == "https://bots.example.com/talk/c/webhooks/rest/webhook"


def test_unreachable_keeps_what_was_known() -> None:
    before = status_of(facts())
    after = status_of(not_heard(unreachable=SILENT), before)
    assert {k: v for k, v in after.items() if k != "conditions"} == {
        k: v for k, v in before.items() if k != "conditions"
    }
    conditions = conditions_of(not_heard(unreachable=SILENT), before)
    assert (conditions["Ready"], conditions["Available"]) == (READY, ANSWERS)
    assert conditions["Trained"] == ("True", "Trained")


def test_unreachable_keeps_a_stalled_verdict() -> None:
    before = status_of(facts(training=untrained(TrainingState.FAILED, reason="InvalidContent"), running=OLD_SERVES))
    conditions = conditions_of(not_heard(unreachable=SILENT), before)
    assert conditions["Stalled"] == ("True", "InvalidContent")


@pytest.mark.parametrize("changes", [{"fingerprint": "f3"}, {"fingerprint": None, "content_problem": BAD}])
def test_unreachable_does_not_call_new_content_ready(changes: dict[str, Any]) -> None:
    conditions = conditions_of(not_heard(unreachable=SILENT, **changes), status_of(facts()))
    assert (conditions["Ready"][0], conditions["Available"]) == ("False", ANSWERS)


def test_an_invalid_spec_keeps_what_was_known() -> None:
    before = status_of(facts())
    seen = not_heard(fingerprint=None, spec_problem=Problem("InvalidSpec", "spec.source: set exactly one"))
    conditions = conditions_of(seen, before)
    assert (conditions["Available"], conditions["Trained"]) == (ANSWERS, ("True", "Trained"))
    assert status_of(seen, before)["run"] == before["run"]


def test_a_stopped_assistant_shows_no_run() -> None:
    gone = not_heard(studio_problem=Problem("StudioNotFound", "create it"), stopped=True)
    after = status_of(gone, status_of(facts()))
    assert after.keys() == {"observedGeneration", "studio", "conditions", "fingerprint", "model"}
    assert conditions_of(gone, status_of(facts()))["Available"][0] == "Unknown"


def test_paused_keeps_everything_as_it_was() -> None:
    before = status_of(facts())
    after = status_of(facts(paused=True, training=None, running=None), before)
    assert after == before | {"conditions": [*before["conditions"], after["conditions"][-1]]}
    assert after["conditions"][-1]["type"] == "Paused"
