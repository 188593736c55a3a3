"""Handing images to the cluster: one OCI image layout, so that layers which images share travel once."""

import hashlib
import io
import json
import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from builder.errors import BuildError
from builder.plan import missing
from builder.process import output_of, run, say
from builder.registry import VARIABLE
from builder.store import BuildahStore, DockerStore, cache_folder

_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_BLOB = re.compile(r"[0-9a-f]{64}")
_NAME_ANNOTATIONS = ("org.opencontainers.image.ref.name", "io.containerd.image.name")


def cluster_images(root: Path) -> list[str]:
    """References that the cluster already has."""
    return output_of([sys.executable, "-m", "cluster", "images"], cwd=root / "e2e").split()


def _provider(root: Path) -> str:
    return output_of([sys.executable, "-m", "cluster", "provider"], cwd=root / "e2e").strip()


def index_of(manifests: Mapping[str, bytes]) -> bytes:
    """The index of a layout: each image's manifest, under its full reference as containerd reads it."""
    entries = [
        {
            "mediaType": _MANIFEST,
            "digest": f"sha256:{hashlib.sha256(manifest).hexdigest()}",
            "size": len(manifest),
            "annotations": dict.fromkeys(_NAME_ANNOTATIONS, ref),
        }
        for ref, manifest in manifests.items()
    ]
    return json.dumps({"schemaVersion": 2, "mediaType": _INDEX, "manifests": entries}).encode()


def write_layout(store: BuildahStore, refs: Sequence[str], archive: Path, root: Path) -> None:
    """Write one tar with all images and every layer once.

    By way of buildah's plain folders: its own layouts compress each layer, which takes longer than all the rest.
    """
    manifests: dict[str, bytes] = {}
    written: set[str] = set()
    log = cache_folder() / "logs" / "load.log"
    with tarfile.open(archive, "w") as tar, tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        for ref in refs:
            folder = Path(scratch) / "image"
            command = store.buildah.command("push", "--quiet", "--disable-compression", ref, f"dir:{folder}")
            run(command, log=log, cwd=root, env=store.env)
            manifests[ref] = (folder / "manifest.json").read_bytes()
            for blob in sorted(folder.iterdir()):
                if _BLOB.fullmatch(blob.name) and blob.name not in written:
                    tar.add(blob, arcname=f"blobs/sha256/{blob.name}")
                    written.add(blob.name)
            shutil.rmtree(folder)
        for manifest in manifests.values():
            _add(tar, f"blobs/sha256/{hashlib.sha256(manifest).hexdigest()}", manifest)
        _add(tar, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
        _add(tar, "index.json", index_of(manifests))


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def load(root: Path, refs: Mapping[str, str], order: Sequence[str], store: BuildahStore | DockerStore) -> None:
    """Give the cluster the images that it lacks."""
    todo = [refs[name] for name in missing(refs, order, cluster_images(root))]
    if not todo:
        say("the cluster has every image")
        return
    if _provider(root) == "existing":
        raise BuildError(
            f"The cluster lacks {len(todo)} images ({todo[0]} is one), and only its owner can put any on its nodes: "
            f"set {VARIABLE} to a registry that it pulls from, such as registry.example.com/studio, to push them there."
        )
    folder = cache_folder() / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / "load.tar"
    say(f"writing {len(todo)} images to one archive")
    try:
        if isinstance(store, DockerStore):
            output_of(["docker", "save", "--output", str(archive), *todo])
        else:
            write_layout(store, todo, archive, root)
        say(f"loading {archive.stat().st_size / 1e6:.0f} MB into the cluster")
        log = cache_folder() / "logs" / "load.log"
        run([sys.executable, "-m", "cluster", "load", str(archive)], log=log, cwd=root / "e2e")
    finally:
        archive.unlink(missing_ok=True)
    say("the cluster has every image")
