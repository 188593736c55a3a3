"""A Keycloak in memory behind the `Realms` port: it understands the writes of a sync and nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from tests.fakes.clone import clone
from tests.fakes.cluster import Lifeline

from studio.contract import identity
from studio_operator.planning import realm
from studio_operator.planning.realm import DesiredRealm, Json
from studio_operator.planning.realm_diff import SCOPE_LISTS, LiveRealm, RealmWrite
from studio_operator.ports import IdentityAccess, IdentityError


class FakeRealms:
    """See the module. `written` are the writes; `stubborn` takes writes and changes nothing."""

    def __init__(self, lifeline: Lifeline | None = None) -> None:
        self.lifeline = lifeline or Lifeline()
        self.written: list[RealmWrite] = []
        self.stubborn = False
        self.error: IdentityError | None = None
        self.settings: Json | None = None
        self.roles: dict[str, Json] = {}
        self.scopes: dict[str, Json] = {}
        self.clients: dict[str, Json] = {}
        self.groups: dict[str, Json] = {}
        self.users: dict[str, Json] = {}
        self.scope_roles: set[str] = set()
        self.default_groups: set[str] = set()
        self.profile: Json = {"attributes": [{"name": "username"}, {"name": "email"}]}
        self.verify_profile: Json = {"alias": "VERIFY_PROFILE", "enabled": True}
        self._numbers = count(1)

    @asynccontextmanager
    async def open(self, access: IdentityAccess) -> AsyncIterator["FakeRealms"]:
        if self.error is not None:
            raise self.error
        yield self

    async def read(self, desired: DesiredRealm) -> LiveRealm | None:
        self.lifeline.before_step()
        live = self._live(desired)
        self.lifeline.after_step()
        return clone(live)

    def _live(self, desired: DesiredRealm) -> LiveRealm | None:
        if self.settings is None:
            return None
        administrator = self.users.get(desired.administrator.username)
        external = self.clients.get(identity.EXTERNAL_CLIENT)
        return LiveRealm(
            settings=self.settings,
            roles=self.roles,
            scopes=self.scopes,
            scope_roles=frozenset(self.scope_roles),
            clients=self.clients,
            groups=self.groups,
            default_groups=frozenset(self.default_groups),
            profile=self.profile,
            verify_profile=self.verify_profile,
            realm_admin={"id": "realm-admin", "name": "realm-admin", "containerId": "realm-management"},
            administrator=administrator,
            administrator_groups=frozenset(administrator["groups"]) if administrator else frozenset(),
            external_account=external["account"] if external else None,
            external_roles=frozenset(self.users[external["account"]]["roles"]) if external else frozenset(),
        )

    async def write(self, write: RealmWrite) -> None:
        self.lifeline.before_step()
        self.written.append(write)
        if not self.stubborn:
            self._apply(write.method, write.path.split("/") if write.path else [], clone(write.body))
        self.lifeline.after_step()

    def remove_role(self, name: str) -> None:
        """As Keycloak does it: the role is gone from everywhere."""
        self.roles.pop(name)
        self.scope_roles.discard(name)
        for group in self.groups.values():
            group["realmRoles"] = [role for role in group["realmRoles"] if role != name]
        for user in self.users.values():
            user["roles"] = [role for role in user["roles"] if role != name]

    def remove_group(self, name: str) -> None:
        self.groups.pop(name)
        self.default_groups.discard(name)
        for user in self.users.values():
            user["groups"] = [group for group in user["groups"] if group != name]

    def remove_scope(self, name: str) -> None:
        self.scopes.pop(name)
        self.scope_roles.clear()
        for client in self.clients.values():
            for kind in SCOPE_LISTS:
                client[kind] = [scope for scope in client.get(kind, []) if scope != name]

    def _apply(self, method: str, path: list[str], body: Any) -> None:
        match method, path:
            case "POST", []:
                self._make_realm(body)
            case "PUT", []:
                assert self.settings is not None
                self.settings |= body
            case "PUT", ["users", "profile"]:
                self.profile = body
            case "PUT", ["authentication", "required-actions", "VERIFY_PROFILE"]:
                self.verify_profile = body
            case "POST", ["roles"]:
                self.roles.setdefault(body["name"], self._with_id(body))
            case "POST", ["groups"]:
                self.groups.setdefault(body["name"], self._with_id({**body, "realmRoles": [], "clientRoles": {}}))
            case "POST", ["groups", group, "role-mappings", "realm"]:
                self._by_id(self.groups, group)["realmRoles"] += [role["name"] for role in body]
            case "POST", ["groups", group, "role-mappings", "clients", client]:
                self._by_id(self.groups, group)["clientRoles"][client] = [role["name"] for role in body]
            case "PUT", ["default-groups", group]:
                self.default_groups.add(self._by_id(self.groups, group)["name"])
            case _:
                self._apply_scopes(method, path, body)

    def _apply_scopes(self, method: str, path: list[str], body: Any) -> None:
        match method, path:
            case "POST", ["client-scopes"]:
                mappers = [self._with_id(mapper) for mapper in body["protocolMappers"]]
                self.scopes.setdefault(body["name"], self._with_id({**body, "protocolMappers": mappers}))
            case "PUT", ["client-scopes", scope]:
                self._by_id(self.scopes, scope).update(body)
            case "POST", ["client-scopes", scope, "protocol-mappers", "models"]:
                self._by_id(self.scopes, scope)["protocolMappers"].append(self._with_id(body))
            case "PUT", ["client-scopes", scope, "protocol-mappers", "models", mapper]:
                mappers = self._by_id(self.scopes, scope)["protocolMappers"]
                next(item for item in mappers if item["id"] == mapper).update(body)
            case "POST", ["client-scopes", _, "scope-mappings", "realm"]:
                self.scope_roles |= {role["name"] for role in body}
            case _:
                self._apply_clients(method, path, body)

    def _apply_clients(self, method: str, path: list[str], body: Any) -> None:
        match method, path:
            case "POST", ["clients"]:
                known = {kind: [name for name in body.get(kind, []) if name in self.scopes] for kind in SCOPE_LISTS}
                self._make_client({**body, **known})
            case "PUT", ["clients", client]:
                self._by_id(self.clients, client).update(body)
            case _, ["clients", client, segment, scope]:
                self._bind(method, client, segment, scope)
            case "POST", ["users", user, "role-mappings", "realm"]:
                self.users[user]["roles"] += [role["name"] for role in body]
            case "POST", ["users"]:
                groups = [path.strip("/") for path in body["groups"]]
                assert set(groups) <= self.groups.keys()
                self.users.setdefault(body["username"], self._with_id({**body, "groups": groups, "roles": []}))
            case "PUT", ["users", user, "groups", group]:
                self._by_id(self.users, user)["groups"].append(self._by_id(self.groups, group)["name"])
            case _:
                raise AssertionError(f"this Keycloak does not know {method} {'/'.join(path)}")

    def _bind(self, method: str, client: str, segment: str, scope: str) -> None:
        kind = next(kind for kind, other in SCOPE_LISTS.items() if other == segment)
        found, name = self._by_id(self.clients, client), self._by_id(self.scopes, scope)["name"]
        bound = [other for other in found[kind] if other != name]
        others = [other for other_kind in SCOPE_LISTS if other_kind != kind for other in found[other_kind]]
        # Keycloak takes no scope twice, and says nothing.
        found[kind] = [*bound, name] if method == "PUT" and name not in others else bound

    def _make_realm(self, body: Json) -> None:
        self.settings = {"attributes": {"cibaInterval": "5"}, **body}
        for name in (*realm.WHO, "offline_access", "roles"):
            self.scopes[name] = self._with_id({"name": name})
        self._make_client({"clientId": "admin-cli", "directAccessGrantsEnabled": True, **{k: [] for k in SCOPE_LISTS}})

    def _make_client(self, body: Json) -> None:
        if body["clientId"] not in self.clients:
            account = f"service-account-{body['clientId']}"
            self.clients[body["clientId"]] = self._with_id({**body, "account": account})
            self.users[account] = {"id": account, "groups": [], "roles": ["default-roles-studio"]}

    def _with_id(self, body: Json) -> Json:
        return {**body, "id": f"i{next(self._numbers)}"}

    @staticmethod
    def _by_id(items: dict[str, Json], key: str) -> Json:
        return next(item for item in items.values() if item["id"] == key)
