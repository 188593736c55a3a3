"""The fake API server behaves, where it is relied on, as the real one does."""

import asyncio
from typing import Any

import pytest
from tests.fakes.kube import FakeKube
from tests.fakes.kube_selectors import matches_fields, matches_labels

from studio.kube import (
    ASSISTANT,
    CONFIGMAP,
    DEPLOYMENT,
    NAMESPACE,
    AlreadyExists,
    Conflict,
    Forbidden,
    Gone,
    Manifest,
    NotFound,
    Unavailable,
)


def config_map(name: str = "a", **data: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "n", "labels": {"app": name}},
        "data": data,
    }


def deployment(containers: list[Manifest], **spec: Any) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "n"},
        "spec": {"template": {"spec": {"containers": containers}}, **spec},
    }


@pytest.fixture
def kube() -> FakeKube:
    return FakeKube()


async def test_create_get_delete(kube: FakeKube) -> None:
    made = await kube.create(CONFIGMAP, config_map(x="1"))
    assert made["metadata"]["uid"]
    assert await kube.get(CONFIGMAP, "n", "a") == made
    with pytest.raises(AlreadyExists):
        await kube.create(CONFIGMAP, config_map())
    assert not await kube.delete(CONFIGMAP, "n", "a", uid="another")
    assert await kube.delete(CONFIGMAP, "n", "a")
    assert await kube.get(CONFIGMAP, "n", "a") is None
    assert not await kube.delete(CONFIGMAP, "n", "a")


async def test_applying_the_same_changes_nothing(kube: FakeKube) -> None:
    one = await kube.apply(config_map(x="1"), field_manager="m")
    assert await kube.apply(config_map(x="1"), field_manager="m") == one


async def test_what_is_no_longer_applied_disappears(kube: FakeKube) -> None:
    await kube.apply(config_map(x="1", y="2"), field_manager="m")
    assert (await kube.apply(config_map(x="1"), field_manager="m"))["data"] == {"x": "1"}


async def test_fields_of_others_stay(kube: FakeKube) -> None:
    await kube.apply(config_map(x="1", y="2"), field_manager="m")
    await kube.apply(config_map(y="2", z="3"), field_manager="other")
    assert (await kube.apply(config_map(x="1"), field_manager="m"))["data"] == {"x": "1", "y": "2", "z": "3"}


async def test_conflicts_unless_forced(kube: FakeKube) -> None:
    await kube.apply(config_map(x="1"), field_manager="m")
    with pytest.raises(Conflict):
        await kube.apply(config_map(x="2"), field_manager="other", force=False)
    assert (await kube.apply(config_map(x="2"), field_manager="other"))["data"] == {"x": "2"}


async def test_named_list_items_merge(kube: FakeKube) -> None:
    await kube.apply(deployment([{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]), field_manager="m")
    kube.objects[DEPLOYMENT, "n", "d"]["spec"]["template"]["spec"]["containers"].append({"name": "sidecar"})
    applied = await kube.apply(deployment([{"name": "a", "image": "2"}]), field_manager="m")
    assert applied["spec"]["template"]["spec"]["containers"] == [{"name": "a", "image": "2"}, {"name": "sidecar"}]


async def test_generation_follows_the_spec_only(kube: FakeKube) -> None:
    await kube.apply(deployment([]), field_manager="m")
    kube.set_status(DEPLOYMENT, "n", "d", {"readyReplicas": 1})
    live = await kube.apply(deployment([], replicas=2), field_manager="m")
    assert live["metadata"]["generation"] == 2
    assert live["status"] == {"readyReplicas": 1}


async def test_status_is_a_subresource(kube: FakeKube) -> None:
    body = {"apiVersion": ASSISTANT.api_version, "kind": "Assistant", "metadata": {"name": "a", "namespace": "n"}}
    assert "status" not in await kube.apply(body | {"spec": {}, "status": {"x": 1}}, field_manager="m")
    live = await kube.apply_status(body | {"status": {"x": 1, "y": 2}}, field_manager="m")
    assert live["status"] == {"x": 1, "y": 2}
    assert live["spec"] == {}
    assert (await kube.apply_status(body | {"status": {"y": 2}}, field_manager="m"))["status"] == {"y": 2}
    with pytest.raises(NotFound):
        await kube.apply_status(body | {"metadata": {"name": "b", "namespace": "n"}, "status": {}}, field_manager="m")


async def test_compare_and_swap(kube: FakeKube) -> None:
    old = await kube.apply(config_map(x="1"), field_manager="m")
    version = old["metadata"]["resourceVersion"]
    await kube.patch(CONFIGMAP, "n", "a", {"data": {"x": "2"}}, resource_version=version)
    with pytest.raises(Conflict):
        await kube.patch(CONFIGMAP, "n", "a", {"data": {"x": "3"}}, resource_version=version)
    with pytest.raises(Conflict):
        await kube.replace(CONFIGMAP, old)


async def test_finalizers_hold_an_object(kube: FakeKube) -> None:
    body = config_map()
    body["metadata"]["finalizers"] = ["f"]
    await kube.create(CONFIGMAP, body)
    assert await kube.delete(CONFIGMAP, "n", "a")
    live = await kube.get(CONFIGMAP, "n", "a")
    assert live is not None
    assert "deletionTimestamp" in live["metadata"]
    await kube.patch(CONFIGMAP, "n", "a", {"metadata": {"finalizers": []}})
    assert await kube.get(CONFIGMAP, "n", "a") is None


async def test_garbage_is_collected(kube: FakeKube) -> None:
    owner = await kube.create(CONFIGMAP, config_map("owner"))
    for name, uid in (("child", owner["metadata"]["uid"]), ("grandchild", "")):
        parent = uid or (await kube.get(CONFIGMAP, "n", "child") or {})["metadata"]["uid"]
        body = config_map(name)
        body["metadata"]["ownerReferences"] = [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": parent}
        ]
        await kube.create(CONFIGMAP, body)
    kube.collect_garbage()
    assert len(kube.objects) == 3
    await kube.delete(CONFIGMAP, "n", "owner")
    kube.collect_garbage()
    assert not kube.objects


async def test_a_terminating_namespace_takes_nothing_new(kube: FakeKube) -> None:
    await kube.create(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}})
    await kube.create(CONFIGMAP, config_map())
    await kube.delete(NAMESPACE, None, "n")
    with pytest.raises(Forbidden):
        await kube.apply(config_map("b"), field_manager="m")
    kube.finish_namespace("n")
    assert not kube.objects


async def test_faults(kube: FakeKube) -> None:
    kube.fail(Unavailable(500, "InternalError", "boom"), verb="create", after=True)
    with pytest.raises(Unavailable):
        await kube.create(CONFIGMAP, config_map())
    assert await kube.get(CONFIGMAP, "n", "a"), "the answer was lost, not the write"
    kube.fail(Unavailable(500, "InternalError", "boom"), kind=CONFIGMAP)
    with pytest.raises(Unavailable):
        await kube.get(CONFIGMAP, "n", "a")
    assert await kube.get(CONFIGMAP, "n", "a")
    assert [request.verb for request in kube.writes()] == ["create"]


async def test_watch_continues_a_list(kube: FakeKube) -> None:
    await kube.create(CONFIGMAP, config_map("a"))
    _, version = await kube.list_with_version(CONFIGMAP, "n")
    await kube.create(CONFIGMAP, config_map("b"))
    seen: list[tuple[str, str]] = []

    async def follow() -> None:
        async for event, body in kube.watch(CONFIGMAP, "n", labels="app in (b, c)", resource_version=version):
            seen.append((event, body["metadata"]["name"]))
            if event == "DELETED":
                return

    following = asyncio.create_task(follow())
    await asyncio.sleep(0)
    await kube.create(CONFIGMAP, config_map("c"))
    await kube.create(CONFIGMAP, config_map("d"))
    await kube.delete(CONFIGMAP, "n", "b")
    await following
    assert seen == [("ADDED", "b"), ("ADDED", "c"), ("DELETED", "b")]


async def test_a_compacted_watch_is_gone(kube: FakeKube) -> None:
    await kube.create(CONFIGMAP, config_map())
    kube.compact()
    with pytest.raises(Gone):
        async for _ in kube.watch(CONFIGMAP, resource_version="1"):
            pass


async def test_closed_watches_end(kube: FakeKube) -> None:
    async def follow() -> int:
        return len([event async for event in kube.watch(CONFIGMAP)])

    following = asyncio.create_task(follow())
    await asyncio.sleep(0)
    kube.close_watches()
    assert await following == 0


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("", True),
        ("a=1", True),
        ("a==1,b!=1", True),
        ("a in (1, 2),c notin (x)", True),
        ("!c,a", True),
        ("a!=1", False),
        ("c", False),
        ("a notin (1)", False),
    ],
)
def test_label_selectors(selector: str, expected: bool) -> None:
    assert matches_labels({"a": "1", "b": "2"}, selector) is expected


def test_field_selectors() -> None:
    body = {"metadata": {"name": "a"}}
    assert matches_fields(body, "metadata.name=a,metadata.namespace!=x")
    assert not matches_fields(body, "metadata.name!=a")
