"""The applier where server-side apply alone does not help."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.kube import FakeKube
from tests.fakes.kube_merge import merge_patch

from studio.contract import labels
from studio.kube import DEPLOYMENT, ROLEBINDING, SERVICE, Kind, Manifest
from studio.kube.errors import Invalid
from studio_operator.reconcile.apply import apply_all

ROLLING = "RollingUpdate"
OWNER = {"kind": "Studio", "metadata": {"name": "studio", "namespace": "team", "uid": "u1"}}


def service() -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "studio-api",
            "namespace": "team",
            "labels": {labels.MANAGED_BY: labels.MANAGED_BY_OPERATOR, labels.INSTANCE: "studio"},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Studio", "name": "studio", "uid": "u1"}],
        },
        "spec": {
            "selector": {"app": "studio"},
            "ports": [{"name": "http", "port": 8080, "targetPort": "http"}],
        },
    }


async def edited() -> tuple[FakeKube, FakeCluster]:
    """A Service of ours whose port number somebody changed; the API server refuses what an apply would make of it."""
    kube = FakeKube()
    cluster = FakeCluster(kube)
    await apply_all(cluster, OWNER, [service()])
    live = copy.deepcopy(kube.objects[SERVICE, "team", "studio-api"])
    live["spec"]["ports"][0]["port"] = 9999
    kube.put(live)
    return kube, cluster


async def test_a_list_that_an_apply_cannot_mend_is_replaced_whole() -> None:
    kube, cluster = await edited()
    kube.fail(Invalid(422, "Invalid", "spec.ports[1].name: Duplicate value"), verb="apply", kind=SERVICE)
    await apply_all(cluster, OWNER, [service()])
    assert kube.objects[SERVICE, "team", "studio-api"]["spec"]["ports"] == service()["spec"]["ports"]


async def test_parameters_that_an_apply_would_leave_behind_go_with_their_strategy() -> None:
    def of_one_strategy(body: Manifest, _live: Manifest | None) -> None:
        if body["spec"]["strategy"].keys() == {"type", "rollingUpdate"} and body["spec"]["strategy"]["type"] != ROLLING:
            raise Invalid(422, "Invalid", "spec.strategy.rollingUpdate: Forbidden: may not be specified")

    body = {**service(), "apiVersion": "apps/v1", "kind": "Deployment", "spec": {"strategy": {"type": "Recreate"}}}
    kube = RulingKube(of_one_strategy)
    cluster = await applied(kube, body)
    theirs = {"type": ROLLING, "rollingUpdate": {"maxSurge": 1}}
    kube.put(merge_patch(kube.objects[DEPLOYMENT, "team", "studio-api"], {"spec": {"strategy": theirs}}))
    await apply_all(cluster, OWNER, [body])
    assert kube.objects[DEPLOYMENT, "team", "studio-api"]["spec"] == body["spec"]


async def test_a_spec_that_is_refused_itself_is_told() -> None:
    kube, cluster = await edited()
    kube.fail(Invalid(422, "Invalid", "spec.type: Unsupported value"), verb="apply", kind=SERVICE, times=9)
    with pytest.raises(Invalid, match=r"spec\.type"):
        await apply_all(cluster, OWNER, [service()])


class RulingKube(FakeKube):
    """An API server with rules of its own about what it stores."""

    def __init__(self, rule: Callable[[Manifest, Manifest | None], None]) -> None:
        super().__init__()
        self._rule = rule

    def _store(self, place: tuple[Kind, str, str], body: Manifest, live: Manifest | None) -> Manifest:
        self._rule(body, live)
        return super()._store(place, body, live)

    def verbs(self) -> list[str]:
        """What was written since the last look."""
        found = [request.verb for request in self.writes()]
        self.requests.clear()
        return found


def anything(_body: Manifest, _live: Manifest | None) -> None:
    """No rule at all."""


def add_to_selector(kube: FakeKube, more: Manifest) -> None:
    kube.put(merge_patch(kube.objects[SERVICE, "team", "studio-api"], {"spec": {"selector": more}}))


async def applied(kube: FakeKube, body: Manifest) -> FakeCluster:
    cluster = FakeCluster(kube)
    await apply_all(cluster, OWNER, [body])
    return cluster


async def test_what_was_added_to_a_selector_goes_with_one_write() -> None:
    kube = RulingKube(anything)
    cluster = await applied(kube, service())
    before = kube.objects[SERVICE, "team", "studio-api"]["spec"]
    for _ in range(2):
        add_to_selector(kube, {"x": "y"})
        kube.verbs()
        await apply_all(cluster, OWNER, [service()])
        assert kube.objects[SERVICE, "team", "studio-api"]["spec"] == before
        assert kube.verbs() == ["patch"]
        await apply_all(cluster, OWNER, [service()])
        assert kube.verbs() == []


async def test_what_was_added_goes_together_with_what_was_changed() -> None:
    kube = RulingKube(anything)
    cluster = await applied(kube, service())
    before = kube.objects[SERVICE, "team", "studio-api"]["spec"]
    add_to_selector(kube, {"x": "y", "app": "theirs"})
    await apply_all(cluster, OWNER, [service()])
    assert kube.objects[SERVICE, "team", "studio-api"]["spec"] == before


async def test_what_we_stop_wanting_goes_with_what_we_want_instead() -> None:
    kube = RulingKube(anything)
    cluster = await applied(kube, service())
    kube.verbs()
    newer = merge_patch(service(), {"spec": {"selector": {"app": None, "name": "studio"}}})
    await apply_all(cluster, OWNER, [newer])
    assert kube.verbs() == ["apply"]


async def test_what_admission_insists_upon_is_tried_once_until_we_want_something_else() -> None:
    def insist(body: Manifest, _live: Any) -> None:
        body["spec"]["selector"]["zone"] = "a"

    kube = RulingKube(insist)
    cluster = await applied(kube, service())
    await apply_all(cluster, OWNER, [service()])
    kube.verbs()
    for _ in range(3):
        await apply_all(cluster, OWNER, [service()])
        assert kube.verbs() == []
    add_to_selector(kube, {"x": "y"})
    await apply_all(cluster, OWNER, [service()])
    assert kube.objects[SERVICE, "team", "studio-api"]["spec"]["selector"] == {"app": "studio", "zone": "a"}

    newer = merge_patch(service(), {"spec": {"ports": [{"name": "http", "port": 8081}]}})
    await apply_all(cluster, OWNER, [newer])
    await apply_all(cluster, OWNER, [newer])
    kube.verbs()
    await apply_all(cluster, OWNER, [newer])
    assert kube.verbs() == []


def role_binding(role: str) -> Manifest:
    body = service()
    del body["spec"]
    return body | {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": "studio-api", "namespace": "team"}],
    }


def keep_roles(body: Manifest, live: Manifest | None) -> None:
    """A roleRef cannot be changed: https://kubernetes.io/docs/reference/access-authn-authz/rbac/."""
    if live is not None and live["roleRef"] != body["roleRef"]:
        raise Invalid(422, "Invalid", "roleRef: Invalid value: cannot change roleRef")


async def test_a_binding_to_a_role_that_has_another_name_since_is_made_anew() -> None:
    kube = RulingKube(keep_roles)
    cluster = await applied(kube, role_binding("old"))
    uid = kube.objects[ROLEBINDING, "team", "studio-api"]["metadata"]["uid"]
    await apply_all(cluster, OWNER, [role_binding("new")])
    live = kube.objects[ROLEBINDING, "team", "studio-api"]
    assert live["roleRef"]["name"] == "new"
    assert live["metadata"]["uid"] != uid
    kube.verbs()
    await apply_all(cluster, OWNER, [role_binding("new")])
    assert kube.verbs() == []


async def test_a_binding_that_somebody_else_made_since_is_not_deleted() -> None:
    kube = RulingKube(keep_roles)
    cluster = await applied(kube, role_binding("old"))
    stale = copy.deepcopy(kube.objects[ROLEBINDING, "team", "studio-api"])
    stale["metadata"]["uid"] = "of the one before"
    cluster.cached = lambda *_: stale  # type: ignore[method-assign]
    with pytest.raises(Invalid, match="cannot change roleRef"):
        await apply_all(cluster, OWNER, [role_binding("new")])
    assert kube.objects[ROLEBINDING, "team", "studio-api"]["roleRef"]["name"] == "old"


async def test_an_object_without_a_spec_that_is_refused_is_told() -> None:
    kube = FakeKube()
    cluster = await applied(kube, role_binding("same"))
    kube.fail(Invalid(422, "Invalid", "subjects[0].namespace: Required value"), verb="apply", kind=ROLEBINDING, times=9)
    worse = merge_patch(role_binding("same"), {"subjects": []})
    with pytest.raises(Invalid, match=r"subjects\[0\]"):
        await apply_all(cluster, OWNER, [worse])
    assert kube.objects[ROLEBINDING, "team", "studio-api"]["subjects"]
