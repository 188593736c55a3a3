"""Who may do what: one table of roles and operations. Pure.

A role is a realm role of the issuer; a person has all that any of their roles allows. Beside it stands the scope: which
assistants a person may see at all.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from studio.contract import names


class Operation(StrEnum):
    """Everything that can be done through the API; every route declares one."""

    ME_READ = "me.read"
    STATUS_READ = "status.read"
    ASSISTANTS_READ = "assistants.read"
    ASSISTANTS_CREATE = "assistants.create"
    ASSISTANTS_DELETE = "assistants.delete"
    CONTENT_READ = "content.read"
    CONTENT_WRITE = "content.write"
    CONTENT_PUBLISH = "content.publish"
    TRAININGS_READ = "trainings.read"
    TRAININGS_REQUEST = "trainings.request"
    TRAININGS_CANCEL = "trainings.cancel"
    TRAININGS_PRIORITISE = "trainings.prioritise"
    LOGS_READ = "logs.read"
    MODELS_READ = "models.read"
    MODELS_ACTIVATE = "models.activate"
    MODELS_DOWNLOAD = "models.download"
    MODELS_TAG = "models.tag"
    RUNS_READ = "runs.read"
    RUNS_START = "runs.start"
    RUNS_STOP = "runs.stop"
    CHAT_USE = "chat.use"
    CONVERSATIONS_READ = "conversations.read"
    CONVERSATIONS_ANNOTATE = "conversations.annotate"
    CONVERSATIONS_DELETE = "conversations.delete"
    DEAD_LETTERS_READ = "dead_letters.read"
    DEAD_LETTERS_REPLAY = "dead_letters.replay"
    AUDIT_READ = "audit.read"


class Role(StrEnum):
    """The roles of people, as the issuer's tokens name them."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    ANNOTATOR = "annotator"
    DESIGNER = "designer"
    DEVELOPER = "developer"
    ADMIN = "admin"


# Whoever has signed in may ask who they are.
EVERYBODY = frozenset({Operation.ME_READ})

_VIEWER = EVERYBODY | {
    Operation.STATUS_READ,
    Operation.ASSISTANTS_READ,
    Operation.CONTENT_READ,
    Operation.TRAININGS_READ,
    Operation.LOGS_READ,
    Operation.MODELS_READ,
    Operation.RUNS_READ,
}
_ANALYST = _VIEWER | {Operation.CONVERSATIONS_READ}
_ANNOTATOR = _ANALYST | {Operation.CONVERSATIONS_ANNOTATE}
_DESIGNER = _VIEWER | {
    Operation.CONTENT_WRITE,
    Operation.CONTENT_PUBLISH,
    Operation.TRAININGS_REQUEST,
    Operation.TRAININGS_CANCEL,
    Operation.RUNS_START,
    Operation.CHAT_USE,
}
_DEVELOPER = (
    _DESIGNER
    | _ANNOTATOR
    | {
        Operation.ASSISTANTS_CREATE,
        Operation.ASSISTANTS_DELETE,
        Operation.TRAININGS_PRIORITISE,
        # It takes an assistant away from its users.
        Operation.RUNS_STOP,
        Operation.MODELS_ACTIVATE,
        Operation.MODELS_DOWNLOAD,
        # A tagged model is kept, which takes room.
        Operation.MODELS_TAG,
        Operation.DEAD_LETTERS_READ,
    }
)

ALLOWED: dict[Role, frozenset[Operation]] = {
    Role.VIEWER: frozenset(_VIEWER),
    Role.ANALYST: frozenset(_ANALYST),
    Role.ANNOTATOR: frozenset(_ANNOTATOR),
    Role.DESIGNER: frozenset(_DESIGNER),
    Role.DEVELOPER: frozenset(_DEVELOPER),
    Role.ADMIN: frozenset(Operation),
}

# These are about all assistants at once, so they take a person whose scope is not restricted.
WHOLE_STUDIO = frozenset({Operation.DEAD_LETTERS_READ, Operation.DEAD_LETTERS_REPLAY, Operation.AUDIT_READ})


def permissions(roles: Iterable[str]) -> frozenset[Operation]:
    """All that these roles allow together; unknown roles allow nothing."""
    known = [ALLOWED[Role(role)] for role in roles if role in set(Role)]
    return EVERYBODY.union(*known)


def roles_for(operation: Operation) -> list[Role]:
    """The roles that allow an operation, least powerful first."""
    return [role for role, operations in ALLOWED.items() if operation in operations]


@dataclass(frozen=True, slots=True)
class Scope:
    """The assistants that somebody may see, by name; None: all of them."""

    assistants: frozenset[str] | None

    def sees(self, name: str) -> bool:
        """Whether the assistant exists for them."""
        return self.assistants is None or name in self.assistants

    def assistant_ids(self, namespace: str) -> frozenset[str] | None:
        """The ids that their conversations carry: of the assistants of this namespace, and of those elsewhere."""
        if self.assistants is None:
            return None
        return self.assistants | {names.assistant_id(namespace, name) for name in self.assistants}
