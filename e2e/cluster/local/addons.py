"""What every cluster has beside Kubernetes itself: cluster DNS and a default StorageClass."""

from pathlib import Path
from string import Template

from cluster import base_images
from cluster.command import run
from cluster.local.addresses import AddressPlan
from cluster.paths import Paths

MANIFESTS = Path(__file__).with_name("addons.yaml")
DEPLOYMENTS = ("coredns", "local-path-provisioner")


def render_addons(template: str, plan: AddressPlan, volumes: Path) -> str:
    """Fill in the manifests' images, the DNS Service's address and the folder for volumes.

    Raises:
        KeyError: the template has a placeholder of another name.
    """
    return Template(template).substitute(
        busybox_image=base_images.BUSYBOX,
        coredns_image=base_images.COREDNS,
        local_path_image=base_images.LOCAL_PATH,
        dns_service=plan.dns_service,
        volumes=volumes,
    )


def apply_addons(paths: Paths, plan: AddressPlan, kubectl: Path) -> None:
    """Create or update the add-ons.

    Raises:
        CommandError: the API server refused a manifest.
    """
    manifests = render_addons(MANIFESTS.read_text(), plan, paths.volumes)
    apply = ("apply", "--server-side", "--validate=false", "-f", "-")
    run([kubectl, "--kubeconfig", paths.kubeconfig(), *apply], text=manifests)
