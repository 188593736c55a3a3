"""What an identity may do at the orchestrator of one kind of item. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from studio.auth.verification import Identity
from studio.contract import names
from studio.contract.labels import Component
from studio.model_service.items import Kind

_CONSUMER: dict[Kind, Component] = {"training": Component.TRAINING_CONSUMER, "run": Component.RUNNING_CONSUMER}
_JOB: dict[Kind, Component] = {"training": Component.TRAINING, "run": Component.RUN}


class Role(StrEnum):
    """Who somebody is to an orchestrator."""

    OPERATOR = "operator"
    CONSUMER = "consumer"
    HELPER = "helper"
    BACKEND = "back end"


@dataclass(frozen=True, slots=True)
class Roles:
    """The service accounts that one orchestrator knows."""

    kind: Kind
    operator: str
    consumer: str
    helper: str
    backend: str

    @classmethod
    def of(cls, kind: Kind, *, studio: str, namespace: str, operator: str) -> "Roles":
        """The accounts of a Studio; `operator` is the whole subject of the operator's account."""

        def subject(component: Component) -> str:
            return f"system:serviceaccount:{namespace}:{names.child(studio, component)}"

        return cls(kind, operator, subject(_CONSUMER[kind]), subject(_JOB[kind]), subject(Component.BACKEND))

    def role(self, identity: Identity) -> Role | None:
        """The role of an identity; None: it has none here."""
        known = {
            self.operator: Role.OPERATOR,
            self.consumer: Role.CONSUMER,
            self.helper: Role.HELPER,
            self.backend: Role.BACKEND,
        }
        return known.get(identity.subject)

    def may_help(self, identity: Identity, item_id: str, attempt: int) -> bool:
        """Whether the identity is a pod of the Job of that attempt."""
        own = identity.subject == self.helper and identity.pod is not None
        return own and str(identity.pod).startswith(names.job(item_id, attempt) + "-")
