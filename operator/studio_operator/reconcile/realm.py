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
from studio_operator.ports import Cluster, IdentityAccess, IdentityRefused, Recorder, SyncReport
from studio_operator.reconcile.identity import PacedIdentity
from studio_operator.runtime.keys import Key

# What Keycloak refused, it will refuse again, until somebody changes the spec or Keycloak.
AFTER_REFUSAL = 60.0


@dataclass(frozen=True)
class RealmState:
    """What is wrong with the realm, if anything, as (reason, message), and when to try again.

    `pending`: no pass over it has come to an end since that is wanted. `refused`: it will not get better by itself.
    """

    pending: bool = False
    problem: tuple[str, str] | None = None
    refused: bool = False
    again: float | None = None


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
        desired, access = await self._wanted(context, wanted)
        key = (context.namespace, context.name)
        kept = self._identity.want(key, desired, access)
        due = self._identity.due(key)
        if not due:
            self._ask(Key("Realm", *key))
        if kept is None:
            return RealmState(pending=True)
        if kept.error is None:
            return RealmState()
        if isinstance(kept.error, IdentityRefused):
            return RealmState(problem=("RealmRefused", str(kept.error)), refused=True, again=AFTER_REFUSAL)
        return RealmState(problem=("RealmUnreachable", str(kept.error)), again=max(1.0, due))

    async def sync(self, namespace: str, name: str) -> None:
        """In the realm's own turn: bring it to what was wanted last, tell of it, and let the Studio's turn hear."""
        kept = await self._identity.keep((namespace, name))
        resource = self._cluster.cached(STUDIO, namespace, name)
        if kept is None or resource is None:
            return
        await self._tell(resource, kept.report)
        self._ask(Key("Studio", namespace, name))

    def forget(self, namespace: str, name: str) -> None:
        """The Studio, or its Keycloak, is gone."""
        self._identity.forget((namespace, name))

    async def _wanted(self, context: StudioContext, wanted: EmbeddedIdentity) -> tuple[DesiredRealm, IdentityAccess]:
        administrator = await self._secret(context, secrets.administrator(context))
        program = await self._secret(context, secrets.external_client(context))
        own = await self._secret(context, secrets.keycloak(context))
        url = environment.url(context, Component.KEYCLOAK, API_PORT) + KEYCLOAK_PATH
        access = IdentityAccess(url, ADMIN_CLIENT, own[secrets.KEYCLOAK_CLIENT_SECRET])
        return _desired(context.spec.public_url, wanted, administrator, program), access

    async def _secret(self, context: StudioContext, name: str) -> dict[str, str]:
        live = await self._cluster.get(SECRET, context.namespace, name) or {}
        return {key: base64.b64decode(value).decode() for key, value in (live.get("data") or {}).items()}

    async def _tell(self, resource: Manifest, done: SyncReport) -> None:
        if done.updated:
            message = f"the realm follows: {', '.join(done.updated)}"
            await self._recorder.record(resource, reason="RealmUpdated", message=message, warning=False)
        if done.repaired:
            message = f"somebody had changed, and it was put right: {', '.join(done.repaired)}"
            await self._recorder.record(resource, reason="RealmRepaired", message=message, warning=True)


def _desired(
    public_url: str, wanted: EmbeddedIdentity, administrator: dict[str, str], program: dict[str, str]
) -> DesiredRealm:
    return DesiredRealm(
        public_url=public_url,
        administrator=Administrator(
            username=administrator[secrets.ADMINISTRATOR_NAME],
            password=administrator[secrets.ADMINISTRATOR_PASSWORD],
            email=wanted.administrator.email,
        ),
        external_client_secret=program[secrets.CLIENT_SECRET],
        registration=wanted.registration,
        password_policy=wanted.password_policy,
        brute_force_protection=wanted.brute_force_protection,
    )
