"""The status of a Studio: one condition per part, summed up in Ready, Available, Degraded and Stalled."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from studio.contract.labels import Component
from studio.contract.model_service import RunState, Slots
from studio_operator.status.conditions import Condition, false, known, paused, render, true, unknown
from studio_operator.status.health import ABOUT_PODS, Health, JobHealth

# Which component answers for which condition; a condition is as good as the worst of its components.
PARTS: dict[str, tuple[Component, ...]] = {
    "DatabaseReady": (Component.DATABASE,),
    "ObjectStoreReady": (Component.OBJECT_STORE,),
    "EventBrokerReady": (Component.EVENT_BROKER,),
    "KeycloakReady": (Component.KEYCLOAK,),
    "TrainingServiceReady": (Component.TRAINING_ORCHESTRATOR, Component.TRAINING_CONSUMER),
    "RunningServiceReady": (Component.RUNNING_ORCHESTRATOR, Component.RUNNING_CONSUMER),
    "BackendReady": (Component.BACKEND,),
    "IngestionReady": (Component.INGESTION,),
    # Nobody sees the one without the other.
    "WebClientReady": (Component.WEB_CLIENT, Component.ENTRY_PROXY),
}
PART_CONDITIONS = ("DependenciesReady", *PARTS, "MigrationSucceeded", "SpareSlotAvailable")
STORES = (Component.DATABASE, Component.OBJECT_STORE, Component.EVENT_BROKER)
# Of the assistants that hold slots; a condition is read by people.
MOST_NAMED = 10
PENDING_REALM = ("RealmPending", "Keycloak answers; its realm is being brought to what the spec wants")
EMBEDDED = ("DatabaseReady", "ObjectStoreReady", "EventBrokerReady", "KeycloakReady")


@dataclass(frozen=True)
class StudioFacts:
    """What one pass saw of a Studio. `health` has an entry for every workload that is wanted."""

    generation: int
    version: str
    assistants: int
    slots: int
    url: str = ""
    health: Mapping[Component, Health] = field(default_factory=dict)
    migration: JobHealth | None = None
    problem: tuple[str, str] | None = None
    # What is wrong with the realm of a Keycloak that answers.
    realm: tuple[str, str] | None = None
    # No pass over the realm has come to an end since that is wanted of it.
    realm_pending: bool = False
    paused: bool = False
    external: frozenset[Component] = frozenset()
    # What the running consumers hold; None: the running orchestrator did not tell.
    held: Slots | None = None
    # False: the spec could not be read, so the parts were not looked at and say what they said before.
    looked: bool = True


def studio_status(facts: StudioFacts, *, before: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The whole status as it is to be written."""
    old: Sequence[dict[str, Any]] = before.get("conditions", [])
    if facts.paused:
        return {**before, "conditions": paused(old, generation=facts.generation, now=now)}
    earlier = known(old)
    parts = _parts(facts, earlier) if facts.looked else [earlier[kind] for kind in PART_CONDITIONS if kind in earlier]
    conditions = [*_summary(facts, parts, earlier), *parts]
    # Only a version that is completely rolled out is shown.
    version = facts.version if conditions[0].status else before.get("version")
    return {
        "observedGeneration": facts.generation,
        **({"version": version} if version else {}),
        **({"url": url} if (url := facts.url or before.get("url")) else {}),
        "assistants": facts.assistants,
        "runningSlots": facts.slots,
        "conditions": render(conditions, before=old, generation=facts.generation, now=now),
        "components": [
            {"name": component.value, "ready": health.count, "desired": health.desired}
            for component, health in facts.health.items()
        ],
    }


def missing_part(status: Mapping[str, Any]) -> str | None:
    """Why not every part of a Studio serves, going by its status; one ready pod of each is enough."""
    conditions = known(status.get("conditions", []))
    serving = {component["name"] for component in status.get("components", []) if component.get("ready")}
    for kind, components in PARTS.items():
        part = conditions.get(kind)
        if part is None:
            return f"{kind}: not looked at yet"
        served = part.reason in ABOUT_PODS and all(component.value in serving for component in components)
        if not part.status and not served:
            return f"{kind}: {part.message or part.reason}"
    return None


def _parts(facts: StudioFacts, earlier: Mapping[str, Condition]) -> list[Condition]:
    return [
        _dependencies(facts),
        *(_part(kind, components, facts, earlier.get(kind)) for kind, components in PARTS.items()),
        _migration(facts),
        _spare_slot(facts),
    ]


def _dependencies(facts: StudioFacts) -> Condition:
    for component in STORES:
        if component in facts.external:
            continue
        health = facts.health.get(component)
        if health is None or not health.ready:
            reason, message = (
                (health.reason, health.message) if health else ("Pending", f"{component.value} comes first")
            )
            return false("DependenciesReady", reason, message)
    return true("DependenciesReady", "Ready")


def _part(kind: str, components: tuple[Component, ...], facts: StudioFacts, earlier: Condition | None) -> Condition:
    for component in components:
        if component in facts.external:
            return true(kind, "External", f"{component.value} is provided from outside")
        health = facts.health.get(component)
        if health is None:
            return unknown(kind, "Pending", "waits for the parts before it")
        if not health.ready:
            return false(kind, health.reason, health.message)
    if kind == "KeycloakReady" and facts.realm_pending:
        # What was found of an earlier spec, or by the operator before this one, still serves.
        return earlier if earlier is not None and _found(earlier) else false(kind, *PENDING_REALM)
    if kind == "KeycloakReady" and facts.realm:
        return false(kind, *facts.realm)
    return true(kind, "Ready", "embedded: one small pod, for trying and small teams" if kind in EMBEDDED else "")


def _found(realm: Condition) -> bool:
    return (realm.status, realm.reason) == (True, "Ready")


def _migration(facts: StudioFacts) -> Condition:
    if facts.migration is None:
        return unknown("MigrationSucceeded", "Pending", "waits for the database")
    if facts.migration.failed:
        return false("MigrationSucceeded", "MigrationFailed", facts.migration.message)
    if facts.migration.succeeded:
        return true("MigrationSucceeded", "Succeeded")
    return false("MigrationSucceeded", "Migrating", facts.migration.message)


def _spare_slot(facts: StudioFacts) -> Condition:
    health = facts.health.get(Component.RUNNING_CONSUMER)
    if health is None:
        return unknown("SpareSlotAvailable", "Pending", "waits for the parts before it")
    if not health.count:
        return false("SpareSlotAvailable", "ConsumersNotReady", f"no slot is ready: {health.message}")
    if facts.held is None:
        return unknown("SpareSlotAvailable", "ModelServiceUnreachable", "the running orchestrator does not answer")
    free = health.count - len(facts.held.held)
    if free > 0:
        return true("SpareSlotAvailable", "SlotFree", f"{free} of {health.count} slots free")
    warming = sorted(slot.assistant for slot in facts.held.held if slot.state is RunState.WARMING)
    if len(warming) > facts.held.waiting:
        names = ", ".join(warming)
        message = f"no slot is idle, but engines that wait for their next models give theirs to any run: {names}"
        return true("SpareSlotAvailable", "SlotWarming", message)
    return _no_slot(facts, health, _taken(facts.held, health.count))


def _no_slot(facts: StudioFacts, health: Health, taken: str) -> Condition:
    """Why none is free: the spec allows no more, some are still to come, or all are at work."""
    if facts.slots <= facts.assistants:
        return false("SpareSlotAvailable", "FixedTooSmall", f"{taken}. spec.running.consumers leaves none to spare")
    if health.count < facts.slots:
        return false("SpareSlotAvailable", "ConsumersNotReady", f"{taken}. {health.message}")
    return false("SpareSlotAvailable", "SlotsTaken", taken)


def _taken(slots: Slots, count: int) -> str:
    """Which assistants hold the slots, those with the most first, and how many runs wait for one."""
    holders = Counter(slot.assistant for slot in slots.held).most_common()
    named = [f"{name} ({number})" if number > 1 else name for name, number in holders[:MOST_NAMED]]
    if len(holders) > MOST_NAMED:
        named.append(f"{len(holders) - MOST_NAMED} more")
    waiting = f"; runs that wait: {slots.waiting}" if slots.waiting else ""
    return f"no slot of {count} is free: held by {', '.join(named)}{waiting}"


def _summary(facts: StudioFacts, parts: Sequence[Condition], earlier: Mapping[str, Condition]) -> list[Condition]:
    needed = [part for part in parts if part.type != "SpareSlotAvailable"]
    broken = next((part for part in needed if part.status is False), None) or next(
        (part for part in needed if not part.status), None
    )
    carried = any(part.generation not in (None, facts.generation) for part in needed)
    if broken is None and facts.realm_pending and carried:
        broken = false("Ready", *PENDING_REALM)
    failed = facts.migration if facts.migration and facts.migration.failed else None
    problem = facts.problem or (("MigrationFailed", failed.message) if failed else None)
    summary = [_ready(problem, broken)]
    if facts.looked:
        summary.append(_available(facts))
    else:
        summary.append(earlier.get("Available") or unknown("Available", "Unknown", "the spec could not be used"))
    if failed:
        summary.append(true("Degraded", "MigrationFailed", failed.message))
    if problem:
        summary.append(true("Stalled", *problem))
    elif broken is not None:
        summary.append(true("Reconciling", broken.reason, broken.message))
    return summary


def _ready(problem: tuple[str, str] | None, broken: Condition | None) -> Condition:
    if problem:
        return false("Ready", *problem)
    return (
        true("Ready", "Ready", "every part works") if broken is None else false("Ready", broken.reason, broken.message)
    )


def _available(facts: StudioFacts) -> Condition:
    serving = (Component.TRAINING_ORCHESTRATOR, Component.RUNNING_ORCHESTRATOR, Component.RUNNING_CONSUMER)
    for component in serving:
        health = facts.health.get(component)
        if health is None or not health.available:
            return false("Available", "PartMissing", f"{component.value} does not serve yet")
    return true("Available", "Available")
