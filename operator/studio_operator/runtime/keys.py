"""What a pass is about, and which passes a change of an object calls for."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from studio.contract import labels
from studio.kube import ASSISTANT, CONFIGMAP, STUDIO, Kind, Manifest
from studio_operator.planning.membership import studio_of

# Components of which every assistant has its own; all others belong to the Studio.
_OF_ASSISTANTS = frozenset({labels.Component.ACTIONS, labels.Component.TRAINING, labels.Component.RUN})


class Key(NamedTuple):
    """One custom resource, whether it exists or not, or the realm of a Studio."""

    kind: Literal["Assistant", "Studio", "Realm"]
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"


def key_of(resource: Manifest) -> Key:
    """The key of an Assistant or a Studio."""
    kind: Literal["Assistant", "Studio"] = "Studio" if resource["kind"] == STUDIO.kind else "Assistant"
    return Key(kind, resource["metadata"]["namespace"], resource["metadata"]["name"])


def concerned(kind: Kind, body: Manifest, assistants: Iterable[Manifest]) -> set[Key]:
    """The keys to look at when an object of `kind` has changed; `assistants` are those of its namespace.

    An Assistant concerns its Studio too (consumers follow the number of assistants), a Studio all its Assistants, a
    child the resource whose labels it carries, a ConfigMap the Assistants that name it as a source.
    """
    namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
    if kind == ASSISTANT:
        return {Key("Assistant", namespace, name), Key("Studio", namespace, studio_of(body))}
    if kind == STUDIO:
        members = {key_of(assistant) for assistant in assistants if studio_of(assistant) == name}
        return members | {Key("Studio", namespace, name)}
    found = _owners(body)
    if kind == CONFIGMAP:
        found |= {key_of(assistant) for assistant in assistants if name in _sources(assistant)}
    return found


def _owners(child: Manifest) -> set[Key]:
    namespace = child["metadata"]["namespace"]
    carried = child["metadata"].get("labels") or {}
    if labels.MANAGED_BY not in carried:
        return set()
    if assistant := carried.get(labels.ASSISTANT):
        return {Key("Assistant", namespace, assistant)}
    if carried.get(labels.COMPONENT) in _OF_ASSISTANTS and labels.INSTANCE in carried:
        return {Key("Assistant", namespace, carried[labels.INSTANCE])}
    return {Key("Studio", namespace, carried[labels.PART_OF])} if labels.PART_OF in carried else set()


def _sources(assistant: Manifest) -> set[str]:
    """The names of the ConfigMaps that the spec names; whatever else is in there may be nonsense."""
    source = (assistant.get("spec") or {}).get("source")
    references = source.get("configMaps") if isinstance(source, dict) else None
    if not isinstance(references, list):
        return set()
    return {reference["name"] for reference in references if isinstance(reference, dict) and "name" in reference}
