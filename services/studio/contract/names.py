"""Names of objects, derived in one place. Every name fits the 63 characters of a DNS label."""

import hashlib

from studio.contract.labels import Component

# Assistants and Studios: `^[a-z]([-a-z0-9]*[a-z0-9])?$`, so that every child below fits.
NAME_PATTERN = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"
NAME_MAX = 40


def child(studio: str, component: Component) -> str:
    """The name of a Studio's Deployment, StatefulSet, Service, ServiceAccount, … for a component."""
    return f"{studio}-{component.value}"


def child_of_assistant(assistant: str, component: Component) -> str:
    """The name of an object that belongs to one assistant, such as its action server."""
    return f"{assistant}-{component.value}"


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
