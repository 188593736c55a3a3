"""The sync of a realm against a real Keycloak."""

from dataclasses import replace

import aiohttp
import pytest
from tests.support.admin import Admin

from studio.contract import identity
from studio_operator.clients.keycloak import KeycloakRealms
from studio_operator.planning.realm import DesiredRealm
from studio_operator.ports import IdentityAccess, IdentityRefused, IdentityUnreachable, SyncReport
from studio_operator.reconcile.identity import RealmSync

# The first run on a machine downloads and builds Keycloak.
pytestmark = pytest.mark.timeout(600)

NOTHING = SyncReport()


@pytest.fixture
def sync() -> RealmSync:
    return RealmSync(KeycloakRealms())


async def test_from_an_empty_server(
    sync: RealmSync, admin: Admin, desired: DesiredRealm, access: IdentityAccess
) -> None:
    if any(found["realm"] == identity.REALM for found in await admin.get("")):
        await admin.send("DELETE", identity.REALM)
    report = await sync.sync(desired, access)
    assert not report.repaired
    assert {"realm studio", "client studio-web", "group Viewers", "administrator admin"} <= set(report.updated)
    assert await sync.sync(desired, access) == NOTHING

    web = await admin.find("studio/clients", "clientId", "studio-web")
    assert web["redirectUris"] == ["http://localhost:8180/signed-in"]
    assert web["webOrigins"] == ["http://localhost:8180"]
    assert web["attributes"]["pkce.code.challenge.method"] == "S256"
    assert web["attributes"]["post.logout.redirect.uris"] == "http://localhost:8180/"
    cli = await admin.find("studio/clients", "clientId", "studio-cli")
    assert cli["attributes"]["oauth2.device.authorization.grant.enabled"] == "true"
    for client in await admin.get("studio/clients"):
        assert not client["implicitFlowEnabled"], client["clientId"]
        assert not client["directAccessGrantsEnabled"], client["clientId"]
    for name in (identity.WEB_CLIENT, identity.CLI_CLIENT, identity.EXTERNAL_CLIENT):
        client = await admin.find("studio/clients", "clientId", name)
        assert not client["fullScopeAllowed"]
        assert client["publicClient"] == (name != identity.EXTERNAL_CLIENT)
    settings = await admin.get("studio")
    assert settings["bruteForceProtected"]
    assert settings["revokeRefreshToken"]
    assert settings["accessTokenLifespan"] == 300
    assert settings["eventsEnabled"]
    assert settings["sslRequired"] == "none"
    [user] = await admin.get("studio/users", username="admin", exact="true")
    assert [group["name"] for group in await admin.get(f"studio/users/{user['id']}/groups")] == ["Administrators"]


async def test_drift_is_repaired_and_reported(
    sync: RealmSync, admin: Admin, desired: DesiredRealm, access: IdentityAccess
) -> None:
    await sync.sync(desired, access)
    web = await admin.find("studio/clients", "clientId", "studio-web")
    await admin.send(
        "PUT", f"studio/clients/{web['id']}", {**web, "redirectUris": [*web["redirectUris"], "http://x/*"]}
    )
    scope = await admin.find("studio/client-scopes", "name", "studio-api")
    await admin.send("DELETE", f"studio/clients/{web['id']}/default-client-scopes/{scope['id']}")
    await admin.send("PUT", f"studio/clients/{web['id']}/optional-client-scopes/{scope['id']}")
    audience = next(mapper for mapper in scope["protocolMappers"] if mapper["name"] == "audience")
    await admin.send("DELETE", f"studio/client-scopes/{scope['id']}/protocol-mappers/models/{audience['id']}")
    await admin.send("DELETE", "studio/roles/analyst")
    await admin.send("PUT", "studio", {"passwordPolicy": "length(4)", "bruteForceProtected": False})
    profile = await admin.get("studio/users/profile")
    for attribute in profile["attributes"]:
        if attribute["name"] == "assistants":
            attribute["permissions"]["edit"].append("user")
    await admin.send("PUT", "studio/users/profile", profile)
    administrators = await admin.find("studio/groups", "name", "Administrators")
    await admin.send("DELETE", f"studio/groups/{administrators['id']}")

    report = await sync.sync(desired, access)
    assert not report.updated
    assert set(report.repaired) == {
        "realm settings (bruteForceProtected, passwordPolicy)",
        "user profile (assistants)",
        "role analyst",
        "group Administrators",
        "group Administrators (role admin)",
        "group Administrators (role realm-admin)",
        "group Analysts (role analyst)",
        "mapper audience",
        "client scope studio-api (roles analyst)",
        "client studio-web (redirectUris)",
        "client studio-web (scope studio-api)",
        "administrator admin (group Administrators)",
    }
    assert await sync.sync(desired, access) == NOTHING


async def test_what_people_added_is_left_alone(
    sync: RealmSync, admin: Admin, desired: DesiredRealm, access: IdentityAccess
) -> None:
    await sync.sync(desired, access)
    await admin.send(
        "PUT", "studio", {"rememberMe": True, "loginTheme": "keycloak", "attributes": await _attributes(admin)}
    )
    await admin.send("POST", "studio/clients", {"clientId": "their-own", "directAccessGrantsEnabled": True})
    await admin.send("POST", "studio/groups", {"name": "Their Own", "attributes": {"assistants": ["a"]}})
    await admin.send("POST", "studio/users", {"username": "ann", "enabled": True, "groups": ["/Their Own", "/Viewers"]})
    await admin.send(
        "POST",
        "studio/identity-provider/instances",
        {
            "alias": "company",
            "providerId": "oidc",
            "config": {"clientId": "x", "tokenUrl": "https://x/", "authorizationUrl": "https://x/"},
        },
    )
    web = await admin.find("studio/clients", "clientId", "studio-web")
    await admin.send("PUT", f"studio/clients/{web['id']}", {**web, "description": "ours"})
    mapper = {
        "name": "mine",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-hardcoded-claim-mapper",
        "config": {"claim.name": "mine", "claim.value": "1", "access.token.claim": "true"},
    }
    await admin.send("POST", f"studio/clients/{web['id']}/protocol-mappers/models", mapper)
    assert await sync.sync(desired, access) == NOTHING

    # Not even while something beside it is repaired.
    web = await admin.find("studio/clients", "clientId", "studio-web")
    await admin.send("PUT", f"studio/clients/{web['id']}", {**web, "webOrigins": ["*"]})
    await admin.send("PUT", "studio", {"accessTokenLifespan": 36000})
    report = await sync.sync(desired, access)
    assert set(report.repaired) == {"client studio-web (webOrigins)", "realm settings (accessTokenLifespan)"}
    web = await admin.find("studio/clients", "clientId", "studio-web")
    assert web["description"] == "ours"
    assert [mapper["name"] for mapper in web["protocolMappers"]] == ["mine"]
    settings = await admin.get("studio")
    assert settings["rememberMe"]
    assert settings["loginTheme"] == "keycloak"
    assert settings["attributes"]["their.own"] == "kept"
    assert [user["username"] for user in await admin.get("studio/users", username="ann", exact="true")] == ["ann"]
    assert (await admin.get("studio/identity-provider/instances"))[0]["alias"] == "company"
    await admin.send("DELETE", "studio")


async def _attributes(admin: Admin) -> dict[str, str]:
    return {**(await admin.get("studio"))["attributes"], "their.own": "kept"}


async def test_a_wish_that_changes_is_no_drift(
    sync: RealmSync, admin: Admin, desired: DesiredRealm, access: IdentityAccess
) -> None:
    await sync.sync(desired, access)
    moved = replace(desired, public_url="https://studio.example.com", registration=True, external_client_secret="other")
    report = await sync.sync(moved, access)
    assert not report.repaired
    assert set(report.updated) == {
        "realm settings (registrationAllowed, sslRequired)",
        "default group Viewers",
        "client studio-web (attributes, baseUrl, redirectUris, webOrigins)",
        "client studio-external (secret)",
    }
    assert await sync.sync(moved, access) == NOTHING
    external = await admin.find("studio/clients", "clientId", "studio-external")
    assert (await admin.get(f"studio/clients/{external['id']}/client-secret"))["value"] == "other"
    await admin.send("DELETE", "studio")


async def test_the_administrator_keeps_a_password_of_their_own(
    sync: RealmSync,
    admin: Admin,
    desired: DesiredRealm,
    access: IdentityAccess,
) -> None:
    await sync.sync(desired, access)
    [user] = await admin.get("studio/users", username="admin", exact="true")
    before = await admin.get(f"studio/users/{user['id']}/credentials")
    other = replace(desired.administrator, password="another-password-0123456789")
    assert await sync.sync(replace(desired, administrator=other), access) == NOTHING
    assert await admin.get(f"studio/users/{user['id']}/credentials") == before


async def test_a_password_policy_that_keycloak_does_not_know(
    sync: RealmSync, desired: DesiredRealm, access: IdentityAccess
) -> None:
    await sync.sync(desired, access)
    with pytest.raises(IdentityRefused, match="passwordPolicy"):
        await sync.sync(replace(desired, password_policy="beautiful(12)"), access)
    assert await sync.sync(desired, access) == NOTHING


async def test_a_wrong_secret_and_no_server(
    sync: RealmSync, desired: DesiredRealm, access: IdentityAccess, http: aiohttp.ClientSession
) -> None:
    with pytest.raises(IdentityRefused, match="another secret") as refused:
        await sync.sync(desired, replace(access, client_secret="wrong-secret"))
    assert "wrong-secret" not in str(refused.value)
    with pytest.raises(IdentityUnreachable):
        await sync.sync(desired, replace(access, url="http://127.0.0.1:9/auth"))
