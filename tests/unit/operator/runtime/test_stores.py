import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.kube import CONFIGMAP, DEPLOYMENT, Manifest
from studio_operator.runtime.stores import Difference, MetadataStore, Store, Stores


def body(name: str, version: int, **extra: Any) -> Manifest:
    return {"metadata": {"namespace": "n", "name": name, "resourceVersion": str(version)}, **extra}


@pytest.fixture
def store() -> Store:
    return Store(DEPLOYMENT)


def names(store: Store) -> list[str]:
    return sorted(item["metadata"]["name"] for item in store.select())


def test_events_are_held(store: Store) -> None:
    assert store.observe("ADDED", body("a", 1)) is not None
    assert store.observe("MODIFIED", body("a", 2, spec={})) is not None
    held = store.get("n", "a")
    assert held is not None
    assert (held["kind"], held["apiVersion"], held["spec"]) == ("Deployment", "apps/v1", {})
    assert store.observe("DELETED", body("a", 3)) == Difference(held, None)
    assert store.get("n", "a") is None


def test_old_news_are_no_news(store: Store) -> None:
    store.observe("MODIFIED", body("a", 5))
    assert store.observe("MODIFIED", body("a", 5)) is None
    assert store.observe("MODIFIED", body("a", 4)) is None
    assert store.observe("DELETED", body("a", 4)) is None, "a predecessor of the same name"
    assert names(store) == ["a"]


def test_the_answer_to_the_last_write_does_not_outlive_the_object(store: Store) -> None:
    store.observe("MODIFIED", body("a", 5))
    assert store.observe("DELETED", body("a", 6)) is not None
    assert store.observe(None, body("a", 5)) is None
    assert names(store) == []


def test_a_deletion_of_the_same_version_counts(store: Store) -> None:
    store.observe(None, body("a", 5))
    assert store.observe("DELETED", body("a", 5)) is not None


def test_a_ghost_of_a_watch_gap_vanishes_with_the_next_list(store: Store) -> None:
    for name in "ab":
        store.observe("ADDED", body(name, 1))
    # b was deleted between a 410 and the new list of the watch, which says nothing about it.
    store.observe(None, body("a", 1))
    assert names(store) == ["a", "b"]
    corrections = store.replace([body("a", 1)], "9")
    assert [(c.before or {})["metadata"]["name"] for c in corrections] == ["b"]
    assert names(store) == ["a"]


def test_a_list_does_not_undo_later_events(store: Store) -> None:
    store.observe("ADDED", body("kept", 1))
    store.observe("ADDED", body("gone", 2))
    store.observe("DELETED", body("gone", 11))
    store.observe("ADDED", body("new", 12))
    store.observe("MODIFIED", body("kept", 13))
    assert store.replace([body("kept", 1), body("gone", 2)], "10") == []
    assert names(store) == ["kept", "new"]


def test_a_list_brings_what_the_watch_lost(store: Store) -> None:
    store.observe("ADDED", body("a", 1))
    corrections = store.replace([body("a", 3), body("b", 4)], "9")
    assert len(corrections) == 2
    assert names(store) == ["a", "b"]


def test_lists_of_one_namespace_leave_the_others_alone(store: Store) -> None:
    other = body("x", 1)
    other["metadata"]["namespace"] = "m"
    store.observe("ADDED", other)
    store.observe("ADDED", body("a", 1))
    store.replace([], "9", "n")
    assert names(store) == ["x"]


@given(st.permutations(list(range(6))), st.integers(0, 6))
def test_whatever_the_order_the_truth_wins(order: list[int], listed_at: int) -> None:
    """One object's life as the watch tells it, in any order, and a list taken somewhere in between."""
    life = [("ADDED", 1), ("MODIFIED", 2), ("DELETED", 3), ("ADDED", 4), ("MODIFIED", 5), ("MODIFIED", 6)]
    store = Store(DEPLOYMENT)
    for place, index in enumerate(order):
        if place == listed_at:
            store.replace([body("a", 1)], "1")
        event, version = life[index]
        store.observe(event, body("a", version))
    held = store.get("n", "a")
    assert held is not None
    assert held["metadata"]["resourceVersion"] == "6"


def test_selection(store: Store) -> None:
    item = body("a", 1)
    item["metadata"]["labels"] = {"x": "1", "y": "2"}
    store.observe("ADDED", item)
    store.observe("ADDED", body("b", 1))
    assert len(store.select("n", {"x": "1"})) == 1
    assert store.select("n", {"x": "2"}) == []
    assert len(store.select("n")) == 2
    assert store.select("m") == []


def test_bulk_is_dropped(store: Store) -> None:
    item = body("a", 1)
    copied = "kubectl.kubernetes.io/last-applied-configuration"
    item["metadata"] |= {"managedFields": [{}], "annotations": {copied: "{}", "kept": "1"}}
    before = copy.deepcopy(item)
    store.observe("ADDED", item)
    assert item == before, "the caller's object is left alone"
    held = store.get("n", "a")
    assert held is not None
    assert held["metadata"]["annotations"] == {"kept": "1"}
    assert "managedFields" not in held["metadata"]


def test_config_maps_are_known_by_their_metadata() -> None:
    store = MetadataStore(CONFIGMAP)
    store.observe("ADDED", body("a", 1, data={"x": "large"}))
    assert store.get("n", "a") == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": "n", "resourceVersion": "1"},
    }


def test_unwatched_kinds_are_simply_not_there() -> None:
    stores = Stores([Store(DEPLOYMENT)])
    assert stores.get(CONFIGMAP, "n", "a") is None
    assert stores.learn(CONFIGMAP, body("a", 1)) is None
