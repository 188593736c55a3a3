"""What is taken away of what somebody put in, and what the API server and its admission may put in for good."""

import copy
from typing import Any

import pytest
from tests.fakes.kube_merge import merge_patch
from tests.unit.operator.planning.test_drift import DEPLOYMENT, served

from studio.kube import Manifest
from studio_operator.planning.drift import difference
from studio_operator.planning.repair import fields_of, replacement, surplus

SERVICE: Manifest = {
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}]},
}
STATEFUL_SET: Manifest = {**DEPLOYMENT, "kind": "StatefulSet"}


def changed(body: Manifest, spec: Manifest) -> Manifest:
    """The object as the API server gives it back once somebody has patched its spec."""
    return merge_patch(served(body) if body is not SERVICE else body, {"spec": spec})  # type: ignore[no-any-return]


def in_pod(spec: Manifest) -> Manifest:
    return {"template": {"spec": spec}}


def in_container(**fields: Any) -> Manifest:
    (container,) = served(DEPLOYMENT)["spec"]["template"]["spec"]["containers"]
    return in_pod({"containers": [{**container, **fields}]})


ADDED: dict[str, tuple[Manifest, Manifest]] = {
    "a label in a selector": (SERVICE, {"selector": {"x": "y"}}),
    "a paused roll-out": (DEPLOYMENT, {"paused": True}),
    "a node selector": (DEPLOYMENT, in_pod({"nodeSelector": {"disk": "ssd"}})),
    "a node selector of a store": (STATEFUL_SET, in_pod({"nodeSelector": {"disk": "ssd"}})),
    "a command": (DEPLOYMENT, in_container(command=["sleep"])),
    "a command of a store": (STATEFUL_SET, in_container(command=["sleep"])),
}


@pytest.mark.parametrize(("body", "spec"), ADDED.values(), ids=ADDED.keys())
def test_what_breaks_us_is_taken_away_and_nothing_else(body: Manifest, spec: Manifest) -> None:
    before, after = changed(body, {}), changed(body, spec)
    assert difference(body, after) is None, "an apply would not mend it"
    assert merge_patch(after, surplus(body, after)) == before


def test_arguments_where_we_set_none_are_taken_away() -> None:
    body = copy.deepcopy(DEPLOYMENT)
    (container,) = body["spec"]["template"]["spec"]["containers"]
    del container["args"]
    assert merge_patch(changed(DEPLOYMENT, {}), surplus(body, served(DEPLOYMENT))) == served(body)


def test_several_of_them_go_at_once() -> None:
    spec = merge_patch(in_container(command=["sleep"]), {"paused": True, **in_pod({"nodeSelector": {"disk": "ssd"}})})
    after = changed(DEPLOYMENT, spec)
    patch = surplus(DEPLOYMENT, after)
    pod = "spec.template.spec"
    assert fields_of(patch) == ["spec.paused", f"{pod}.nodeSelector", f"{pod}.containers"]
    assert merge_patch(after, patch) == served(DEPLOYMENT)


SIDECAR = {"name": "proxy", "image": "mesh:1", "command": ["proxy"], "args": ["--all"]}
LEFT: dict[str, tuple[Manifest, Manifest]] = {
    "nothing": (DEPLOYMENT, {}),
    "addresses": (SERVICE, {"clusterIP": "10.0.0.1", "sessionAffinity": "None"}),
    "what is said to be empty": (DEPLOYMENT, {"paused": False, **in_pod({"nodeSelector": {}})}),
    "an empty command": (DEPLOYMENT, in_container(command=[], args=["serve", "--fast"])),
    "a container beside ours": (
        DEPLOYMENT,
        in_pod({"containers": [*served(DEPLOYMENT)["spec"]["template"]["spec"]["containers"], SIDECAR]}),
    ),
    "a Job of a queue": ({**DEPLOYMENT, "kind": "Job"}, {"suspend": True, **in_pod({"nodeSelector": {"pool": "gpu"}})}),
}


@pytest.mark.parametrize(("body", "spec"), LEFT.values(), ids=LEFT.keys())
def test_what_others_may_add_is_left(body: Manifest, spec: Manifest) -> None:
    assert surplus(body, changed(body, spec)) == {}


def test_names_that_mean_something_elsewhere_mean_nothing_as_labels() -> None:
    live = served(DEPLOYMENT)
    live["metadata"]["labels"]["paused"] = live["metadata"]["annotations"]["command"] = "true"
    assert surplus(DEPLOYMENT, live) == {}


def test_an_object_without_a_spec_has_nothing_too_much() -> None:
    assert surplus({"kind": "ConfigMap", "metadata": {}}, {"kind": "ConfigMap", "data": {"paused": "true"}}) == {}


def test_what_we_do_not_set_of_a_strategy_goes_with_its_replacement() -> None:
    body = copy.deepcopy(DEPLOYMENT)
    body["spec"]["strategy"] = {"type": "Recreate"}
    live = served(DEPLOYMENT)
    live["spec"]["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert merge_patch(live, replacement(body, live))["spec"]["strategy"] == {"type": "Recreate"}


def test_a_replacement_leaves_addresses_and_what_others_note_on_pods() -> None:
    live = changed(SERVICE, {"clusterIP": "10.0.0.1", "selector": {"x": "y"}})
    assert merge_patch(live, replacement(SERVICE, live))["spec"] == {**SERVICE["spec"], "clusterIP": "10.0.0.1"}
    body = merge_patch(DEPLOYMENT, {"spec": {"template": {"metadata": {"labels": {"app": "web"}}}}})
    noted = merge_patch(body, {"spec": {"template": {"metadata": {"annotations": {"restartedAt": "noon"}}}}})
    assert merge_patch(noted, replacement(body, noted)) == noted
