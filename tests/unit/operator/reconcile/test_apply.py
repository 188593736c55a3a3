"""The applier where server-side apply alone does not help."""

import copy

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.kube import FakeKube

from studio.contract import labels
from studio.kube import SERVICE, Manifest
from studio.kube.errors import Invalid
from studio_operator.reconcile.apply import apply_all

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
        "spec": {"ports": [{"name": "http", "port": 8080, "targetPort": "http"}]},
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


async def test_a_spec_that_is_refused_itself_is_told() -> None:
    kube, cluster = await edited()
    kube.fail(Invalid(422, "Invalid", "spec.type: Unsupported value"), verb="apply", kind=SERVICE, times=9)
    with pytest.raises(Invalid, match=r"spec\.type"):
        await apply_all(cluster, OWNER, [service()])
