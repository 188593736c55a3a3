"""Reads which images a tar archive holds: an OCI image layout or a docker-archive (``docker save``)."""

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import ClusterError
from cluster.oci_archive import CONTAINERD_NAME, REF_NAME


@dataclass(frozen=True)
class ArchivedImage:
    """One image in an archive.

    Attributes:
        name: full reference, for example ``localhost/studio-operator/pause:1``.
        digest: digest of the image's manifest (or of its index of platforms) where the archive tells it, else None:
            a docker-archive has no manifest, the importer makes one.
    """

    name: str
    digest: str | None


def archived_images(archive: Path) -> tuple[ArchivedImage, ...]:
    """List the named images of an archive, in its order.

    Raises:
        ClusterError: the file is missing, is no tar, or is neither of the two formats, or names no image.
    """
    try:
        with tarfile.open(archive) as tar:
            images = _oci_images(tar) or _docker_images(tar)
    except (OSError, tarfile.TarError, ValueError) as error:
        raise ClusterError(f"{archive} is no readable image archive: {error}.") from error
    if not images:
        raise ClusterError(
            f"{archive} names no image: write it as an OCI image layout with the annotation {REF_NAME}, "
            "or as a docker-archive."
        )
    return images


def _oci_images(tar: tarfile.TarFile) -> tuple[ArchivedImage, ...]:
    index = _read_json(tar, "index.json")
    manifests = index.get("manifests", []) if isinstance(index, dict) else []
    named = [(_name(manifest.get("annotations") or {}), manifest["digest"]) for manifest in manifests]
    return tuple(ArchivedImage(name, digest) for name, digest in named if name)


def _name(annotations: dict[str, str]) -> str:
    return annotations.get(CONTAINERD_NAME) or annotations.get(REF_NAME) or ""


def _docker_images(tar: tarfile.TarFile) -> tuple[ArchivedImage, ...]:
    manifest = _read_json(tar, "manifest.json")
    images = manifest if isinstance(manifest, list) else []
    return tuple(ArchivedImage(tag, None) for image in images for tag in image.get("RepoTags") or [])


def _read_json(tar: tarfile.TarFile, name: str) -> object:
    for spelling in (name, f"./{name}"):
        try:
            member = tar.extractfile(spelling)
        except KeyError:
            continue
        if member is not None:
            return json.load(member)
    return None
