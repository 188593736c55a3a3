"""Who people are: the realm that the operator keeps, an issuer of a company's own, and what somebody may see."""

from collections.abc import Iterator
from typing import Any

import pytest

from stage.kubectl import conditions
from studio.contract.labels import Component
from studio_e2e import accounts, content, entry, manifests
from studio_e2e.api import Api, external_client, signed_in
from studio_e2e.assistants import Assistant, summary
from studio_e2e.browser import Windows
from studio_e2e.keycloak import REALM, Keycloak, Login
from studio_e2e.space import Space
from studio_e2e.waiting import NotYet, eventually

Json = dict[str, Any]

# A realm is looked at once a minute, whatever happens to its Studio.
REPAIRED_WITHIN = 90.0
UP_WITHIN = 180.0
COMPANY, AUDIENCE = "company", "company-assistants"
WORDS = ("client studio-web (redirectUris)", "realm settings (passwordPolicy)")
WEAK, EVIL = "length(1)", "https://evil.example.com/*"


@pytest.fixture
def keycloak(studio: Space) -> Keycloak:
    return Keycloak(studio)


def test_drift_of_the_realm_is_put_right_and_told_and_what_is_somebodys_own_stays(keycloak: Keycloak) -> None:
    space, realm = keycloak.space, f"/realms/{REALM}"
    policy = keycloak.call("GET", realm)["passwordPolicy"]
    web = keycloak.client("studio-web")
    with keycloak.program("e2e-pipeline", "viewer"):
        own = keycloak.client("e2e-pipeline")
        keycloak.call("PUT", f"{realm}/clients/{own['id']}", {**own, "redirectUris": ["https://ci.example.com/*"]})
        keycloak.call("PUT", f"{realm}/clients/{web['id']}", {**web, "redirectUris": [*web["redirectUris"], EVIL]})
        keycloak.call("PUT", realm, {"passwordPolicy": WEAK})

        def repaired() -> bool:
            redirects = keycloak.client("studio-web")["redirectUris"]
            now = keycloak.call("GET", realm)["passwordPolicy"]
            if (redirects, now) != (web["redirectUris"], policy):
                raise NotYet(f"{redirects}, {now}")
            return True

        eventually("the realm is put right", repaired, within=REPAIRED_WITHIN, every=3)
        assert keycloak.client("e2e-pipeline")["redirectUris"] == ["https://ci.example.com/*"]
    # A pass may have come between the two.
    eventually("both are told", lambda: all(word in realm_repairs(space) for word in WORDS), within=20)


def realm_repairs(space: Space) -> str:
    events = space.list("events", fields="reason=RealmRepaired")
    return "; ".join(event["message"] for event in events if event["involvedObject"]["kind"] == "Studio")


@pytest.fixture
def employee(keycloak: Keycloak) -> Iterator[tuple[str, Login]]:
    """An issuer of a company's own, whose tokens look different, and a program that it knows as a developer."""
    with keycloak.realm(COMPANY) as issuer:
        login = Login(COMPANY, "robot", "correct-horse-battery-staple")
        config = {"included.custom.audience": AUDIENCE, "access.token.claim": "true"}
        mapper = {"name": "audience", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper"}
        keycloak.make_client(login, protocolMappers=[{**mapper, "config": config}], fullScopeAllowed=True)
        keycloak.make_role("developer", COMPANY)
        keycloak.give_roles(login, ["developer"])
        yield issuer, login


def test_a_studio_takes_the_tokens_of_an_issuer_of_ones_own_and_no_others(
    space: Space, origin: str, keycloak: Keycloak, employee: tuple[str, Login]
) -> None:
    issuer, login = employee
    external = {"issuer": issuer, "audience": AUDIENCE, "rolesClaim": "realm_access.roles"}
    space.apply(manifests.studio(publicUrl=entry.free_origin(), identity={"external": external}))

    def up() -> Json:
        live = space.must_get("studio", "studio")
        found = conditions(live)
        if any(found.get(kind, {}).get("status") != "True" for kind in ("BackendReady", "KeycloakReady")):
            raise NotYet(summary(live))
        return found

    assert eventually("back end and identity are there", up, within=UP_WITHIN)["KeycloakReady"]["reason"] == "External"
    assert space.list("deployments,statefulsets,services,pods", component=Component.KEYCLOAK.value) == []
    token, studios = keycloak.token(login), external_client(keycloak.space)
    with entry.forwarded(space) as elsewhere:
        ours = Api(elsewhere, lambda: token)
        me = eventually("the token is taken", lambda: ours.get("/me"), within=30)
        assert (me["username"], me["roles"]) == ("service-account-robot", ["developer"])
        assert ours.get("/assistants")["items"] == []
        theirs = signed_in(origin, studios)
        assert theirs.ask("GET", "/me").status == 200
        assert Api(elsewhere, theirs.token).ask("GET", "/me").status == 401
    assert Api(origin, lambda: token).ask("GET", "/me").status == 401


@pytest.fixture
def unnamed(assistant: Assistant) -> Assistant:
    """An assistant that is there and does nothing."""
    assistant.apply({"files": content.porter()}, running={"mode": "Never"}, training={"trigger": "Manual"})
    return assistant


def test_who_may_see_one_assistant_sees_no_other(
    porter: Assistant, unnamed: Assistant, keycloak: Keycloak, origin: str, windows: Windows
) -> None:
    password = accounts.make(porter.space, "petra", "Developers")
    petra = keycloak.user("petra")
    attributes = {**petra.get("attributes", {}), "assistants": [porter.name]}
    path = f"/realms/{REALM}/users/{petra['id']}"
    keycloak.call("PUT", path, {**petra, "attributes": attributes})
    try:
        window = windows.new(origin)
        window.sign_in("petra", password)
        window.page.get_by_role("link", name=porter.name, exact=True).wait_for()
        assert window.page.get_by_role("link", name=unnamed.name, exact=True).count() == 0
        assert window.status_of("GET", f"/api/v1/assistants/{porter.name}") == 200
        for request in ("", "/content", "/models"):
            assert window.status_of("GET", f"/api/v1/assistants/{unnamed.name}{request}") == 404
        assert window.status_of("DELETE", f"/api/v1/assistants/{unnamed.name}") == 404
        everyone = signed_in(origin, external_client(porter.space))
        assert {item["name"] for item in everyone.get("/assistants")["items"]} >= {porter.name, unnamed.name}
    finally:
        keycloak.call("DELETE", path)
