"""The namespaced installation, running: all in one namespace, no way out of it, whatever dies, one end; and its end."""

import json
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from cluster.errors import ClusterError
from stage.kubectl import Kubectl, conditions
from studio.contract.labels import Component
from studio_e2e import assistants, chat, content, faults, installation, manifests
from studio_e2e.assistants import Assistant
from studio_e2e.faults import OPERATOR
from studio_e2e.space import Space, Spaces
from studio_e2e.waiting import NotYet, eventually

Manifest = dict[str, Any]
KILLS = 3
SEED = 20


@pytest.fixture
def elsewhere(operator: None, spaces: Spaces) -> Iterator[Space]:
    made = spaces.make("elsewhere")
    yield made
    spaces.drop(made)


@pytest.fixture
def confined(kubectl: Kubectl, space: Space) -> Iterator[Space]:
    """A namespace with an operator of its own, which serves only this one; the cluster-wide one is away meanwhile."""
    watch = [{"name": "operator", "env": [{"name": "WATCH_NAMESPACES", "value": space.name}]}]
    patch = {"spec": {"template": {"spec": {"containers": watch}}}}
    identity = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": OPERATOR}}
    patches = [{"target": {"kind": "Deployment"}, "patch": json.dumps({**identity, **patch})}]
    with (
        installation.set_aside(kubectl) as refs,
        installation.kustomization(installation.NAMESPACED, refs, namespace=space.name, patches=patches) as folder,
    ):
        installation.install(kubectl, folder)
        installation.wait_ready(space)
        yield space
        remove(kubectl, kubectl.run("kustomize", str(folder)))
        eventually("nothing of it is left", lambda: not remains(space), within=60)


def remove(kubectl: Kubectl, rendered: str) -> None:
    """Delete everything but what the cluster-wide installation shares."""
    own = [one for one in yaml.safe_load_all(rendered) if one["kind"] not in installation.SHARED_KINDS]
    kubectl.run("delete", "--ignore-not-found", "-f", "-", stdin=yaml.safe_dump_all(own))


def remains(space: Space) -> list[Manifest]:
    kinds = "pods,deployments,services,serviceaccounts,roles,rolebindings"
    return space.list(kinds, selector="app.kubernetes.io/name=studio-operator")


def may(confined: Space, verb: str, what: str, where: Space) -> bool:
    account = f"system:serviceaccount:{confined.name}:{OPERATOR}"
    try:
        return where.run("auth", "can-i", verb, what, f"--as={account}").strip() == "yes"
    except ClusterError as no:
        if str(no).endswith(": "):  # kubectl says "no" on standard output and fails without a word
            return False
        raise


@pytest.mark.alone
def test_an_operator_of_one_namespace_is_killed_and_serves_it_all_the_same_and_touches_nothing_else(
    confined: Space, elsewhere: Space
) -> None:
    stranger, porter = Assistant(elsewhere, "stranger"), Assistant(confined, "porter")
    stranger.apply({"files": content.porter()}, studioRef={"name": "nowhere"})
    trainings = ready_in_spite_of_kills(porter)
    assert len(trainings) == 1
    assert [studio["metadata"]["name"] for studio in confined.list("studios")] == ["studio"]
    # On a starved machine an attempt of the run may be lost on the way: the next one serves in its place.
    eventually("one run is left", lambda: len(porter.runs()) == 1, within=60)
    assert assistants.slots(confined) == 2
    assert len(confined.list("jobs", component=Component.MIGRATION.value)) == 1
    assert chat.say(confined, "porter", "survivor", ["good day"]) == [[content.GREETING]]

    asked = [("get", "secrets"), ("list", "assistants"), ("patch", "assistants"), ("create", "deployments")]
    assert [may(confined, *one, confined) for one in asked] == [True] * len(asked)
    assert [may(confined, *one, elsewhere) for one in asked] == [False] * len(asked)
    # Everything went its whole way here, and nobody has looked at what was there before.
    assert "status" not in stranger.live()

    # The operator has to end with its namespace, and its rights do: first it lets go of what only it could let go.
    confined.remove()


def ready_in_spite_of_kills(porter: Assistant) -> set[str]:
    """Apply it where there is no Studio, and kill the operator at some moments; the names of all training Jobs."""
    moments = sorted(random.Random(SEED).uniform(1, 45) for _ in range(KILLS))
    porter.apply_with_content(content.porter())
    start, trainings = time.monotonic(), set[str]()

    def ready() -> Manifest:
        if moments and time.monotonic() - start > moments[0] and faults.kill_operator(porter.space):
            moments.pop(0)
        trainings.update(job["metadata"]["name"] for job in porter.jobs(Component.TRAINING))
        live = porter.live()
        if moments or conditions(live).get("Ready", {}).get("status") != "True":
            raise NotYet(f"{len(moments)} kills to come\n{assistants.summary(live)}")
        return live

    eventually("Ready in spite of the kills", ready, within=300)
    return trainings


def test_the_cluster_wide_operator_serves_everybody_again(elsewhere: Space) -> None:
    elsewhere.apply(manifests.small_assistant("stranger", {"files": content.porter()}, studioRef={"name": "nowhere"}))
    Assistant(elsewhere, "stranger").wait_for("Stalled", reason="StudioNotFound", within=30)
