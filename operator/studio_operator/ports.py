"""What the reconcile needs of the world. `clients/` and `runtime/` implement it; tests bring fakes of their own.

Errors of the API server are those of `studio.kube.errors`; errors of the orchestrators are `ModelServiceError`s.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from studio.contract.model_service import (
    DesiredRunning,
    DesiredTraining,
    ObservedRunning,
    ObservedTraining,
    Removal,
    Slots,
)
from studio.kube import Kind, Manifest
from studio_operator.planning.realm import DesiredRealm
from studio_operator.planning.realm_diff import LiveRealm, RealmWrite


class Cluster(Protocol):
    """The API server, as the operator may use it. Writes are refused once the leader's lease has run out."""

    def cached(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """One object from the store of its kind; only kinds that are watched (custom resources and children)."""

    def select(self, kind: Kind, namespace: str, labels: Mapping[str, str] | None = None) -> list[Manifest]:
        """All cached objects of a namespace that carry the labels."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """One object, read live; None when it does not exist."""

    async def pods(self, namespace: str, selector: str) -> list[Manifest]:
        """The pods that a label selector finds, read live: nobody watches them."""

    async def apply(self, body: Manifest) -> Manifest:
        """Server-side apply with the operator's field manager; the store learns the answer at once."""

    async def create(self, body: Manifest) -> Manifest:
        """Create, never overwrite. Raises AlreadyExists."""

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str | None = None) -> bool:
        """Delete in the background, only if the uid still matches; False when it was gone."""

    async def patch(self, kind: Kind, namespace: str, name: str, patch: Manifest, *, resource_version: str) -> Manifest:
        """Merge patch as a compare-and-swap. Raises Conflict."""

    async def write_status(self, kind: Kind, namespace: str, name: str, status: dict[str, Any]) -> Manifest:
        """Write the whole status of a custom resource."""


class ModelService(Protocol):
    """The two orchestrators of a Studio, addressed by its namespace and name."""

    async def put_training(self, desired: DesiredTraining) -> ObservedTraining:
        """Say what is wanted, hear what is. Raises ModelServiceError."""

    async def put_content(self, desired: DesiredTraining, archive: bytes, sha256: str) -> None:
        """Hand over the content of `desired.fingerprint`. Raises ModelServiceError."""

    async def put_running(self, desired: DesiredRunning) -> ObservedRunning:
        """Say what is wanted, hear what is. Raises ModelServiceError."""

    async def remove(
        self, namespace: str, studio: str, assistant: str, uid: str, *, delete_data: bool
    ) -> list[Removal]:
        """Ask both orchestrators to stop and clean; one answer each. Raises ModelServiceError."""

    async def slots(self, namespace: str, studio: str) -> Slots:
        """What the running consumers hold. Raises ModelServiceError."""


class ModelServiceError(Exception):
    """An orchestrator could not be asked, or refused: the message is fit for a condition."""


class Unreachable(ModelServiceError):
    """No answer: not up yet, restarting, or the network. Worth another try soon."""


class Refused(ModelServiceError):
    """An answer, and it was no: `status` is the HTTP code, the message the orchestrator's own detail."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Contents(Protocol):
    """What was published in the back end of a Studio."""

    async def published(self, namespace: str, studio: str, assistant: str, revision: str) -> Mapping[str, str]:
        """The files of a revision, text by path. Raises Unreachable, Refused (404: there is no such revision)."""


@dataclass(frozen=True)
class IdentityAccess:
    """How the operator reaches a Keycloak: `url` ends with its relative path, the client is one of the realm master."""

    url: str
    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True)
class SyncReport:
    """What a pass over the realm has written, in words; nothing when all was as it should be.

    `repaired` was somebody else's change, `updated` followed the Studio's own spec or a new version of the operator.
    """

    updated: tuple[str, ...] = ()
    repaired: tuple[str, ...] = ()


class Identity(Protocol):
    """The realm of a Studio in its Keycloak."""

    async def sync(self, desired: DesiredRealm, access: IdentityAccess) -> SyncReport:
        """Bring the realm to what is desired; leaves alone what people added. Raises IdentityError."""


class RealmAdmin(Protocol):
    """The realm through Keycloak's admin API, for one pass."""

    async def read(self, desired: DesiredRealm) -> LiveRealm | None:
        """All that is compared; None when there is no such realm. Raises IdentityError."""

    async def write(self, write: RealmWrite) -> None:
        """One write; that it is there already, or gone already, is no error. Raises IdentityError."""


class Realms(Protocol):
    """The Keycloaks of all Studios."""

    def open(self, access: IdentityAccess) -> AbstractAsyncContextManager[RealmAdmin]:
        """Sign in for one pass. Raises IdentityError."""


class IdentityError(Exception):
    """Keycloak could not be asked, or refused: the message is fit for a condition."""


class IdentityUnreachable(IdentityError):
    """No answer: not up yet, restarting, or the network. Worth another try soon."""


class IdentityRefused(IdentityError):
    """An answer, and it was no: a wrong secret of the operator's client, or a value that Keycloak does not take."""


class Recorder(Protocol):
    """Kubernetes events about a custom resource."""

    async def record(self, about: Manifest, *, reason: str, message: str, warning: bool) -> None:
        """Publish one event; never raises, an event is not worth a failed pass."""


class Clock(Protocol):
    """Where the reconcile gets the time from."""

    def now(self) -> datetime:
        """The current time in UTC."""
