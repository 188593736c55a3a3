"""Rounds of writes bring any realm to what is desired, and touch nothing else."""

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.realms import FakeRealms

from studio.contract import identity
from studio_operator.planning import realm
from studio_operator.planning.realm import Administrator, DesiredRealm, Json
from studio_operator.planning.realm_diff import LiveRealm, writes
from studio_operator.ports import IdentityAccess, SyncReport
from studio_operator.reconcile.identity import RealmSync

ACCESS = IdentityAccess("http://keycloak", "studio-operator", "secret")
DESIRED = DesiredRealm(
    "http://localhost:8180", Administrator("admin", "the-administrators-password"), "the-external-secret"
)


async def settle(realms: FakeRealms, desired: DesiredRealm = DESIRED) -> SyncReport:
    return await RealmSync(realms).sync(desired, ACCESS)


def _client(realms: FakeRealms, name: str = identity.WEB_CLIENT) -> Json:
    return realms.clients[name]


def _mapper(realms: FakeRealms, name: str) -> Json:
    return next(item for item in realms.scopes[identity.SCOPE]["protocolMappers"] if item["name"] == name)


def _forget(realms: FakeRealms, name: str) -> None:
    mappers = realms.scopes[identity.SCOPE]["protocolMappers"]
    mappers.remove(_mapper(realms, name))


def _settings(realms: FakeRealms) -> Json:
    assert realms.settings is not None
    return realms.settings


DRIFTS: dict[str, Callable[[FakeRealms], object]] = {
    "redirect": lambda r: _client(r)["redirectUris"].append("http://evil/*"),
    "origin": lambda r: _client(r).update(webOrigins=["*"]),
    "pkce": lambda r: _client(r)["attributes"].update({"pkce.code.challenge.method": ""}),
    "implicit": lambda r: _client(r).update(implicitFlowEnabled=True),
    "password grant": lambda r: _client(r, identity.CLI_CLIENT).update(directAccessGrantsEnabled=True),
    "disabled": lambda r: _client(r).update(enabled=False),
    "full scope": lambda r: _client(r, identity.EXTERNAL_CLIENT).update(fullScopeAllowed=True),
    "secret": lambda r: _client(r, identity.EXTERNAL_CLIENT).update(secret="guessed"),
    "optional scope": lambda r: _client(r).update(
        defaultClientScopes=list(realm.WHO), optionalClientScopes=[identity.SCOPE]
    ),
    "no scopes": lambda r: _client(r, identity.CLI_CLIENT).update(defaultClientScopes=[], optionalClientScopes=[]),
    "client": lambda r: r.clients.pop(identity.WEB_CLIENT),
    "external client": lambda r: r.clients.pop(identity.EXTERNAL_CLIENT),
    "scope": lambda r: r.remove_scope(identity.SCOPE) if identity.SCOPE in r.scopes else None,
    "audience": lambda r: _forget(r, "audience") if identity.SCOPE in r.scopes else None,
    "claim": lambda r: (
        _mapper(r, "roles")["config"].update({"claim.name": "x"}) if identity.SCOPE in r.scopes else None
    ),
    "scope role": lambda r: r.scope_roles.discard("admin"),
    "role": lambda r: r.remove_role("analyst"),
    "group": lambda r: r.remove_group("Designers"),
    "role of a group": lambda r: r.groups["Viewers"]["realmRoles"].clear(),
    "administrators": lambda r: r.remove_group("Administrators"),
    "administration": lambda r: (
        r.groups["Administrators"]["clientRoles"].clear() if "Administrators" in r.groups else None
    ),
    "administrator": lambda r: r.users.pop("admin"),
    "membership": lambda r: r.users["admin"]["groups"].clear() if "admin" in r.users else None,
    "password policy": lambda r: _settings(r).update(passwordPolicy="length(1)"),
    "brute force": lambda r: _settings(r).update(bruteForceProtected=False),
    "lifespan": lambda r: _settings(r).update(accessTokenLifespan=86400),
    "profile": lambda r: r.profile["attributes"].pop(),
    "profile for everybody": lambda r: r.profile["attributes"][-1].update(
        permissions={"view": ["user"], "edit": ["user"]}
    ),
    "external role": lambda r: r.users[f"service-account-{identity.EXTERNAL_CLIENT}"]["roles"].clear(),
}

ADDITIONS: dict[str, Callable[[FakeRealms], object]] = {
    "client": lambda r: r.clients.update({"own": {"id": "own", "clientId": "own", "directAccessGrantsEnabled": True}}),
    "group": lambda r: r.groups.update({"Own": {"id": "own", "name": "Own", "realmRoles": ["admin"]}}),
    "role": lambda r: r.roles.update({"own": {"id": "own", "name": "own"}}),
    "role of a group": lambda r: r.groups["Viewers"]["realmRoles"].append("analyst"),
    "user": lambda r: r.users.update({"ann": {"id": "ann", "username": "ann", "groups": ["Viewers"], "roles": []}}),
    "mapper": lambda r: r.scopes[identity.SCOPE]["protocolMappers"].append({"id": "own", "name": "own", "config": {}}),
    "option of a mapper": lambda r: _mapper(r, "roles")["config"].update({"lightweight.claim": "true"}),
    "scope": lambda r: _client(r)["optionalClientScopes"].append("phone"),
    "description": lambda r: _client(r).update(description="own"),
    "attribute of a client": lambda r: _client(r)["attributes"].update({"login_theme": "own"}),
    "theme": lambda r: _settings(r).update(loginTheme="own"),
    "attribute of the realm": lambda r: _settings(r)["attributes"].update({"own": "1"}),
    "attribute of people": lambda r: r.profile["attributes"].append({"name": "department"}),
    "default group": lambda r: r.default_groups.add("Analysts"),
    "groups of the administrator": lambda r: r.users["admin"]["groups"].append("Viewers"),
    "another role for programs": lambda r: r.users[f"service-account-{identity.EXTERNAL_CLIENT}"].update(
        roles=["viewer"]
    ),
    "programs shut out": lambda r: _client(r, identity.EXTERNAL_CLIENT).update(enabled=False),
    "complete profiles": lambda r: r.verify_profile.update(enabled=True),
    "words of the console": lambda r: _settings(r).update(
        passwordPolicy="notEmail(undefined) and notUsername(undefined) and length(12)"
    ),
}


async def test_from_nothing() -> None:
    realms = FakeRealms()
    report = await settle(realms)
    assert report.repaired == ()
    assert {"realm studio", "client studio-web", "role admin", "administrator admin"} <= set(report.updated)
    assert realms.users["admin"]["groups"] == ["Administrators"]
    assert realms.users["service-account-studio-external"]["roles"][-1] == "developer"
    written = len(realms.written)
    assert await settle(realms) == SyncReport()
    assert len(realms.written) == written


@given(names=st.lists(st.sampled_from(sorted(DRIFTS)), unique=True, min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
async def test_any_drift_is_repaired(names: list[str]) -> None:
    realms = FakeRealms()
    await settle(realms)
    # Objects come last, so that a drift inside one still finds it.
    for name in sorted(names, key=lambda name: name in ("client", "external client", "profile")):
        DRIFTS[name](realms)
    report = await settle(realms)
    assert report.repaired
    assert report.updated == ()
    assert await settle(realms) == SyncReport()


@given(names=st.lists(st.sampled_from(sorted(ADDITIONS)), unique=True, min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
async def test_additions_are_left_alone(names: list[str]) -> None:
    realms = FakeRealms()
    await settle(realms)
    for name in names:
        ADDITIONS[name](realms)
    before = copy.deepcopy(
        (realms.settings, realms.clients, realms.groups, realms.users, realms.scopes, realms.profile)
    )
    assert await settle(realms) == SyncReport()
    assert before == (realms.settings, realms.clients, realms.groups, realms.users, realms.scopes, realms.profile)


@given(addition=st.sampled_from(sorted(ADDITIONS)), drift=st.sampled_from(sorted(DRIFTS)))
@settings(max_examples=60, deadline=None)
async def test_nothing_is_ever_removed(addition: str, drift: str) -> None:
    realms = FakeRealms()
    await settle(realms)
    ADDITIONS[addition](realms)
    DRIFTS[drift](realms)
    await settle(realms)
    removed = [write.path for write in realms.written if write.method == "DELETE"]
    assert all("client-scopes" in path for path in removed)
    assert await settle(realms) == SyncReport()


def test_the_first_round_needs_nothing() -> None:
    [write] = writes(DESIRED, None)
    assert (write.method, write.path, write.body["realm"]) == ("POST", "", "studio")


def test_a_realm_that_is_only_begun_is_not_taken_for_drift() -> None:
    assert LiveRealm(settings={}).applied is None
    assert LiveRealm(settings={"attributes": {realm.APPLIED: "x"}}).applied == "x"


@pytest.mark.parametrize(
    ("url", "ssl"), [("http://localhost:8180", "none"), ("https://studio.example.com", "external")]
)
def test_certificates_are_asked_for_where_there_are_some(url: str, ssl: str) -> None:
    assert realm.settings(replace(DESIRED, public_url=url))["sslRequired"] == ssl


def test_the_digest_follows_the_wish_and_no_secret() -> None:
    same = replace(DESIRED, external_client_secret="other", administrator=Administrator("admin", "other"))
    assert same.digest == DESIRED.digest
    for other in (
        replace(DESIRED, public_url="https://x"),
        replace(DESIRED, registration=True),
        replace(DESIRED, password_policy="length(8)"),
        replace(DESIRED, brute_force_protection=False),
    ):
        assert other.digest != DESIRED.digest


def test_secrets_are_in_no_words() -> None:
    words = repr(DESIRED) + repr(ACCESS)
    realms = FakeRealms()
    realms._make_realm({})
    words += repr(writes(DESIRED, LiveRealm(settings={}, groups={"Administrators": {"id": "g"}})))
    for secret in ("the-administrators-password", "the-external-secret", "'secret'"):
        assert secret not in words
