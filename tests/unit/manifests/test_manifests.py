"""The manifests against what the code does: rights, security, names that both sides must know."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from studio.contract.labels import AUDIENCE
from studio_operator.api.v1alpha1.assistant import parse_assistant
from studio_operator.api.v1alpha1.studio import parse_studio
from studio_operator.components.service_accounts import BOUND, cluster_role
from studio_operator.config import SERVICE_ACCOUNT, TOKEN_FILE
from studio_operator.reconcile.studio import PRUNED
from studio_operator.runtime.watched import WATCHED

ROOT = Path(__file__).parents[3]
BASE = ROOT / "manifests" / "base"
CHILDREN = {(kind.group, kind.plural) for kind in PRUNED}


def documents(folder: Path) -> list[dict[str, Any]]:
    files = [
        path for path in sorted(folder.glob("*.yaml")) if path.name not in ("kustomization.yaml", "image-fields.yaml")
    ]
    return [document for path in files for document in yaml.safe_load_all(path.read_text())]


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
    ("", "configmaps"): {"get", "list", "watch"},
    ("", "events"): {"create", "patch"},
    ("", "namespaces"): {"get"},
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


def test_samples_are_valid() -> None:
    samples = {d["kind"]: d for d in documents(ROOT / "manifests" / "samples")}
    for sample in samples.values():
        sample["metadata"]["namespace"] = "n"
    parse_assistant(samples["Assistant"])
    parse_studio(samples["Studio"])
