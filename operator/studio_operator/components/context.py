"""What the builders know about the Studio or the Assistant that they build for."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from studio.contract import labels, names
from studio.contract.labels import Component
from studio_operator.api.v1alpha1.assistant import AssistantSpec
from studio_operator.api.v1alpha1.studio import DEFAULT_WARMING, FinishedJobs, StudioSpec
from studio_operator.components.talk import TalkRoute
from studio_operator.images import Images


@dataclass(frozen=True)
class StudioContext:
    """One Studio: `images` before its own overrides, `secret_digests` by name of the Secret."""

    name: str
    namespace: str
    uid: str
    spec: StudioSpec
    version: str
    images: Images
    operator_subject: str
    running_slots: int
    training_consumers: int
    secret_digests: Mapping[str, str] = field(default_factory=dict)
    talk: tuple[TalkRoute, ...] = ()
    log_level: str = "info"

    def with_digests(self, digests: Mapping[str, str]) -> Self:
        """The same Studio with what its Secrets hold now."""
        return replace(self, secret_digests=dict(digests))

    @property
    def own_images(self) -> Images:
        """The images with the Studio's overrides."""
        return self.images.overridden(self.spec.images)

    @property
    def instance(self) -> str:
        """Value of the instance label."""
        return self.name

    @property
    def studio(self) -> str:
        """Value of the part-of label."""
        return self.name

    @property
    def owner(self) -> dict[str, object]:
        """The owner reference of every object of the Studio."""
        return _owner("Studio", self.name, self.uid)

    @property
    def retains(self) -> bool:
        """Whether volumes and their Secrets outlive the Studio."""
        return self.spec.deletion_policy == "Retain"

    def child(self, component: Component) -> str:
        """The name of the objects of a component."""
        return names.child(self.name, component)

    def digest(self, secrets: Iterable[str]) -> str:
        """One digest of what these Secrets hold, for the pods that mount them."""
        held = {name: self.secret_digests.get(name, "") for name in secrets}
        return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class AssistantContext:
    """One Assistant. `images`, `finished_jobs` and `warming` are as its Studio wants them.

    `secret_digests` are by name of the Secret.
    """

    name: str
    namespace: str
    uid: str
    spec: AssistantSpec
    studio_name: str
    version: str
    images: Images
    secret_digests: Mapping[str, str] = field(default_factory=dict)
    finished_jobs: FinishedJobs = field(default_factory=FinishedJobs)
    warming: str = DEFAULT_WARMING

    @property
    def own_images(self) -> Images:
        """The images with the Studio's overrides."""
        return self.images

    @property
    def instance(self) -> str:
        """Value of the instance label."""
        return self.name

    @property
    def studio(self) -> str:
        """Value of the part-of label."""
        return self.studio_name

    @property
    def owner(self) -> dict[str, object]:
        """The owner reference of every object of the Assistant."""
        return _owner("Assistant", self.name, self.uid)

    def child(self, component: Component) -> str:
        """The name of the objects of a component."""
        return names.child_of_assistant(self.name, component)


Context = StudioContext | AssistantContext


def _owner(kind: str, name: str, uid: str) -> dict[str, object]:
    return {
        "apiVersion": labels.API_VERSION,
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
