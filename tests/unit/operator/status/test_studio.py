"""The status of a Studio from what one pass saw: design rules as a table."""

from datetime import UTC, datetime
from typing import Any

import pytest

from studio.contract.labels import Component
from studio.contract.model_service import HeldSlot, RunState, Slots
from studio_operator.status.health import Health, JobHealth
from studio_operator.status.studio import PARTS, StudioFacts, studio_status

NOW = datetime(2026, 11, 21, tzinfo=UTC)
UP = Health(ready=True, available=True, desired=1, count=1, reason="Ready", message="")
ROLLING = Health(ready=False, available=True, desired=2, count=1, reason="RollingOut", message="web: 1 of 2 ready")
DOWN = Health(ready=False, available=False, desired=1, count=0, reason="RollingOut", message="web: 0 of 1 ready")
DONE = JobHealth(succeeded=True, failed=False, message="")
FAILED = JobHealth(succeeded=False, failed=True, message="Job migrate failed: BackoffLimitExceeded")
MIGRATING = JobHealth(succeeded=False, failed=False, message="Job migrate is running")
ALL = {component: UP for components in PARTS.values() for component in components}
STORES = dict.fromkeys((Component.DATABASE, Component.OBJECT_STORE, Component.EVENT_BROKER), UP)


def facts(**changes: Any) -> StudioFacts:
    settings: dict[str, Any] = {
        "assistants": 0, "slots": 1, "health": ALL, "migration": DONE, "held": Slots(),
    } | changes  # fmt: skip
    return StudioFacts(generation=4, version="2.0.0", **settings)


def status_of(seen: StudioFacts, before: dict[str, Any] | None = None) -> dict[str, Any]:
    return studio_status(seen, before=before or {}, now=NOW)


def conditions_of(seen: StudioFacts, before: dict[str, Any] | None = None) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in status_of(seen, before)["conditions"]}


def held_by(*assistants: str, waiting: int = 0) -> Slots:
    held = [
        HeldSlot(assistant=name, run=f"{name}-r{number}", model_version="1", state=RunState.READY)
        for number, name in enumerate(assistants)
    ]
    return Slots(held=held, waiting=waiting)


def warming(slots: Slots, *assistants: str) -> Slots:
    warm = [HeldSlot(assistant=name, run=f"{name}-r9", model_version="", state=RunState.WARMING) for name in assistants]
    return slots.model_copy(update={"held": [*slots.held, *warm]})


def slots_up(count: int, desired: int | None = None) -> dict[Component, Health]:
    wanted = desired or count
    consumers = Health(count == wanted, available=True, desired=wanted, count=count, reason="", message="rolling")
    return ALL | {Component.RUNNING_CONSUMER: consumers}


TRUE = ("True", "Ready")
TABLE: dict[str, tuple[StudioFacts, dict[str, tuple[str, str] | None]]] = {
    "everything works": (
        facts(),
        {
            "Ready": TRUE,
            "Available": ("True", "Available"),
            "DependenciesReady": TRUE,
            "SpareSlotAvailable": ("True", "SlotFree"),
            "Stalled": None,
            "Reconciling": None,
            "Degraded": None,
        },
    ),
    "first visit": (
        facts(health={}, migration=None),
        {
            "Ready": ("False", "Pending"),
            "Available": ("False", "PartMissing"),
            "DependenciesReady": ("False", "Pending"),
            "DatabaseReady": ("Unknown", "Pending"),
            "MigrationSucceeded": ("Unknown", "Pending"),
            "TrainingServiceReady": ("Unknown", "Pending"),
            "SpareSlotAvailable": ("Unknown", "Pending"),
            "Reconciling": ("True", "Pending"),
            "Stalled": None,
        },
    ),
    "a store is starting": (
        facts(health={Component.DATABASE: DOWN, Component.OBJECT_STORE: UP}, migration=None),
        {
            "Ready": ("False", "RollingOut"),
            "DependenciesReady": ("False", "RollingOut"),
            "DatabaseReady": ("False", "RollingOut"),
            "ObjectStoreReady": TRUE,
        },
    ),
    "migrating": (
        facts(health=STORES, migration=MIGRATING),
        {"Ready": ("False", "Migrating"), "MigrationSucceeded": ("False", "Migrating"), "Stalled": None},
    ),
    "the migration failed, the old version serves": (
        facts(migration=FAILED),
        {
            "Ready": ("False", "MigrationFailed"),
            "Available": ("True", "Available"),
            "Degraded": ("True", "MigrationFailed"),
            "Stalled": ("True", "MigrationFailed"),
            "Reconciling": None,
            "TrainingServiceReady": TRUE,
        },
    ),
    "one part rolls out": (
        facts(health=ALL | {Component.TRAINING_CONSUMER: ROLLING}),
        {
            "Ready": ("False", "RollingOut"),
            "Available": ("True", "Available"),
            "TrainingServiceReady": ("False", "RollingOut"),
            "RunningServiceReady": TRUE,
            "Reconciling": ("True", "RollingOut"),
        },
    ),
    "one part is down": (
        facts(health=ALL | {Component.RUNNING_ORCHESTRATOR: DOWN}),
        {"Available": ("False", "PartMissing"), "RunningServiceReady": ("False", "RollingOut")},
    ),
    "external stores": (
        facts(
            health={c: UP for c in ALL if c not in STORES},
            external=frozenset(STORES),
        ),
        {"Ready": TRUE, "DependenciesReady": TRUE, "DatabaseReady": ("True", "External")},
    ),
    "conflict beside healthy parts": (
        facts(problem=("Conflict", "Service x exists")),
        {
            "Ready": ("False", "Conflict"),
            "Stalled": ("True", "Conflict"),
            "Available": ("True", "Available"),
            "DatabaseReady": TRUE,
            "Reconciling": None,
        },
    ),
    "invalid from the beginning": (
        facts(problem=("InvalidSpec", "spec.x: no"), looked=False, health={}, migration=None),
        {
            "Ready": ("False", "InvalidSpec"),
            "Stalled": ("True", "InvalidSpec"),
            "Available": ("Unknown", "Unknown"),
            "DatabaseReady": None,
        },
    ),
    "no slot to spare by choice": (
        facts(assistants=1, slots=1, held=held_by("a")),
        {"Ready": TRUE, "SpareSlotAvailable": ("False", "FixedTooSmall")},
    ),
    "a slot is still coming": (
        facts(assistants=1, slots=2, health=slots_up(1, 2), held=held_by("a")),
        {"SpareSlotAvailable": ("False", "ConsumersNotReady"), "Available": ("True", "Available")},
    ),
    "no consumer is ready": (
        facts(assistants=1, slots=2, health=ALL | {Component.RUNNING_CONSUMER: DOWN}),
        {"SpareSlotAvailable": ("False", "ConsumersNotReady")},
    ),
    "a swap holds the spare slot": (
        facts(assistants=1, slots=2, health=slots_up(2), held=held_by("a", "a")),
        {"Ready": TRUE, "SpareSlotAvailable": ("False", "SlotsTaken")},
    ),
    "an engine that waits for its model holds the spare slot": (
        facts(assistants=1, slots=2, health=slots_up(2), held=warming(held_by("a"), "a")),
        {"Ready": TRUE, "SpareSlotAvailable": ("True", "SlotWarming")},
    ),
    "a run is about to take the slot of such an engine": (
        facts(assistants=1, slots=2, health=slots_up(2), held=warming(held_by("a", waiting=1), "a")),
        {"SpareSlotAvailable": ("False", "SlotsTaken")},
    ),
    "as many assistants as slots, and one does not run": (
        facts(assistants=2, slots=2, health=slots_up(2), held=held_by("a")),
        {"SpareSlotAvailable": ("True", "SlotFree")},
    ),
    "the running orchestrator does not tell": (
        facts(assistants=1, slots=2, health=slots_up(2), held=None),
        {"Ready": TRUE, "SpareSlotAvailable": ("Unknown", "ModelServiceUnreachable")},
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_conditions(case: str) -> None:
    seen, expected = TABLE[case]
    conditions = conditions_of(seen)
    assert {kind: conditions.get(kind) for kind in expected} == expected


def test_it_says_who_holds_the_slots() -> None:
    seen = facts(assistants=2, slots=3, health=slots_up(3), held=held_by("b", "a", "a", waiting=2))
    [spare] = [c for c in status_of(seen)["conditions"] if c["type"] == "SpareSlotAvailable"]
    assert spare["message"] == "no slot of 3 is free: held by a (2), b; runs that wait: 2"
    many = facts(assistants=12, slots=13, health=slots_up(12, 13), held=held_by(*"abcdefghijkl"))
    [spare] = [c for c in status_of(many)["conditions"] if c["type"] == "SpareSlotAvailable"]
    assert spare["message"].endswith("held by a, b, c, d, e, f, g, h, i, j, 2 more. rolling")


def test_the_version_is_shown_once_it_is_rolled_out() -> None:
    before = {"version": "1.0.0"}
    assert "version" not in status_of(facts(migration=MIGRATING))
    assert status_of(facts(migration=MIGRATING), before)["version"] == "1.0.0"
    assert status_of(facts(), before)["version"] == "2.0.0"


def test_an_invalid_spec_lets_the_parts_say_what_they_said() -> None:
    before = status_of(facts())
    conditions = conditions_of(facts(problem=("InvalidSpec", "spec.x: no"), looked=False, health={}), before)
    assert conditions["Available"] == ("True", "Available")
    assert conditions["DatabaseReady"] == TRUE


def test_counts_are_shown() -> None:
    status = status_of(facts(assistants=2, slots=3, health={Component.RUNNING_CONSUMER: ROLLING}))
    assert (status["observedGeneration"], status["assistants"], status["runningSlots"]) == (4, 2, 3)
    assert status["components"] == [{"name": "running-consumer", "ready": 1, "desired": 2}]


def test_paused_keeps_everything_as_it_was() -> None:
    before = status_of(facts(assistants=1, slots=2))
    after = status_of(facts(assistants=5, paused=True, health={}, migration=None), before)
    assert after == before | {"conditions": [*before["conditions"], after["conditions"][-1]]}
    assert after["conditions"][-1]["type"] == "Paused"
