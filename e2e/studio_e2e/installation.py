"""The operator of the suite set aside for a while, and installed again as it was; with its images for another one."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stage.kubectl import REPOSITORY, Kubectl
from studio_e2e import faults
from studio_e2e.faults import OPERATOR, OPERATOR_NAMESPACE
from studio_e2e.space import Space
from studio_e2e.waiting import NotYet, eventually

Manifest = dict[str, Any]
BUILD = REPOSITORY / "build"
OVERLAYS = REPOSITORY / "manifests" / "overlays"
CLUSTER_WIDE, NAMESPACED = OVERLAYS / "cluster-wide", OVERLAYS / "namespaced"
READY_SECONDS = 90
# A lease that nobody gave back runs out.
LEADS_WITHIN = 30.0
# What all installations of a cluster share; with the definitions all custom resources would go.
SHARED_KINDS = ("CustomResourceDefinition", "ClusterRole", "Namespace")


def images(kubectl: Kubectl) -> dict[str, str]:
    """The full references that the operator at hand was installed with, by the name in the manifests."""
    home = Space(kubectl, OPERATOR_NAMESPACE)
    container = home.must_get("deployment", OPERATOR)["spec"]["template"]["spec"]["containers"][0]
    related = {v["name"]: v["value"] for v in container["env"] if v["name"].startswith("RELATED_IMAGE_")}
    named = {name.removeprefix("RELATED_IMAGE_").lower().replace("_", "-"): ref for name, ref in related.items()}
    return {**named, "operator": container["image"]}


@contextmanager
def kustomization(overlay: Path, refs: Mapping[str, str], **more: Any) -> Iterator[Path]:
    """A folder with a kustomization on top of an overlay, as a user would write one."""
    folder = BUILD / f"e2e-{overlay.name}"
    folder.mkdir(parents=True, exist_ok=True)
    body = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [f"../../{overlay.relative_to(REPOSITORY)}"],
        "images": [_image(f"studio-{name}", ref) for name, ref in refs.items()],
        **more,
    }
    (folder / "kustomization.yaml").write_text(json.dumps(body, indent=2))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def install(kubectl: Kubectl, folder: Path) -> None:
    """`kubectl apply -k`; returns when it is there."""
    kubectl.run("apply", "--server-side", "--force-conflicts", "-k", str(folder))


def wait_ready(space: Space) -> None:
    """Until the operator in this namespace has rolled out."""
    space.run("rollout", "status", f"deployment/{OPERATOR}", f"--timeout={READY_SECONDS}s", timeout=READY_SECONDS + 10)


@contextmanager
def set_aside(kubectl: Kubectl) -> Iterator[dict[str, str]]:
    """No operator of the suite for as long as the block runs; gives the images of the one that was there."""
    home, refs = Space(kubectl, OPERATOR_NAMESPACE), images(kubectl)
    home.patch("deployment", OPERATOR, {"spec": {"replicas": 0}})
    home.run("wait", "--for=delete", "pod", "-l", "app.kubernetes.io/component=operator", "--timeout=60s", timeout=70)
    try:
        yield refs
    finally:
        restore(kubectl, refs)


def restore(kubectl: Kubectl, refs: Mapping[str, str]) -> None:
    """The operator of the suite, as `stage` installs it; returns when it leads, and works."""
    home = Space(kubectl, OPERATOR_NAMESPACE)
    with kustomization(CLUSTER_WIDE, refs) as folder:
        install(kubectl, folder)
    wait_ready(home)

    def leads() -> bool:
        pods = {pod["metadata"]["name"] for pod in faults.operator_pods(home)}
        if (leader := faults.leader(home)) not in pods:
            raise NotYet(f"{leader or 'nobody'} leads")
        return True

    eventually("the operator leads", leads, within=LEADS_WITHIN)


def _image(name: str, ref: str) -> Manifest:
    new_name, _, tag = ref.rpartition(":")
    return {"name": name, "newName": new_name, "newTag": tag}
