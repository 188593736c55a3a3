"""Conditions in the form of metav1.Condition, and the one rule by which they replace each other.

https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#typical-status-properties
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

MAX_MESSAGE = 1024
# Wrong when true: present only while it is (kstatus), so that a healthy status stays short.
ONLY_WHILE_TRUE = frozenset({"Stalled", "Reconciling", "Degraded", "Paused"})


@dataclass(frozen=True)
class Condition:
    """One condition; `status` is True, False or None for Unknown.

    `generation` is set on one that is carried over: it says what was so when that generation was looked at.
    """

    type: str
    status: bool | None
    reason: str
    message: str = ""
    generation: int | None = None


def true(kind: str, reason: str, message: str = "") -> Condition:
    """The condition holds."""
    return Condition(kind, True, reason, message)


def false(kind: str, reason: str, message: str = "") -> Condition:
    """The condition does not hold."""
    return Condition(kind, False, reason, message)


def unknown(kind: str, reason: str, message: str = "") -> Condition:
    """Not known yet."""
    return Condition(kind, None, reason, message)


def render(
    conditions: Iterable[Condition], *, before: Sequence[dict[str, Any]], generation: int, now: datetime
) -> list[dict[str, Any]]:
    """The conditions as they are written; `lastTransitionTime` moves only when the status of a condition does."""
    earlier = {old["type"]: old for old in before}
    rendered = []
    for condition in conditions:
        if condition.type in ONLY_WHILE_TRUE and not condition.status:
            continue
        status = {True: "True", False: "False", None: "Unknown"}[condition.status]
        old = earlier.get(condition.type)
        moved = old is None or old["status"] != status
        rendered.append(
            {
                "type": condition.type,
                "status": status,
                "reason": condition.reason,
                "message": condition.message[:MAX_MESSAGE],
                "observedGeneration": generation if condition.generation is None else condition.generation,
                "lastTransitionTime": timestamp(now) if moved or old is None else old["lastTransitionTime"],
            }
        )
    return rendered


def known(before: Sequence[dict[str, Any]]) -> dict[str, Condition]:
    """What rendered conditions said, by type, to be carried over while nothing newer is known."""
    statuses = {"True": True, "False": False}
    return {
        old["type"]: Condition(
            old["type"], statuses.get(old["status"]), old["reason"], old["message"], old["observedGeneration"]
        )
        for old in before
    }


def paused(before: Sequence[dict[str, Any]], *, generation: int, now: datetime) -> list[dict[str, Any]]:
    """While paused everything stays as it was last seen: nothing newer was looked at."""
    condition = true("Paused", "SpecPaused", "spec.paused is true: nothing is changed until it is false")
    kept = [old for old in before if old["type"] != condition.type]
    return kept + render([condition], before=before, generation=generation, now=now)


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with seconds, as metav1.Time is written."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_timestamp(text: str | None) -> datetime | None:
    """The moment that `timestamp` wrote; None for none, and for what somebody else wrote differently."""
    try:
        return datetime.strptime(text or "", "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


@dataclass(frozen=True)
class Transition:
    """A condition that changed its status or reason: worth a Kubernetes event."""

    type: str
    reason: str
    message: str
    warning: bool


def transitions(before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]]) -> list[Transition]:
    """What changed between two lists of rendered conditions, in the order of the second; ended ones come last."""
    earlier = {old["type"]: old for old in before}
    changed = [
        Transition(new["type"], new["reason"], new["message"] or new["reason"], _is_warning(new))
        for new in after
        if _identity(earlier.get(new["type"])) != _identity(new) and new["status"] != "Unknown"
    ]
    present = {new["type"] for new in after}
    ended = [
        Transition(old["type"], f"{old['type']}Ended", f"ended: {old['reason']}", warning=False)
        for old in before
        if old["type"] in ONLY_WHILE_TRUE and old["type"] not in present and old["type"] != "Reconciling"
    ]
    return changed + ended


def _identity(condition: dict[str, Any] | None) -> tuple[str, str] | None:
    return (condition["status"], condition["reason"]) if condition else None


def _is_warning(condition: dict[str, Any]) -> bool:
    return condition["type"] in ("Stalled", "Degraded") and condition["status"] == "True"
