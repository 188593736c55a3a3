"""The realm of a Studio: what its spec and Secrets want of it, passed on to Keycloak, and told of."""

import base64
from collections.abc import Callable
from dataclasses import dataclass

from studio.contract.labels import API_PORT, Component
from studio.kube import SECRET, STUDIO, Manifest
from studio_operator.api.v1alpha1.access import EmbeddedIdentity
from studio_operator.components import environment, secrets
from studio_operator.components.context import StudioContext
from studio_operator.components.identity_inputs import KEYCLOAK_PATH
from studio_operator.components.keycloak import ADMIN_CLIENT
from studio_operator.planning.realm import Administrator, DesiredRealm
from studio_operator.ports import Cluster, IdentityAccess, IdentityError, IdentityRefused, Recorder, SyncReport
from studio_operator.reconcile.identity import PacedIdentity
from studio_operator.runtime.keys import Key

# Until one of the passes that are under way has come to its end.
WHILE_BUSY = 1.0


@dataclass(frozen=True)
class RealmState:
    """What is wrong with the realm, if anything, as (reason, message).

    `pending`: no pass over it has come to an end since that is wanted. `refused`: it will not get better by itself.
    """

    pending: bool = False
    problem: tuple[str, str] | None = None
    refused: bool = False


@dataclass(frozen=True)
class RealmStep:
    """Keeps the realm of a Studio, in turns of its own: Keycloak may take a minute to answer, and repairs do not wait.

    `ask` asks for a turn of a key.
    """

    _cluster: Cluster
    _recorder: Recorder
    _identity: PacedIdentity
    _ask: Callable[[Key], None]

    async def run(self, context: StudioContext) -> RealmState:
        """In the Studio's turn: say what is wanted, hear what was found. Keycloak answers, and its Secrets exist."""
        wanted = context.spec.identity.embedded
        if wanted is None:
            self.forget(context.namespace, context.name)
            return RealmState()
        key = (context.namespace, context.name)
        self._identity.want(key, *await self._wanted(context, wanted))
        if self._identity.due(key) == 0:
            self._ask(Key("Realm", *key))
        found = self._identity.found(key)
        return RealmState(pending=True) if found is None else _state(found.error)

    def leave(self, namespace: str, name: str) -> RealmState:
        """While Keycloak, or what it stands on, is away: it is looked at anew when it is back."""
        self.forget(namespace, name)
        return RealmState(pending=True)

    async def sync(self, namespace: str, name: str) -> float | None:
        """In the realm's own turn: bring it to what was wanted last, tell of it, and let the Studio hear what is new.

        Returns in how many seconds the next turn is due; None when nothing is wanted of it.
        """
        key = (namespace, name)
        if self._identity.busy:
            return WHILE_BUSY
        before = self._identity.found(key)
        kept = await self._identity.keep(key)
        resource = self._cluster.cached(STUDIO, namespace, name)
        if kept is not None and resource is not None:
            await self._tell(resource, kept.report)
            if before is None or _state(before.error) != _state(kept.error):
                self._ask(Key("Studio", namespace, name))
        return self._identity.due(key)

    def forget(self, namespace: str, name: str) -> None:
        """The Studio, or its Keycloak, is gone, or not to be touched."""
        self._identity.forget((namespace, name))

    async def _wanted(self, context: StudioContext, wanted: EmbeddedIdentity) -> tuple[DesiredRealm, IdentityAccess]:
        login = (secrets.ADMINISTRATOR_NAME, secrets.ADMINISTRATOR_PASSWORD)
        username, password = await self._secret(context, secrets.administrator(context), *login)
        (program,) = await self._secret(context, secrets.external_client(context), secrets.CLIENT_SECRET)
        (own,) = await self._secret(context, secrets.keycloak(context), secrets.KEYCLOAK_CLIENT_SECRET)
        url = environment.url(context, Component.KEYCLOAK, API_PORT) + KEYCLOAK_PATH
        desired = DesiredRealm(
            public_url=context.spec.public_url,
            administrator=Administrator(username, password, wanted.administrator.email),
            external_client_secret=program,
            registration=wanted.registration,
            password_policy=wanted.password_policy,
            brute_force_protection=wanted.brute_force_protection,
        )
        return desired, IdentityAccess(url, ADMIN_CLIENT, own)

    async def _secret(self, context: StudioContext, name: str, *keys: str) -> list[str]:
        """These keys of it; others are anybody's, and need not be text."""
        live = await self._cluster.get(SECRET, context.namespace, name) or {}
        return [base64.b64decode(live["data"][key]).decode() for key in keys]

    async def _tell(self, resource: Manifest, done: SyncReport) -> None:
        if done.updated:
            message = f"the realm follows: {', '.join(done.updated)}"
            await self._recorder.record(resource, reason="RealmUpdated", message=message, warning=False)
        if done.repaired:
            message = f"somebody had changed, and it was put right: {', '.join(done.repaired)}"
            await self._recorder.record(resource, reason="RealmRepaired", message=message, warning=True)


def _state(error: IdentityError | None) -> RealmState:
    if error is None:
        return RealmState()
    if isinstance(error, IdentityRefused):
        return RealmState(problem=("RealmRefused", str(error)), refused=True)
    return RealmState(problem=("RealmUnreachable", str(error)))
