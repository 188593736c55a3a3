"""What the API server itself accepts and refuses, in our words; nothing here is stored, no operator is needed."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cluster.errors import ClusterError
from studio_e2e import manifests
from studio_e2e.space import Space, Spaces, refusal

Manifest = dict[str, Any]

FILES = {"files": {"config.yml": "recipe: default.v1\n"}}
ONE_OF_FOUR = "set exactly one of files, configMaps, git, studio"
LONG = "a" * 41


@pytest.fixture(scope="module")
def drawer(spaces: Spaces) -> Iterator[Space]:
    space = spaces.make("schema")
    yield space
    spaces.drop(space)


def assistant(name: str = "sample", **spec: Any) -> Manifest:
    return manifests.assistant(name, **{"source": FILES, **spec})


def env(*variables: Manifest) -> Manifest:
    return assistant(engine={"env": list(variables)})


BOTH_STORES = {"embedded": {}, "external": {"secretRef": {"name": "s"}}}

REFUSED: dict[str, tuple[Manifest, str]] = {
    "two sources": (assistant(source={**FILES, "configMaps": [{"name": "c"}]}), ONE_OF_FOUR),
    "no source": (assistant(source={}), ONE_OF_FOUR),
    "source left out": (manifests.assistant("sample", language="en"), "spec.source: Required value"),
    "name too long": (assistant(LONG), "the name must have at most 40 characters"),
    "name with a dot": (assistant("a.b"), "the name must be lower-case letters, digits and '-'"),
    "name beginning with a digit": (assistant("4u"), "the name must be lower-case letters, digits and '-'"),
    "studio name too long": (manifests.studio(LONG), "the name must have at most 40 characters"),
    "studioRef with a bad name": (assistant(studioRef={"name": "Not-A-Name"}), "spec.studioRef.name"),
    "language with a space": (assistant(language="english please"), "spec.language"),
    "no files": (assistant(source={"files": {}}), "spec.source.files"),
    "ConfigMap path upwards": (
        assistant(source={"configMaps": [{"name": "c", "items": [{"key": "k", "path": "../config.yml"}]}]}),
        "path",
    ),
    "unknown trigger": (assistant(training={"trigger": "Sometimes"}), "spec.training.trigger"),
    "deadline of a second": (assistant(training={"deadlineSeconds": 1}), "spec.training.deadlineSeconds"),
    "eleven retries": (assistant(training={"retries": 11}), "spec.training.retries"),
    "unknown mode": (assistant(running={"mode": "Sometimes"}), "spec.running.mode"),
    "model without a number": (assistant(running={"model": "newest"}), "spec.running.model"),
    "image with a space": (assistant(actions={"image": "my image"}), "spec.actions.image"),
    "actions without an image": (assistant(actions={}), "spec.actions.image"),
    "quantity": (assistant(running={"resources": {"limits": {"memory": "much"}}}), "memory"),
    "value and valueFrom": (
        env({"name": "A", "value": "1", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}),
        "set value or valueFrom, not both",
    ),
    "valueFrom nothing": (
        env({"name": "A", "valueFrom": {}}),
        "set exactly one of secretKeyRef, configMapKeyRef, fieldRef",
    ),
    "one variable twice": (env({"name": "A", "value": "1"}, {"name": "A", "value": "2"}), "duplicate entries for key"),
    "two databases": (manifests.studio(database=BOTH_STORES), "set exactly one of embedded, external"),
    "no database": (manifests.studio(database={}), "set exactly one of embedded, external"),
    "Fixed without a number": (
        manifests.studio(running={"policy": "Fixed"}),
        "set consumers if, and only if, policy is Fixed",
    ),
    "no training consumer": (manifests.studio(training={"consumers": 0}), "spec.training.consumers"),
}

ACCEPTED: dict[str, Manifest] = {
    "files": assistant(),
    "ConfigMaps": assistant(source={"configMaps": [{"name": "a"}, {"name": "b"}]}),
    "items": assistant(source={"configMaps": [{"name": "a", "items": [{"key": "nlu", "path": "nlu.yml"}]}]}),
    "git": assistant(source={"git": {"url": "https://git.example.com/team/bot.git"}}),
    "studio": assistant(source={"studio": {}}),
    "longest name": assistant("a" * 40),
    "model by number": assistant(running={"model": 3}),
    "model by text": assistant(running={"model": "3"}),
    "cpu as a number": assistant(running={"resources": {"requests": {"cpu": 1}}}),
    "language": assistant(language="pt-BR"),
    "variables": env(
        {"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    ),
    "empty Studio": manifests.studio(),
    "fixed consumers": manifests.studio(running={"policy": "Fixed", "consumers": 4}),
    "external database": manifests.studio(database={"external": {"secretRef": {"name": "postgres"}}}),
}


@pytest.mark.parametrize(("manifest", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(drawer: Space, manifest: Manifest, words: str) -> None:
    assert words in refusal(drawer, manifest)


@pytest.mark.parametrize("manifest", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_accepted(drawer: Space, manifest: Manifest) -> None:
    assert refusal(drawer, manifest) == ""


def test_a_namespace_of_the_suite_admits_only_what_is_restricted(drawer: Space) -> None:
    """What every pod of a Studio is started under, so that the suite sees one that asks for more."""
    container = {"name": "main", "image": "registry.invalid/nobody/nothing:0", "securityContext": {"privileged": True}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "greedy"}, "spec": {"containers": [container]}}
    said = refusal(drawer, pod)
    assert 'violates PodSecurity "restricted:latest"' in said
    assert "must not set securityContext.privileged=true" in said


def test_a_studio_ref_cannot_change(drawer: Space) -> None:
    drawer.apply(assistant("settled", studioRef={"name": "elsewhere"}, paused=True))
    said = refusal(drawer, assistant("settled", studioRef={"name": "here"}, paused=True))
    assert "studioRef cannot be changed: create the assistant anew in the other Studio" in said
    drawer.delete("assistant", "settled", "--timeout=60s")


def test_the_volume_of_a_store_cannot_change(drawer: Space) -> None:
    def studio(size: str) -> Manifest:
        return manifests.studio(database={"embedded": {"storage": {"size": size}}}, paused=True)

    drawer.apply(studio("1Gi"))
    said = refusal(drawer, studio("2Gi"))
    assert "database.embedded.storage cannot be changed once the Studio exists" in said
    drawer.delete("studio", "studio", "--timeout=60s")


def test_the_api_server_writes_no_defaults(drawer: Space) -> None:
    drawer.apply(assistant("plain", studioRef={"name": "elsewhere"}, paused=True))
    assert drawer.must_get("assistant", "plain")["spec"] == {
        "source": FILES,
        "studioRef": {"name": "elsewhere"},
        "paused": True,
    }
    drawer.delete("assistant", "plain", "--timeout=60s")


COLUMNS = {
    "asst": (["NAME", "READY", "REASON", "MODEL", "TRAINING", "AGE"], ["MESSAGE", "STUDIO"]),
    "std": (["NAME", "READY", "REASON", "URL", "VERSION", "ASSISTANTS", "SLOTS", "AGE"], ["MESSAGE"]),
}


def test_short_names_columns_and_category(drawer: Space) -> None:
    drawer.apply(assistant("listed", studioRef={"name": "elsewhere"}, paused=True))
    drawer.apply(manifests.studio("listed", paused=True))
    for short, (columns, wide) in COLUMNS.items():
        assert drawer.run("get", short, "listed").splitlines()[0].split() == columns
        assert drawer.run("get", short, "listed", "-o", "wide").splitlines()[0].split() == columns + wide
    listed = set(drawer.run("get", "studio-operator", "-o", "name").split())
    assert {"assistant.studio-operator.io/listed", "studio.studio-operator.io/listed"} <= listed
    drawer.delete("assistant", "listed", "--timeout=60s")
    drawer.delete("studio", "listed", "--timeout=60s")


def test_a_conflict_between_two_people_is_shown(drawer: Space) -> None:
    drawer.apply(assistant("contested", studioRef={"name": "elsewhere"}, paused=True, language="en"))
    other = assistant("contested", language="de")
    with pytest.raises(ClusterError, match=r"conflict.*\.spec\.language"):
        _apply_as_another(drawer, other)
    drawer.delete("assistant", "contested", "--timeout=60s")


def _apply_as_another(drawer: Space, manifest: Manifest) -> None:
    drawer.run("apply", "--server-side", "--field-manager=somebody", "-f", "-", stdin=json.dumps(manifest))
