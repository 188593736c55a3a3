"""What must be written so that a live realm becomes the desired one. Pure.

One call gives one round: what can be written with what exists now. The caller reads again and asks again until nothing
is left, so that objects which others need (a scope before its clients) come first without a plan. Whatever people added
is left alone: only what the desired realm names is compared, and nothing is ever deleted.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from studio.contract import identity
from studio_operator.planning import realm
from studio_operator.planning.realm import DesiredRealm, Json

# Bound to a client by calls of their own, and not by writing the client.
SCOPE_LISTS = {"defaultClientScopes": "default-client-scopes", "optionalClientScopes": "optional-client-scopes"}
VERIFY_PROFILE = "VERIFY_PROFILE"


@dataclass(frozen=True)
class LiveRealm:
    """The parts of a realm that are compared, as Keycloak tells them; mappings are by name.

    `external_roles` are what the account of `studio-external` has, by itself or through groups. `realm_admin` is
    Keycloak's role for administrators of the realm, with the id of its client in `containerId`.
    """

    settings: Json
    roles: Mapping[str, Json] = field(default_factory=dict)
    scopes: Mapping[str, Json] = field(default_factory=dict)
    scope_roles: frozenset[str] = frozenset()
    clients: Mapping[str, Json] = field(default_factory=dict)
    groups: Mapping[str, Json] = field(default_factory=dict)
    default_groups: frozenset[str] = frozenset()
    profile: Json = field(default_factory=dict)
    verify_profile: Json = field(default_factory=dict)
    realm_admin: Json | None = None
    administrator: Json | None = None
    administrator_groups: frozenset[str] = frozenset()
    external_account: str | None = None
    external_roles: frozenset[str] = frozenset()

    @property
    def applied(self) -> str | None:
        """The digest of the wish that was brought about last."""
        found = (self.settings.get("attributes") or {}).get(realm.APPLIED)
        return found if isinstance(found, str) else None


@dataclass(frozen=True)
class RealmWrite:
    """One request: `path` is relative to the realm (empty: the realm itself). `what` says it to people."""

    method: Literal["POST", "PUT", "DELETE"]
    path: str
    body: Any = field(repr=False)
    what: str


def writes(desired: DesiredRealm, live: LiveRealm | None) -> list[RealmWrite]:
    """The next round of writes; none when the realm is as desired."""
    if live is None:
        body = {"realm": identity.REALM, "displayName": "Studio", **realm.settings(desired)}
        return [RealmWrite("POST", "", body, f"realm {identity.REALM}")]
    found = [write for section in _SECTIONS for write in section(desired, live)]
    if found or live.applied == desired.digest:
        return found
    # Written last: until then a kill leaves a realm that is still being brought about.
    attributes = {**(live.settings.get("attributes") or {}), realm.APPLIED: desired.digest}
    return [RealmWrite("PUT", "", {"attributes": attributes}, "")]


def _settings(desired: DesiredRealm, live: LiveRealm) -> Iterator[RealmWrite]:
    wanted = realm.settings(desired)
    changed = {key: value for key, value in wanted.items() if not _same_setting(key, value, live.settings.get(key))}
    if changed:
        yield RealmWrite("PUT", "", changed, f"realm settings ({', '.join(sorted(changed))})")


def _same_setting(key: str, wanted: Any, found: Any) -> bool:
    if key == "passwordPolicy":
        return _rules(wanted) == _rules(found or "")
    return bool(wanted == found)


def _rules(policy: str) -> set[str]:
    """The rules of a password policy; the console writes `notUsername(undefined)` for `notUsername`."""
    return {rule.strip().replace("(undefined)", "").replace("()", "") for rule in policy.split(" and ")} - {""}


def _once(_: DesiredRealm, live: LiveRealm) -> Iterator[RealmWrite]:
    """What is set when the realm is made and is people's own from then on."""
    if live.applied is None and live.verify_profile.get("enabled"):
        # Else everybody without an e-mail address and two names is stopped by a form at the first sign-in.
        body = {**live.verify_profile, "enabled": False}
        path = f"authentication/required-actions/{VERIFY_PROFILE}"
        yield RealmWrite("PUT", path, body, f"required action {VERIFY_PROFILE}")


def _profile(_: DesiredRealm, live: LiveRealm) -> Iterator[RealmWrite]:
    """The attribute `assistants` of people, which they must not be able to change themselves."""
    wanted: Json = {
        "name": realm.ASSISTANTS_ATTRIBUTE,
        "multivalued": True,
        "permissions": {"view": ["admin"], "edit": ["admin"]},
    }
    attributes: list[Json] = list(live.profile.get("attributes", []))
    found = next((item for item in attributes if item.get("name") == wanted["name"]), None)
    if found is not None and _covers(wanted, found):
        return
    kept = [item for item in attributes if item.get("name") != wanted["name"]]
    mine = {"displayName": "Assistants", **(found or {}), **wanted}
    yield RealmWrite("PUT", "users/profile", {**live.profile, "attributes": [*kept, mine]}, "user profile (assistants)")


def _roles(_: DesiredRealm, live: LiveRealm) -> Iterator[RealmWrite]:
    for name, description in realm.ROLES.items():
        if name not in live.roles:
            yield RealmWrite("POST", "roles", {"name": name, "description": description}, f"role {name}")


def _groups(desired: DesiredRealm, live: LiveRealm) -> Iterator[RealmWrite]:
    for name, role in realm.GROUPS.items():
        group = live.groups.get(name)
        if group is None:
            yield RealmWrite("POST", "groups", {"name": name}, f"group {name}")
        elif role in live.roles and role not in group.get("realmRoles", []):
            path = f"groups/{group['id']}/role-mappings/realm"
            yield RealmWrite("POST", path, [_reference(live.roles[role])], f"group {name} (role {role})")
    administrators = live.groups.get(realm.ADMINISTRATORS)
    if administrators and live.realm_admin and not administers_realm(administrators):
        path = f"groups/{administrators['id']}/role-mappings/clients/{live.realm_admin['containerId']}"
        what = f"group {realm.ADMINISTRATORS} (role {realm.REALM_ADMIN})"
        yield RealmWrite("POST", path, [_reference(live.realm_admin)], what)
    viewers = live.groups.get(realm.VIEWERS)
    if desired.registration and viewers and realm.VIEWERS not in live.default_groups:
        yield RealmWrite("PUT", f"default-groups/{viewers['id']}", {}, f"default group {realm.VIEWERS}")


def administers_realm(group: Json) -> bool:
    """Whether people of the group may use Keycloak's console for this realm."""
    return realm.REALM_ADMIN in group.get("clientRoles", {}).get(realm.REALM_MANAGEMENT, [])


def _scope(_: DesiredRealm, live: LiveRealm) -> Iterator[RealmWrite]:
    wanted, found = realm.client_scope(), live.scopes.get(identity.SCOPE)
    if found is None:
        body = {**wanted, "protocolMappers": realm.mappers()}
        yield RealmWrite("POST", "client-scopes", body, f"client scope {identity.SCOPE}")
        return
    path, what = f"client-scopes/{found['id']}", f"client scope {identity.SCOPE}"
    if differing := _differing(wanted, found):
        kept = {key: value for key, value in found.items() if key != "protocolMappers"}
        yield RealmWrite("PUT", path, _merged(wanted, kept), f"{what} ({', '.join(differing)})")
    yield from _mappers(path, found.get("protocolMappers", []))
    missing = [live.roles[name] for name in realm.ROLES if name in live.roles and name not in live.scope_roles]
    if missing:
        names = ", ".join(role["name"] for role in missing)
        yield RealmWrite(
            "POST", f"{path}/scope-mappings/realm", [_reference(role) for role in missing], f"{what} (roles {names})"
        )


def _mappers(scope_path: str, found: Iterable[Json]) -> Iterator[RealmWrite]:
    by_name = {mapper["name"]: mapper for mapper in found}
    path = f"{scope_path}/protocol-mappers/models"
    for wanted in realm.mappers():
        live, what = by_name.get(wanted["name"]), f"mapper {wanted['name']}"
        if live is None:
            yield RealmWrite("POST", path, wanted, what)
        elif differing := _differing(wanted, live):
            body = _merged(wanted, live)
            yield RealmWrite("PUT", f"{path}/{live['id']}", body, f"{what} ({', '.join(differing)})")


def _clients(desired: DesiredRealm, live: LiveRealm) -> Iterator[RealmWrite]:
    # A scope that does not exist yet would be left out without a word.
    if identity.SCOPE not in live.scopes:
        return
    for client in realm.clients(desired):
        secret = desired.external_client_secret if client["clientId"] == identity.EXTERNAL_CLIENT else None
        wanted = client if secret is None else {**client, "secret": secret}
        found = live.clients.get(client["clientId"])
        if found is not None:
            yield from _client(wanted, found, live.scopes)
        elif "protocol" in wanted:
            yield RealmWrite("POST", "clients", wanted, f"client {wanted['clientId']}")


def _client(wanted: Json, found: Json, scopes: Mapping[str, Json]) -> Iterator[RealmWrite]:
    own = {key: value for key, value in wanted.items() if key not in SCOPE_LISTS}
    if wanted["clientId"] == identity.EXTERNAL_CLIENT:
        # Programs may be shut out.
        own.pop("enabled")
    path, what = f"clients/{found['id']}", f"client {wanted['clientId']}"
    if differing := _differing(own, found):
        attributes = {**found.get("attributes", {}), **own.get("attributes", {})}
        body = {"id": found["id"], **own, "attributes": attributes}
        yield RealmWrite("PUT", path, body, f"{what} ({', '.join(differing)})")
    for kind, segment in SCOPE_LISTS.items():
        missing = [name for name in wanted.get(kind, []) if name not in found.get(kind, []) and name in scopes]
        for name in missing:
            scope, bound = scopes[name]["id"], f"{what} (scope {name})"
            # A scope that is optional has to be let go before it can be a default one, and the other way round.
            for other in (other for other_kind, other in SCOPE_LISTS.items() if name in found.get(other_kind, [])):
                yield RealmWrite("DELETE", f"{path}/{other}/{scope}", {}, bound)
            yield RealmWrite("PUT", f"{path}/{segment}/{scope}", {}, bound)


def _external_account(_: DesiredRealm, live: LiveRealm) -> Iterator[RealmWrite]:
    role = live.roles.get(realm.EXTERNAL_ROLE)
    if live.external_account and role and not live.external_roles & realm.ROLES.keys():
        path = f"users/{live.external_account}/role-mappings/realm"
        yield RealmWrite("POST", path, [_reference(role)], f"client {identity.EXTERNAL_CLIENT} (role {role['name']})")


def _administrator(desired: DesiredRealm, live: LiveRealm) -> Iterator[RealmWrite]:
    group, wanted = live.groups.get(realm.ADMINISTRATORS), desired.administrator
    if group is None:
        return
    if live.administrator is None:
        body = {
            "username": wanted.username,
            "enabled": True,
            "firstName": "Studio",
            "lastName": "Administrator",
            **({"email": wanted.email, "emailVerified": True} if wanted.email else {}),
            "groups": [f"/{realm.ADMINISTRATORS}"],
            "credentials": [{"type": "password", "value": wanted.password, "temporary": False}],
        }
        yield RealmWrite("POST", "users", body, f"administrator {wanted.username}")
    elif realm.ADMINISTRATORS not in live.administrator_groups:
        path = f"users/{live.administrator['id']}/groups/{group['id']}"
        yield RealmWrite("PUT", path, {}, f"administrator {wanted.username} (group {realm.ADMINISTRATORS})")


_SECTIONS: tuple[Callable[[DesiredRealm, LiveRealm], Iterator[RealmWrite]], ...] = (
    _settings,
    _once,
    _profile,
    _roles,
    _groups,
    _scope,
    _clients,
    _external_account,
    _administrator,
)


def _reference(role: Json) -> Json:
    return {"id": role["id"], "name": role["name"]}


def _differing(wanted: Json, found: Json) -> list[str]:
    """The keys in which `found` is not what is wanted."""
    return sorted(key for key, value in wanted.items() if not _covers(value, found.get(key)))


def _covers(wanted: Any, found: Any) -> bool:
    """Whether `found` says all that is wanted: objects may say more, lists hold the same in any order."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_covers(value, found.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        return sorted(wanted) == sorted(found or [])
    return bool(wanted == found)


def _merged(wanted: Json, found: Json) -> Json:
    """`found` with what is wanted in place of what differs; objects inside are merged as well."""
    merged = dict(found)
    for key, value in wanted.items():
        below = found.get(key)
        merged[key] = {**below, **value} if isinstance(value, dict) and isinstance(below, dict) else value
    return merged
