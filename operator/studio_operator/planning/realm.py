"""The realm of a Studio as it should be, in the words of Keycloak's admin API. Pure.

https://www.keycloak.org/docs-api/26.4.0/rest-api/index.html. The choices follow RFC 9700: exact redirects, PKCE, no
implicit and no password grant, short access tokens, refresh tokens that are used once, roles by an explicit scope.
"""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from studio.contract.identity import (
    ASSISTANTS_CLAIM,
    AUDIENCE,
    CLI_CLIENT,
    EXTERNAL_CLIENT,
    ROLES_CLAIM,
    SCOPE,
    WEB_CLIENT,
)

Json = dict[str, Any]

# The attribute of people and groups behind the claim `assistants`.
ASSISTANTS_ATTRIBUTE = "assistants"
ADMINISTRATORS, VIEWERS = "Administrators", "Viewers"
# Each group gives its role; what a role may do is the back end's table.
GROUPS = {
    VIEWERS: "viewer",
    "Analysts": "analyst",
    "Annotators": "annotator",
    "Designers": "designer",
    "Developers": "developer",
    ADMINISTRATORS: "admin",
}
ROLES = {
    "viewer": "Sees assistants, their content, trainings, models and state.",
    "analyst": "Viewer who also reads conversations.",
    "annotator": "Analyst who also tags and flags conversations.",
    "designer": "Viewer who also edits and publishes content, requests trainings and chats.",
    "developer": "Designer, analyst and annotator who also makes assistants and activates models.",
    "admin": "May do everything.",
}
# Keycloak's own client and role for whoever may administer the realm: its people, groups and clients.
REALM_MANAGEMENT, REALM_ADMIN = "realm-management", "realm-admin"
# What programs get that sign in as `studio-external`; people may give them something else.
EXTERNAL_ROLE = "developer"
# Keycloak's own scopes that say who somebody is (`basic` holds the subject).
WHO = ("basic", "profile", "email")

ACCESS_TOKEN_SECONDS = 300
EVENTS_SECONDS = 30 * 24 * 3600
# What was last applied: tells a wish that changed from somebody else's change.
APPLIED = "studio-operator.io/applied"


@dataclass(frozen=True)
class Administrator:
    """The first person. The password counts when the account is made and never again."""

    username: str
    password: str = field(repr=False)
    email: str | None = None


@dataclass(frozen=True)
class DesiredRealm:
    """What the Studio's spec and Secrets say of its realm; `public_url` has no slash at its end."""

    public_url: str
    administrator: Administrator
    external_client_secret: str = field(repr=False)
    registration: bool = False
    password_policy: str = "length(12) and notUsername and notEmail"  # noqa: S105
    brute_force_protection: bool = True

    @property
    def digest(self) -> str:
        """Changes with the wish, and with what this version makes of it; holds no secret."""
        wish = [settings(self), clients(self), client_scope(), mappers(), sorted(GROUPS.items()), self.registration]
        return hashlib.sha256(json.dumps(wish, sort_keys=True).encode()).hexdigest()[:16]


def settings(wish: DesiredRealm) -> Json:
    """Settings of the realm itself. What is not named here (languages, mail, themes, …) is people's own."""
    secure = wish.public_url.startswith("https://")
    protection: Json = {"bruteForceProtected": wish.brute_force_protection}
    if wish.brute_force_protection:
        protection |= {
            "permanentLockout": False,
            "failureFactor": 10,
            "waitIncrementSeconds": 60,
            "maxFailureWaitSeconds": 900,
        }
    return {
        "enabled": True,
        # Behind http://localhost there is no certificate, and browsers take it for secure.
        "sslRequired": "external" if secure else "none",
        "registrationAllowed": wish.registration,
        "editUsernameAllowed": False,
        "passwordPolicy": wish.password_policy,
        "accessTokenLifespan": ACCESS_TOKEN_SECONDS,
        "revokeRefreshToken": True,
        "refreshTokenMaxReuse": 0,
        "eventsEnabled": True,
        "eventsExpiration": EVENTS_SECONDS,
        "adminEventsEnabled": True,
        **protection,
    }


def client_scope() -> Json:
    """The scope that makes a token one for the back end."""
    return {
        "name": SCOPE,
        "description": "Access to the API of the Studio: audience, roles and assistants.",
        "protocol": "openid-connect",
        "attributes": {"include.in.token.scope": "false", "display.on.consent.screen": "false"},
    }


def mappers() -> list[Json]:
    """What the scope puts into access tokens."""
    access = {"access.token.claim": "true", "id.token.claim": "false", "introspection.token.claim": "true"}
    texts = {**access, "userinfo.token.claim": "false", "multivalued": "true", "jsonType.label": "String"}
    return [
        _mapper("audience", "oidc-audience-mapper", {**access, "included.custom.audience": AUDIENCE}),
        _mapper("roles", "oidc-usermodel-realm-role-mapper", {**texts, "claim.name": ROLES_CLAIM}),
        _mapper(
            "assistants",
            "oidc-usermodel-attribute-mapper",
            {
                **texts,
                "claim.name": ASSISTANTS_CLAIM,
                "user.attribute": ASSISTANTS_ATTRIBUTE,
                # Of the person and of all groups together.
                "aggregate.attrs": "true",
            },
        ),
    ]


def clients(wish: DesiredRealm) -> list[Json]:
    """The clients without the secret, and Keycloak's own client that would take passwords."""
    device = "oauth2.device.authorization.grant.enabled"
    web = _client(
        WEB_CLIENT,
        "Web client",
        publicClient=True,
        standardFlowEnabled=True,
        baseUrl=f"{wish.public_url}/",
        redirectUris=[f"{wish.public_url}/signed-in"],
        webOrigins=[wish.public_url],
        attributes={
            "pkce.code.challenge.method": "S256",
            "post.logout.redirect.uris": f"{wish.public_url}/",
            device: "false",
        },
    )
    cli = _client(
        CLI_CLIENT,
        "Command line",
        publicClient=True,
        attributes={device: "true"},
        # A person may ask for a session that outlives the usual half an hour.
        optionalClientScopes=["offline_access"],
    )
    external = _client(
        EXTERNAL_CLIENT,
        "Programs outside",
        publicClient=False,
        serviceAccountsEnabled=True,
        clientAuthenticatorType="client-secret",
        attributes={device: "false"},
    )
    return [web, cli, external, {"clientId": "admin-cli", "directAccessGrantsEnabled": False}]


def _client(client_id: str, name: str, **values: Any) -> Json:
    closed = {
        "enabled": True,
        "protocol": "openid-connect",
        "bearerOnly": False,
        "fullScopeAllowed": False,
        "standardFlowEnabled": False,
        "implicitFlowEnabled": False,
        "directAccessGrantsEnabled": False,
        "serviceAccountsEnabled": False,
        "redirectUris": [],
        "webOrigins": [],
        "defaultClientScopes": [*WHO, SCOPE],
        "optionalClientScopes": [],
    }
    return {"clientId": client_id, "name": name, **closed, **values}


def _mapper(name: str, kind: str, config: dict[str, str]) -> Json:
    return {"name": name, "protocol": "openid-connect", "protocolMapper": kind, "config": config}
