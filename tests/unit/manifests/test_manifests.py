"""The manifests against what the code does: rights, security, names that both sides must know."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from studio.contract.labels import AUDIENCE
from studio_operator.api.v1alpha1.assistant import Source, parse_assistant
from studio_operator.api.v1alpha1.studio import parse_studio
from studio_operator.components.service_accounts import BOUND, cluster_role
from studio_operator.config import SERVICE_ACCOUNT, TOKEN_FILE
from studio_operator.images import Images
from studio_operator.reconcile.stages import PRUNED
from studio_operator.runtime.watched import WATCHED

ROOT = Path(__file__).parents[3]
BASE = ROOT / "manifests" / "base"
CHILDREN = {(kind.group, kind.plural) for kind in PRUNED} | {
    ("", "configmaps"),
    ("gateway.networking.k8s.io", "httproutes"),
    ("networking.k8s.io", "ingresses"),
}


def documents(folder: Path) -> list[dict[str, Any]]:
    files = [
        path for path in sorted(folder.glob("*.yaml")) if path.name not in ("kustomization.yaml", "image-fields.yaml")
    ]
    return [document for path in files for document in read(path)]


def read(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def one(kind: str, name: str) -> dict[str, Any]:
    return next(d for d in documents(BASE) if (d["kind"], d["metadata"]["name"]) == (kind, name))


def verbs(role: dict[str, Any]) -> dict[tuple[str, str], set[str]]:
    table: dict[tuple[str, str], set[str]] = {}
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                table.setdefault((group, resource), set()).update(rule["verbs"])
    return table


OPERATOR = {
    ("", "events"): {"create", "patch"},
    ("", "namespaces"): {"get"},
    ("", "pods"): {"list"},
    ("", "secrets"): {"create", "get"},
    ("rbac.authorization.k8s.io", "clusterroles"): {"bind"},
    ("studio-operator.io", "assistants"): {"get", "list", "patch", "watch"},
    ("studio-operator.io", "assistants/finalizers"): {"update"},
    ("studio-operator.io", "assistants/status"): {"patch"},
    ("studio-operator.io", "studios"): {"create", "get", "list", "patch", "watch"},
    ("studio-operator.io", "studios/finalizers"): {"update"},
    ("studio-operator.io", "studios/status"): {"patch"},
} | {child: {"create", "delete", "get", "list", "patch", "watch"} for child in CHILDREN}


def test_the_operator_may_do_what_it_does_and_no_more() -> None:
    assert verbs(one("ClusterRole", "studio-operator")) == OPERATOR


def test_what_is_watched_may_be_watched() -> None:
    for entry in WATCHED:
        assert {"list", "watch"} <= OPERATOR[entry.kind.group, entry.kind.plural]


def test_secrets_are_never_listed() -> None:
    for role in ROLES:
        assert not {"list", "watch"} & verbs(role).get(("", "secrets"), set())


def test_only_the_roles_of_components_can_be_given_away() -> None:
    rules = one("ClusterRole", "studio-operator")["rules"]
    (names,) = [rule["resourceNames"] for rule in rules if "bind" in rule["verbs"]]
    assert set(names) == {cluster_role(component) for component in BOUND}
    for name in names:
        assert one("ClusterRole", name)


ROLES = [d for d in documents(BASE) if d["kind"] in ("ClusterRole", "Role")]


@pytest.mark.parametrize("role", ROLES, ids=lambda d: d["metadata"]["name"])
def test_rules_are_tidy(role: dict[str, Any]) -> None:
    assert "*" not in str(role["rules"])
    for rule in role["rules"]:
        assert rule["verbs"] == sorted(rule["verbs"])
        assert rule["resources"] == sorted(rule["resources"])
    order = [(rule["apiGroups"][0], rule["resources"][0]) for rule in role["rules"]]
    assert order == sorted(order)


def test_the_operator_s_pod_is_restricted() -> None:
    pod = one("Deployment", "studio-operator")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]
    labels = one("Namespace", "studio-operator-system")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_token_for_the_model_service() -> None:
    pod = one("Deployment", "studio-operator")["spec"]["template"]["spec"]
    volume = next(volume for volume in pod["volumes"] if "projected" in volume)
    token = volume["projected"]["sources"][0]["serviceAccountToken"]
    assert token["audience"] == AUDIENCE
    mount = next(m for m in pod["containers"][0]["volumeMounts"] if m["name"] == volume["name"])
    assert Path(mount["mountPath"]) / token["path"] == TOKEN_FILE
    assert pod["serviceAccountName"] == SERVICE_ACCOUNT


def test_every_image_of_a_studio_is_named_and_can_be_replaced() -> None:
    container = one("Deployment", "studio-operator")["spec"]["template"]["spec"]["containers"][0]
    named = {v["name"]: v["value"] for v in container["env"] if v["name"].startswith("RELATED_IMAGE_")}
    Images.from_environment(named)
    # The names that `images:` of a kustomization finds, and those of the folders in images/.
    folders = {path.parent.name for path in ROOT.glob("images/*/Containerfile")}
    for variable, image in named.items():
        name = variable.removeprefix("RELATED_IMAGE_").lower().replace("_", "-")
        assert image.partition(":")[0] == f"studio-{name}"
        assert name in folders


SAMPLES = [(path, d) for path in sorted((ROOT / "manifests" / "samples").glob("*.yaml")) for d in read(path)]
PARSERS = {"Assistant": parse_assistant, "Studio": parse_studio}


@pytest.mark.parametrize("sample", [d for _, d in SAMPLES], ids=[f"{p.stem} {d['kind']}" for p, d in SAMPLES])
def test_samples_are_valid(sample: dict[str, Any]) -> None:
    sample["metadata"]["namespace"] = "n"
    if parse := PARSERS.get(sample["kind"]):
        parse(sample)
    else:
        assert sample["kind"] in ("ConfigMap", "Secret")


def test_there_is_a_sample_of_every_source() -> None:
    sources = {key for _, d in SAMPLES if d["kind"] == "Assistant" for key in d["spec"]["source"]}
    assert sources == set(by_alias(Source))


def by_alias(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]
