"""The chart: the same objects as the kustomization, and a release that comes, changes, goes and comes again."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from cluster.errors import ClusterError
from stage import chart
from stage.kubectl import Kubectl, conditions
from studio_e2e import assistants, chat, installation
from studio_e2e.assistants import Porter
from studio_e2e.faults import OPERATOR, OPERATOR_NAMESPACE
from studio_e2e.helm import RELEASE, Helm
from studio_e2e.space import Space
from studio_e2e.waiting import eventually

Manifest = dict[str, Any]

DEFINITIONS = ("crd/assistants.studio-operator.io", "crd/studios.studio-operator.io")
EVERYTHING = (
    "replicas=2",
    "podDisruptionBudget.enabled=true",
    "networkPolicy.enabled=true",
    "monitoring.serviceMonitor.enabled=true",
    "monitoring.prometheusRule.enabled=true",
    "images.registry=registry.example.com/studio",
    "images.pullSecrets[0].name=mirror",
    "watchNamespaces={one,two}",
    "serviceAccount.annotations.team=bots",
    "extraEnv[0].name=NO_PROXY",
    "extraEnv[0].value=.svc",
)
OF_HELM = ("app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "helm.sh/chart")


@pytest.fixture(scope="module")
def helm(kubectl: Kubectl) -> Helm:
    return Helm.built(kubectl.kubeconfig, OPERATOR_NAMESPACE)


def rendered(helm: Helm, *values: str) -> list[Manifest]:
    options = [option for value in values for option in ("--set", value)]
    text = helm.run("template", RELEASE, str(chart.CHART), "--kube-version", chart.KUBERNETES, *options)
    return [document for document in yaml.safe_load_all(text) if document]


def by_identity(objects: list[Manifest]) -> dict[tuple[str, str, str], Manifest]:
    """Objects by kind, namespace and name, without what only a release of Helm has."""
    found = {}
    for one in objects:
        metadata = one["metadata"]
        pod = one["spec"].get("template", {}).get("metadata", {}) if one["kind"] == "Deployment" else {}
        for labelled in (metadata, pod):
            labelled["labels"] = {k: v for k, v in labelled.get("labels", {}).items() if k not in OF_HELM}
        metadata.get("annotations", {}).pop("helm.sh/resource-policy", None)
        if not metadata.get("annotations", {"": ""}):
            del metadata["annotations"]
        found[one["kind"], metadata.get("namespace", ""), metadata["name"]] = one
    return found


def test_chart_and_kustomization_make_the_same_objects(helm: Helm, kubectl: Kubectl) -> None:
    kustomized = by_identity(list(yaml.safe_load_all(kubectl.run("kustomize", str(installation.CLUSTER_WIDE)))))
    # Helm makes the namespace by itself.
    del kustomized["Namespace", "", OPERATOR_NAMESPACE]
    assert by_identity(rendered(helm)) == kustomized


def test_what_is_rendered_from_the_chart_is_committed(helm: Helm) -> None:
    for path, text in chart.rendered(helm.program).items():
        assert path.read_text() == text, path


@pytest.mark.parametrize("values", [(), EVERYTHING], ids=["defaults", "everything"])
def test_the_linter_has_nothing_to_say(helm: Helm, values: tuple[str, ...]) -> None:
    options = [option for value in values for option in ("--set", value)]
    assert "0 chart(s) failed" in helm.run("lint", "--strict", str(chart.CHART), *options)


def test_every_switch_makes_its_object(helm: Helm) -> None:
    found = by_identity(rendered(helm, *EVERYTHING))
    kinds = {kind for kind, _, _ in found}
    assert {"PodDisruptionBudget", "NetworkPolicy", "ServiceMonitor", "PrometheusRule"} <= kinds
    assert "ClusterRoleBinding" not in kinds
    assert {space for kind, space, name in found if (kind, name) == ("RoleBinding", OPERATOR)} == {"one", "two"}
    pod = found["Deployment", OPERATOR_NAMESPACE, OPERATOR]["spec"]["template"]["spec"]
    env = {variable["name"]: variable.get("value") for variable in pod["containers"][0]["env"]}
    assert pod["topologySpreadConstraints"][0]["topologyKey"] == "kubernetes.io/hostname"
    assert (env["WATCH_NAMESPACES"], env["NO_PROXY"]) == ("one,two", ".svc")
    assert env["RELATED_IMAGE_KEYCLOAK"].startswith("registry.example.com/studio/studio-keycloak:")


def test_without_rights_on_the_cluster_nothing_of_the_cluster_is_made(helm: Helm) -> None:
    values = ("crds.install=false", "rbac.clusterRoles=false", "rbac.userRoles=false", "watchNamespaces={one}")
    assert all(namespace for _, namespace, _ in by_identity(rendered(helm, *values)))


@pytest.mark.parametrize(
    ("value", "field"),
    [("replica=2", "replica"), ("logLevel=LOUD", "logLevel"), ("watchNamespaces={Team}", "watchNamespaces")],
)
def test_a_value_that_cannot_be_used_is_named(helm: Helm, value: str, field: str) -> None:
    with pytest.raises(ClusterError, match=field):
        rendered(helm, value)


@pytest.fixture
def release(helm: Helm, kubectl: Kubectl, porter: Porter) -> Iterator[dict[str, str]]:
    """Room for a release in the place of the suite's operator; gives the images of that."""
    refs = installation.images(kubectl)
    yield refs
    helm.uninstall()
    # The definitions were kept: they belong to nobody again.
    marks = ("meta.helm.sh/release-name-", "meta.helm.sh/release-namespace-", "helm.sh/resource-policy-")
    kubectl.run("annotate", *DEFINITIONS, *marks)
    kubectl.run("label", *DEFINITIONS, "app.kubernetes.io/managed-by-")
    installation.restore(kubectl, refs)


@pytest.mark.alone
def test_a_release_comes_changes_goes_and_comes_again(
    helm: Helm, kubectl: Kubectl, porter: Porter, release: dict[str, str]
) -> None:
    home, studio = Space(kubectl, OPERATOR_NAMESPACE), porter.space
    before = porter.live()
    # As somebody does who installed with kustomize until now.
    helm.install(release, "--take-ownership")
    assert home.must_get("deployment", OPERATOR)["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"

    helm.upgrade("--set", "logLevel=DEBUG")
    container = home.must_get("deployment", OPERATOR)["spec"]["template"]["spec"]["containers"][0]
    assert {"name": "LOG_LEVEL", "value": "DEBUG"} in container["env"]
    porter.wait_ready(within=60)

    helm.uninstall()
    assert home.get("deployment", OPERATOR) is None
    # The definitions stayed, everything that is made of them, and whoever answers.
    assert porter.live()["metadata"]["uid"] == before["metadata"]["uid"]
    assert chat.say(studio, porter.name, "orphan", ["good day"]) == [[porter.greeting]]
    assistants.set_training_consumers(studio, 2)

    helm.install(release)
    eventually(
        "the change is found",
        lambda: studio.must_get("deployment", "studio-training-consumer")["spec"]["replicas"] == 2,
        within=60,
    )
    assistants.set_training_consumers(studio, 1)
    assistants.wait_studio_ready(studio)
    after = porter.wait_ready(within=60)
    assert after["status"]["run"] == before["status"]["run"]
    assert conditions(after)["Ready"]["lastTransitionTime"] == conditions(before)["Ready"]["lastTransitionTime"]
    assert json.loads(helm.run("list", "-o", "json"))[0]["status"] == "deployed"
