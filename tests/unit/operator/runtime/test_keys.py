from typing import Any

import pytest

from studio.contract.labels import ASSISTANT as ASSISTANT_LABEL
from studio.contract.labels import MANAGED_BY, MANAGED_BY_MODEL_SERVICE, MANAGED_BY_OPERATOR, Component, common
from studio.kube import ASSISTANT, CONFIGMAP, DEPLOYMENT, JOB, SERVICE, STUDIO, Manifest
from studio_operator.runtime.keys import Key, concerned


def assistant(name: str = "a", **spec: Any) -> Manifest:
    return {"kind": "Assistant", "metadata": {"namespace": "n", "name": name}, "spec": spec}


def child(component: Component, *, instance: str, managed_by: str = MANAGED_BY_OPERATOR, **labels: str) -> Manifest:
    carried = common(instance=instance, studio="s", component=component, managed_by=managed_by, version="1") | labels
    return {"metadata": {"namespace": "n", "name": "whatever", "labels": carried}}


def test_an_assistant_concerns_itself_and_its_studio() -> None:
    assert concerned(ASSISTANT, assistant(), []) == {Key("Assistant", "n", "a"), Key("Studio", "n", "studio")}
    named = assistant(studioRef={"name": "other"})
    assert Key("Studio", "n", "other") in concerned(ASSISTANT, named, [])


def test_a_studio_concerns_its_assistants() -> None:
    studio = {"kind": "Studio", "metadata": {"namespace": "n", "name": "studio"}}
    others = [assistant("a"), assistant("b", studioRef={"name": "other"})]
    assert concerned(STUDIO, studio, others) == {Key("Studio", "n", "studio"), Key("Assistant", "n", "a")}


@pytest.mark.parametrize("component", [c for c in Component if c.value not in ("actions", "run", "training")])
def test_children_of_a_studio(component: Component) -> None:
    assert concerned(DEPLOYMENT, child(component, instance="s"), []) == {Key("Studio", "n", "s")}


def test_children_of_an_assistant_even_one_named_like_its_studio() -> None:
    assert concerned(DEPLOYMENT, child(Component.ACTIONS, instance="s"), []) == {Key("Assistant", "n", "s")}


@pytest.mark.parametrize("kind", [JOB, SERVICE])
def test_what_the_model_service_manages(kind: Any) -> None:
    labels = {ASSISTANT_LABEL: "a"}
    body = child(Component.RUN, instance="a", managed_by=MANAGED_BY_MODEL_SERVICE, **labels)
    assert concerned(kind, body, []) == {Key("Assistant", "n", "a")}


def test_config_maps_concern_who_names_them() -> None:
    body = {"metadata": {"namespace": "n", "name": "content"}}
    naming = assistant("a", source={"configMaps": [{"name": "content"}, {"name": "more"}]})
    others = [assistant("b", source={"configMaps": [{"name": "else"}]}), assistant("c", source={"files": {}})]
    assert concerned(CONFIGMAP, body, [naming, *others]) == {Key("Assistant", "n", "a")}


@pytest.mark.parametrize("source", [None, "text", {}, {"configMaps": None}, {"configMaps": ["x", {}]}, {"files": {}}])
def test_nonsense_in_a_spec_concerns_nobody(source: Any) -> None:
    body = {"metadata": {"namespace": "n", "name": "x"}}
    assert concerned(CONFIGMAP, body, [assistant(source=source)]) == set()


def test_strangers_concern_nobody() -> None:
    assert concerned(SERVICE, {"metadata": {"namespace": "n", "name": "x"}}, []) == set()
    stranger = child(Component.DATABASE, instance="s")
    del stranger["metadata"]["labels"][MANAGED_BY]
    assert concerned(SERVICE, stranger, []) == set()
