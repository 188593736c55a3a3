"""Names of objects, derived in one place. Every name fits the 63 characters of a DNS label."""

import hashlib

from studio.contract.labels import Component

# Assistants and Studios: `^[a-z]([-a-z0-9]*[a-z0-9])?$`, so that every child below fits.
NAME_PATTERN = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"
NAME_MAX = 40
# A tracker schema stands with this among the topics that events come from: no topic has a colon in its name.
TRACKER_PREFIX = "tracker:"


def child(studio: str, component: Component) -> str:
    """The name of a Studio's Deployment, StatefulSet, Service, ServiceAccount, … for a component."""
    return f"{studio}-{component.value}"


def child_of_assistant(assistant: str, component: Component) -> str:
    """The name of an object that belongs to one assistant, such as its action server."""
    return f"{assistant}-{component.value}"


def conflict(assistant: str, studio: str) -> str | None:
    """Why an assistant cannot have this name beside this Studio, or None.

    The Service of an assistant has its name, its action server the name with `-actions`; both must stay clear of the
    objects of the Studio and of other assistants. The HTTP API has live events where an assistant `events` would be.
    """
    if assistant == "events":
        return "'events' has another meaning in addresses; choose another name"
    if assistant.endswith(f"-{Component.ACTIONS.value}"):
        other = assistant.removesuffix(f"-{Component.ACTIONS.value}")
        return f"names that end in -actions belong to the action server of {other!r}; choose another name"
    children = {child(studio, component) for component in Component}
    if assistant in children or assistant.startswith(f"{child(studio, Component.MIGRATION)}-"):
        return f"{assistant!r} is the name of a part of the Studio {studio!r}; choose another name"
    return None


def assistant_id(namespace: str, assistant: str) -> str:
    """The `assistant_id` in config.yml and in every event: unique in the cluster."""
    return f"{namespace}.{assistant}"


def training_id(assistant: str, uid: str, number: int) -> str:
    """The id of an assistant's n-th training; the uid keeps a re-created assistant apart from its predecessor."""
    return f"{assistant}-t{number}-{_short(uid)}"


def run_id(assistant: str, uid: str, number: int) -> str:
    """The id of an assistant's n-th run."""
    return f"{assistant}-r{number}-{_short(uid)}"


def job(item_id: str, attempt: int) -> str:
    """The name of the Job of one attempt (1-based) of a training or run."""
    return f"{item_id}-{attempt}"


def tracker_schema(uid: str) -> str:
    """The PostgreSQL schema, and role, that hold one assistant's conversations."""
    return "tracker_" + uid.replace("-", "")


def _short(uid: str) -> str:
    return hashlib.sha256(uid.encode()).hexdigest()[:5]
