"""The applier: whose an object is, and what it does when the stores know less than the API server."""

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.kube import FakeKube

from studio.contract import labels
from studio.kube import SERVICE, Manifest
from studio_operator.reconcile.apply import Conflict, Vanishing, apply_all

OURS = {labels.MANAGED_BY: labels.MANAGED_BY_OPERATOR, labels.INSTANCE: "studio"}
OWNER: Manifest = {"kind": "Studio", "metadata": {"name": "studio", "namespace": "team", "uid": "u1"}}
REFERENCE = {"kind": "Studio", "name": "studio", "uid": "u1"}


def service(*owners: Manifest, carried: dict[str, str] | None = None, **metadata: str) -> Manifest:
    found: Manifest = {"name": "web", "namespace": "team", "labels": OURS if carried is None else carried} | metadata
    if owners:
        found["ownerReferences"] = list(owners)
    return {"apiVersion": "v1", "kind": "Service", "metadata": found, "spec": {"type": "ClusterIP"}}


@pytest.fixture
def kube() -> FakeKube:
    return FakeKube()


async def apply(kube: FakeKube, body: Manifest) -> None:
    await apply_all(FakeCluster(kube), OWNER, [body])


async def test_an_object_of_ours_without_our_labels_is_found_live_and_put_right(kube: FakeKube) -> None:
    kube.put(service(REFERENCE, carried={}))
    await apply(kube, service(REFERENCE))
    assert kube.objects[SERVICE, "team", "web"]["metadata"]["labels"] == OURS


@pytest.mark.parametrize(
    "theirs",
    [
        service(carried={}),
        service(carried={"app": "web"}),
        service(carried={**OURS, labels.INSTANCE: "other"}),
        service({"kind": "Deployment", "name": "web", "uid": "u9"}),
        service({"kind": "Studio", "name": "other", "uid": "u9"}),
    ],
    ids=["bare", "labelled", "of another studio", "owned by another kind", "owned by another studio"],
)
async def test_what_belongs_to_somebody_else_is_a_conflict(kube: FakeKube, theirs: Manifest) -> None:
    before = kube.put(theirs)
    with pytest.raises(Conflict, match=r"Service web exists and belongs to .*: rename or delete it"):
        await apply(kube, service(REFERENCE))
    assert kube.objects[SERVICE, "team", "web"] == before


@pytest.mark.parametrize(
    "leaving",
    [service({**REFERENCE, "uid": "u0"}), service(carried={}, deletionTimestamp="2026-11-21T00:00:00Z")],
    ids=["of our predecessor", "being deleted"],
)
async def test_what_is_on_its_way_out_is_waited_for(kube: FakeKube, leaving: Manifest) -> None:
    kube.put(leaving | {"metadata": leaving["metadata"] | {"finalizers": ["wait"]}})
    with pytest.raises(Vanishing):
        await apply(kube, service(REFERENCE))


async def test_an_orphan_of_ours_is_taken_back(kube: FakeKube) -> None:
    kube.put(service())
    await apply(kube, service(REFERENCE))
    assert kube.objects[SERVICE, "team", "web"]["metadata"]["ownerReferences"] == [REFERENCE]


async def test_the_same_twice_is_one_write(kube: FakeKube) -> None:
    await apply(kube, service(REFERENCE))
    await apply(kube, service(REFERENCE))
    assert len(kube.writes()) == 1
