"""The namespaced installation, running: everything in one namespace, and no way out of it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from cluster.errors import ClusterError
from stage.kubectl import Kubectl
from studio_e2e import chat, content, installation, manifests
from studio_e2e.assistants import Assistant
from studio_e2e.faults import OPERATOR
from studio_e2e.space import Space, Spaces
from studio_e2e.waiting import eventually

Manifest = dict[str, Any]


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
    kubectl.run("delete", "-f", "-", stdin=yaml.safe_dump_all(own))


def remains(space: Space) -> str:
    kinds = "pods,deployments,services,serviceaccounts,roles,rolebindings"
    return space.run("get", kinds, "-l", "app.kubernetes.io/name=studio-operator", "-o", "name")


def may(confined: Space, verb: str, what: str, where: Space) -> bool:
    account = f"system:serviceaccount:{confined.name}:{OPERATOR}"
    try:
        return where.run("auth", "can-i", verb, what, f"--as={account}").strip() == "yes"
    except ClusterError as no:
        if str(no).endswith(": "):  # kubectl says "no" on standard output and fails without a word
            return False
        raise


def test_an_operator_of_one_namespace_serves_it_and_can_touch_nothing_else(confined: Space, elsewhere: Space) -> None:
    stranger = Assistant(elsewhere, "stranger")
    stranger.apply({"files": content.porter()}, studioRef={"name": "nowhere"})
    porter = Assistant(confined, "porter")
    porter.apply({"files": content.porter()})
    porter.wait_ready(within=300)
    assert chat.say(confined, "porter", "neighbour", ["good day"]) == [[content.GREETING]]

    asked = [("get", "secrets"), ("list", "assistants"), ("patch", "assistants"), ("create", "deployments")]
    assert [may(confined, *one, confined) for one in asked] == [True] * len(asked)
    assert [may(confined, *one, elsewhere) for one in asked] == [False] * len(asked)
    # Everything went its whole way here, and nobody has looked at what was there before.
    assert "status" not in stranger.live()

    porter.delete()


def test_the_cluster_wide_operator_serves_everybody_again(elsewhere: Space) -> None:
    elsewhere.apply(manifests.small_assistant("stranger", {"files": content.porter()}, studioRef={"name": "nowhere"}))
    Assistant(elsewhere, "stranger").wait_for("Stalled", reason="StudioNotFound", within=30)
