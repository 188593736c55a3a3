"""Writes small container images as tar archives of an OCI image layout, without any image builder.

Formats: OCI Image Layout and OCI Image Manifest, version 1.0 of the Open Container Initiative's image specification.
"""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
GO_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class ImageSpec:
    """An image of one layer.

    Attributes:
        name: full reference, for example ``localhost/studio-operator/pause:1``.
        files: content of every file by its absolute path in the image; every file is executable.
        links: target of every symbolic link by its absolute path in the image.
        writable: folders that every user may write to, like /tmp.
        entrypoint: the command that a container runs by default.
    """

    name: str
    files: Mapping[str, bytes]
    entrypoint: Sequence[str]
    links: Mapping[str, str] = field(default_factory=dict)
    writable: Sequence[str] = ()


def digest(content: bytes) -> str:
    """The content's digest as the OCI specification writes it."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def layer(spec: ImageSpec) -> bytes:
    """The image's file system as a tar; the same input gives the same bytes."""
    paths = {*spec.files, *spec.links, *spec.writable}
    folders = {str(parent) for path in paths for parent in Path(path).parents} - {"/", *spec.writable}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted({*folders, *paths}):
            entry = tarfile.TarInfo(path.lstrip("/"))
            if path in spec.files:
                entry.mode, entry.size = 0o755, len(spec.files[path])
                tar.addfile(entry, io.BytesIO(spec.files[path]))
            elif path in spec.links:
                entry.type, entry.mode, entry.linkname = tarfile.SYMTYPE, 0o777, spec.links[path]
                tar.addfile(entry)
            else:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if path in spec.writable else 0o755
                tar.addfile(entry)
    return buffer.getvalue()


def content_name(spec: ImageSpec) -> str:
    """A file name for the image's archive that changes with its content."""
    parts = [*spec.files, *spec.links, *spec.links.values(), *spec.writable, *spec.entrypoint]
    described = "\0".join([spec.name, *parts, *(digest(content) for content in spec.files.values())])
    return hashlib.sha256(described.encode()).hexdigest()[:16] + ".tar"


def write_archive(spec: ImageSpec, target: Path) -> str:
    """Write the image to a tar file, atomically, and return the digest of its manifest."""
    blobs: dict[str, bytes] = {}

    def descriptor(media_type: str, content: bytes) -> dict[str, object]:
        blobs[digest(content)] = content
        return {"mediaType": media_type, "digest": digest(content), "size": len(content)}

    file_system = layer(spec)
    config = {
        "architecture": GO_ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Entrypoint": list(spec.entrypoint), "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(file_system)]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor(CONFIG_TYPE, _json(config)),
        "layers": [descriptor(LAYER_TYPE, file_system)],
    }
    entry = descriptor(MANIFEST_TYPE, _json(manifest))
    index = {
        "schemaVersion": 2,
        "mediaType": INDEX_TYPE,
        "manifests": [{**entry, "annotations": {REF_NAME: spec.name, CONTAINERD_NAME: spec.name}}],
    }
    members = {"oci-layout": _json({"imageLayoutVersion": "1.0.0"}), "index.json": _json(index)}
    members |= {f"blobs/{name.replace(':', '/')}": content for name, content in blobs.items()}
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    with tarfile.open(partial, "w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.mode, member.size = 0o644, len(content)
            tar.addfile(member, io.BytesIO(content))
    partial.rename(target)
    return str(entry["digest"])


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
