"""May the spec of a Studio name other stores than those that hold its data? Pure."""

from collections.abc import Mapping

from studio.contract.labels import Component

FIELDS = {
    Component.DATABASE: "spec.database",
    Component.OBJECT_STORE: "spec.objectStore",
    Component.EVENT_BROKER: "spec.eventBroker",
}


def refused_change(wanted: Mapping[Component, bool], used: Mapping[Component, bool]) -> str | None:
    """Why the stores cannot be changed, or None; both arguments say by store whether it is an external one.

    `used` has an entry for every store that may hold data. Nothing moves data from one store to another, so a Studio
    that was given another one would have lost everything.
    """
    for component, external in used.items():
        if wanted[component] == external:
            continue
        field, (old, new) = FIELDS[component], ("external", "embedded") if external else ("embedded", "external")
        return (
            f"{field}: this Studio has its data in the {old} store and nothing moves it to another: set {field}.{old} "
            f"again, or create another Studio with {field}.{new} and its Assistants anew"
        )
    return None
