"""The operator on a cluster: the kustomize overlay with the images of this checkout."""

import json
import sys
from pathlib import Path

from cluster.command import run
from cluster.errors import ClusterError
from cluster.progress import Progress
from stage.kubectl import REPOSITORY, Kubectl

NAMESPACE = "studio-operator-system"
DEPLOYMENT = "studio-operator"
OVERLAY = Path("manifests/overlays/cluster-wide")
READY_SECONDS = 120
# Names in the manifests, of the operator's own image and of those that it gives to Studios, and in the image builder.
IMAGES = {
    "studio-operator": "operator",
    "studio-services": "services",
    "studio-engine": "engine",
    "studio-database": "database",
    "studio-object-store": "object-store",
    "studio-event-broker": "event-broker",
    "studio-keycloak": "keycloak",
    "studio-web-client": "web-client",
    "studio-entry-proxy": "entry-proxy",
}


def install(kubectl: Kubectl, progress: Progress) -> None:
    """Apply CRDs and operator, then wait until its Deployment has rolled out."""
    with progress.step("operator applied"):
        kubectl.apply(_manifest(kubectl, render(image_refs())))
    with progress.step("operator ready"):
        kubectl.run("wait", "--for=condition=Established", "crd/assistants.studio-operator.io", "--timeout=30s")
        status = ("-n", NAMESPACE, "rollout", "status", f"deployment/{DEPLOYMENT}", f"--timeout={READY_SECONDS}s")
        kubectl.run(*status, timeout=READY_SECONDS + 30)


def remove(kubectl: Kubectl, progress: Progress) -> None:
    """Delete the operator and its CRDs.

    Raises:
        ClusterError: there are still Assistants or Studios: their models would be left behind.
    """
    if left := _left(kubectl):
        raise ClusterError(
            f"The operator stays for {', '.join(left[:5])}{' and others' if left[5:] else ''}: delete all Assistants "
            "and Studios first (kubectl get assistants,studios --all-namespaces)."
        )
    with progress.step("operator removed"):
        manifest = _manifest(kubectl, REPOSITORY / OVERLAY)
        kubectl.run("delete", "--ignore-not-found", "--timeout=120s", "-f", "-", stdin=manifest, timeout=150)


def _left(kubectl: Kubectl) -> list[str]:
    """The custom resources on the cluster, as kind namespace/name."""
    objects = kubectl.objects
    kinds = [kind for kind in ("assistants", "studios") if objects.get("crd", f"{kind}.studio-operator.io") is not None]
    found = [each for kind in kinds for each in objects.list(kind)]
    return [f"{each['kind']} {each['metadata']['namespace']}/{each['metadata']['name']}" for each in found]


def _manifest(kubectl: Kubectl, folder: Path) -> str:
    return kubectl.run("kustomize", "--load-restrictor", "LoadRestrictionsNone", str(folder))


def image_refs() -> dict[str, str]:
    """The full reference of every image of this checkout, by name."""
    environment = "PYTHONPATH=images:e2e"
    output = run(["env", environment, sys.executable, "-m", "builder", "refs"], cwd=REPOSITORY, timeout=120)
    refs: dict[str, str] = json.loads(output)
    return refs


def render(refs: dict[str, str]) -> Path:
    """Write a kustomization into build/ that sets the images on the overlay; returns its folder."""
    folder = REPOSITORY / "build" / "operator"
    folder.mkdir(parents=True, exist_ok=True)
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [f"../../{OVERLAY}"],
        "images": [_image(name, refs[image]) for name, image in IMAGES.items()],
    }
    (folder / "kustomization.yaml").write_text(json.dumps(kustomization, indent=2))
    return folder


def _image(name: str, ref: str) -> dict[str, str]:
    new_name, _, tag = ref.rpartition(":")
    return {"name": name, "newName": new_name, "newTag": tag}
