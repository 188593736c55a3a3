"""What counts as drift: every change of a wanted field, and nothing that the API server does by itself."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.kube import Manifest
from studio_operator.planning.drift import APPLIED, difference, stamped

DEPLOYMENT: Manifest = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "a", "labels": {"app": "web"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "spec": {
                "automountServiceAccountToken": False,
                "containers": [
                    {
                        "name": "web",
                        "image": "web:1",
                        "args": ["serve", "--fast"],
                        "env": [{"name": "A", "value": "1"}, {"name": "EMPTY", "value": ""}],
                        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                        "resources": {"limits": {"memory": "1Gi"}, "requests": {"cpu": "500m"}},
                        "volumeMounts": [
                            {"name": "tmp", "mountPath": "/tmp"},
                            {"name": "tmp", "mountPath": "/run", "subPath": "run"},
                        ],
                    }
                ],
                "volumes": [{"name": "tmp", "emptyDir": {}}],
            }
        },
    },
}


def served(body: Manifest) -> Manifest:
    """The object as the API server gives it back: defaulted, canonical, with a status."""
    live = copy.deepcopy(body)
    live["metadata"] |= {"uid": "u", "resourceVersion": "7", "generation": 1, "managedFields": []}
    live["metadata"]["annotations"] = {
        **body["metadata"].get("annotations", {}),
        "deployment.kubernetes.io/revision": "1",
    }
    live["spec"] |= {"progressDeadlineSeconds": 600, "strategy": {"type": "RollingUpdate"}}
    pod = live["spec"]["template"]["spec"]
    pod |= {"dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler", "securityContext": {}}
    container = pod["containers"][0]
    container |= {"imagePullPolicy": "IfNotPresent", "terminationMessagePath": "/dev/termination-log"}
    del container["env"][1]["value"]
    container["resources"]["requests"]["cpu"] = "0.5"
    container["resources"]["limits"]["memory"] = "1024Mi"
    container["env"].append({"name": "INJECTED", "value": "by a mesh"})
    live["status"] = {"replicas": 2}
    return live


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all scalars."""
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in leaves(inner, (*path, key))]
    if isinstance(value, list):
        return [leaf for place, inner in enumerate(value) for leaf in leaves(inner, (*path, place))]
    return [path]


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def test_what_the_api_server_adds_is_no_drift() -> None:
    assert difference(DEPLOYMENT, served(DEPLOYMENT)) is None


@pytest.mark.parametrize("path", leaves(DEPLOYMENT), ids=str)
def test_a_change_of_any_wanted_leaf_is_drift(path: tuple[Any, ...]) -> None:
    live = served(DEPLOYMENT)
    at(live, path[:-1])[path[-1]] = {True: False, False: True}.get(at(DEPLOYMENT, path), "something else")
    assert difference(DEPLOYMENT, live)


# The API server itself takes out empty strings.
@pytest.mark.parametrize("path", [path for path in leaves(DEPLOYMENT) if at(DEPLOYMENT, path) != ""], ids=str)
def test_a_wanted_leaf_that_is_gone_is_drift(path: tuple[Any, ...]) -> None:
    live = served(DEPLOYMENT)
    del at(live, path[:-1])[path[-1]]
    assert difference(DEPLOYMENT, live)


def test_the_path_of_the_first_difference_is_told() -> None:
    live = served(DEPLOYMENT)
    live["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = "2"
    assert difference(DEPLOYMENT, live) == "spec.template.spec.containers[web].env[A].value"


def test_a_removed_security_setting_is_drift_although_it_is_false() -> None:
    live = served(DEPLOYMENT)
    del live["spec"]["template"]["spec"]["automountServiceAccountToken"]
    assert difference(DEPLOYMENT, live) == "spec.template.spec.automountServiceAccountToken"


def test_a_volume_whose_source_was_replaced_is_drift() -> None:
    live = served(DEPLOYMENT)
    live["spec"]["template"]["spec"]["volumes"] = [{"name": "tmp", "hostPath": {"path": "/"}}]
    assert difference(DEPLOYMENT, live) == "spec.template.spec.volumes[tmp].emptyDir"


def test_the_order_of_keyed_items_does_not_matter_and_that_of_others_does() -> None:
    live = served(DEPLOYMENT)
    container = live["spec"]["template"]["spec"]["containers"][0]
    container["env"].reverse()
    container["volumeMounts"].reverse()
    assert difference(DEPLOYMENT, live) is None
    container["args"].reverse()
    assert difference(DEPLOYMENT, live) == "spec.template.spec.containers[web].args[0]"


@pytest.mark.parametrize(
    ("wanted", "live", "same"),
    [
        ("500m", "0.5", True),
        ("1Gi", "1024Mi", True),
        ("1", 1, True),
        ("1e3", "1k", True),
        ("1E", "1000P", True),
        ("1.5Gi", "1536Mi", True),
        ("500m", "501m", False),
        ("1G", "1Gi", False),
        ("v1", "v2", False),
        ("1..2", "1..2", True),
        ("1..2", "1.2", False),
        (True, 1, True),
        (True, "1", False),
        ("", "0", False),
    ],
)
def test_quantities_are_compared_by_value(wanted: Any, live: Any, same: bool) -> None:
    assert (difference({"x": wanted}, {"x": live}) is None) is same


KEYS = st.sampled_from(["name", "a", "b", "c"])
JSON = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.text("abc", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "a", "b", "c"]), inner, max_size=3)
    ),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(["spec", "data", "x"]), JSON, max_size=3)


@given(OBJECTS)
def test_nothing_differs_from_itself(body: Manifest) -> None:
    assert difference(body, copy.deepcopy(body)) is None


@given(OBJECTS, st.dictionaries(st.sampled_from(["later", "more"]), JSON))
def test_more_fields_than_wanted_are_no_drift(body: Manifest, more: Manifest) -> None:
    if not _has_doubles(body):
        assert difference(body, copy.deepcopy(body) | more) is None


@given(OBJECTS, OBJECTS)
def test_what_it_calls_equal_stays_equal_with_defaults(one: Manifest, other: Manifest) -> None:
    if difference(one, other) is None and not _has_doubles(one):
        assert difference(one, other | {"default": "by the server"}) is None


def _has_doubles(value: Any) -> bool:
    """Lists with two items of one name are refused by the API server, so they are out of scope."""
    if isinstance(value, dict):
        return any(_has_doubles(inner) for inner in value.values())
    if isinstance(value, list):
        names = [repr(item["name"]) for item in value if isinstance(item, dict) and "name" in item]
        unhashable = any(isinstance(item.get("name"), dict | list) for item in value if isinstance(item, dict))
        return unhashable or len(set(names)) < len(names) or any(_has_doubles(inner) for inner in value)
    return False


def test_the_stamp_follows_the_content_and_replaces_nothing() -> None:
    body = copy.deepcopy(DEPLOYMENT)
    body["metadata"]["annotations"] = {"note": "kept"}
    stamp = stamped(body)["metadata"]["annotations"]
    assert stamp["note"] == "kept"
    assert stamped(copy.deepcopy(body))["metadata"]["annotations"] == stamp
    del body["spec"]["template"]["spec"]["containers"][0]["env"][0]
    assert stamped(body)["metadata"]["annotations"][APPLIED] != stamp[APPLIED]
    assert APPLIED not in body["metadata"]["annotations"]


def test_a_field_that_is_no_longer_wanted_is_drift() -> None:
    live = served(stamped(DEPLOYMENT))
    fewer = copy.deepcopy(DEPLOYMENT)
    del fewer["spec"]["template"]["spec"]["containers"][0]["args"]
    assert difference(stamped(fewer), live) == f"metadata.annotations.{APPLIED}"
