"""The realm of a Studio: what its spec and Secrets want of it, passed on to Keycloak, and told of."""

import base64
from dataclasses import dataclass

from studio.contract.labels import API_PORT, Component
from studio.kube import SECRET, Manifest
from studio_operator.api.v1alpha1.access import EmbeddedIdentity
from studio_operator.components import environment, secrets
from studio_operator.components.context import StudioContext
from studio_operator.components.identity_inputs import KEYCLOAK_PATH
from studio_operator.components.keycloak import ADMIN_CLIENT
from studio_operator.planning.realm import Administrator, DesiredRealm
from studio_operator.ports import Cluster, IdentityAccess, IdentityRefused, Recorder, SyncReport
from studio_operator.reconcile.identity import PacedIdentity

# What Keycloak refused, it will refuse again, until somebody changes the spec or Keycloak.
AFTER_REFUSAL = 60.0


@dataclass(frozen=True)
class RealmState:
    """What is wrong with the realm, if anything, as (reason, message), and when to try again.

    `refused`: it will not get better by itself.
    """

    problem: tuple[str, str] | None = None
    refused: bool = False
    again: float | None = None


@dataclass(frozen=True)
class RealmStep:
    """The step of a Studio's pass that keeps its realm."""

    _cluster: Cluster
    _recorder: Recorder
    _identity: PacedIdentity

    async def run(self, resource: Manifest, context: StudioContext) -> RealmState:
        """Bring the realm to what is wanted. Keycloak must answer, and its Secrets exist."""
        wanted = context.spec.identity.embedded
        if wanted is None:
            self.forget(context.namespace, context.name)
            return RealmState()
        desired, access = await self._wanted(context, wanted)
        key = (context.namespace, context.name)
        kept = await self._identity.keep(key, desired, access)
        if kept.fresh:
            await self._tell(resource, kept.report)
        if kept.error is None:
            return RealmState()
        if isinstance(kept.error, IdentityRefused):
            return RealmState(("RealmRefused", str(kept.error)), refused=True, again=AFTER_REFUSAL)
        return RealmState(("RealmUnreachable", str(kept.error)), again=max(1.0, self._identity.due(key, desired)))

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
