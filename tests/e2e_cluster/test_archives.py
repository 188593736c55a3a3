"""Image archives: written, read back, and compared with what is present."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from cluster.base_images import BUSYBOX, PAUSE, busybox_image, single_program_image
from cluster.ctr import parse_images
from cluster.errors import ClusterError
from cluster.image_archive import ArchivedImage, archived_images
from cluster.local.containerd import absent_images
from cluster.oci_archive import CONTAINERD_NAME, REF_NAME, ImageSpec, content_name, digest, layer, write_archive

SPEC = ImageSpec(
    name="localhost/test/tool:1",
    files={"/usr/bin/tool": b"\x7fELF"},
    links={"/bin/sh": "tool"},
    writable=("/tmp",),
    entrypoint=("/usr/bin/tool", "--serve"),
)


def members(archive: Path) -> dict[str, bytes]:
    found = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            content = tar.extractfile(member)
            assert content is not None
            found[member.name] = content.read()
    return found


def write_tar(target: Path, files: dict[str, object]) -> Path:
    with tarfile.open(target, "w") as tar:
        for name, value in files.items():
            content = value if isinstance(value, bytes) else json.dumps(value).encode()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return target


def test_a_written_archive_names_its_image_and_manifest(tmp_path: Path) -> None:
    target = tmp_path / "new" / "image.tar"
    manifest = write_archive(SPEC, target)
    assert archived_images(target) == (ArchivedImage(SPEC.name, manifest),)
    assert [path.name for path in target.parent.iterdir()] == ["image.tar"]


def test_every_blob_has_the_digest_and_size_that_is_said_of_it(tmp_path: Path) -> None:
    target = tmp_path / "image.tar"
    write_archive(SPEC, target)
    files = members(target)
    manifest_entry = json.loads(files["index.json"])["manifests"][0]
    manifest = json.loads(files["blobs/" + manifest_entry["digest"].replace(":", "/")])
    for descriptor in (manifest_entry, manifest["config"], *manifest["layers"]):
        blob = files["blobs/" + descriptor["digest"].replace(":", "/")]
        assert (digest(blob), len(blob)) == (descriptor["digest"], descriptor["size"])
    config = json.loads(files["blobs/" + manifest["config"]["digest"].replace(":", "/")])
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]
    assert config["config"]["Entrypoint"] == ["/usr/bin/tool", "--serve"]


def test_the_layer_holds_files_links_and_their_folders() -> None:
    with tarfile.open(fileobj=io.BytesIO(layer(SPEC))) as tar:
        entries = {member.name: member for member in tar}
    assert list(entries) == ["bin", "bin/sh", "tmp", "usr", "usr/bin", "usr/bin/tool"]
    assert entries["usr/bin/tool"].mode == 0o755
    assert entries["bin/sh"].linkname == "tool"
    assert entries["tmp"].mode == 0o1777
    assert entries["usr"].isdir()


def test_the_same_image_gives_the_same_bytes_and_another_one_another_name(tmp_path: Path) -> None:
    first, second = tmp_path / "1.tar", tmp_path / "2.tar"
    assert write_archive(SPEC, first) == write_archive(SPEC, second)
    assert first.read_bytes() == second.read_bytes()
    assert content_name(SPEC) == content_name(SPEC)
    assert content_name(SPEC) != content_name(single_program_image(PAUSE, b"\x7fELF"))


def test_base_images_run_their_only_program() -> None:
    assert single_program_image(PAUSE, b"x").entrypoint == ("/pause",)
    busybox = busybox_image(b"x", ("busybox", "sh", "ls"))
    assert busybox.name == BUSYBOX
    assert busybox.links == {"/bin/sh": "busybox", "/bin/ls": "busybox"}


@pytest.mark.parametrize("prefix", ["", "./"])
def test_all_images_of_an_archive_with_shared_blobs_are_read(tmp_path: Path, prefix: str) -> None:
    index = {
        "manifests": [
            {"digest": "sha256:a", "annotations": {REF_NAME: "localhost/a:1"}},
            {"digest": "sha256:b", "annotations": {REF_NAME: "1", CONTAINERD_NAME: "localhost/b:1"}},
            {"digest": "sha256:c"},
        ]
    }
    archive = write_tar(tmp_path / "many.tar", {f"{prefix}index.json": index})
    assert archived_images(archive) == (
        ArchivedImage("localhost/a:1", "sha256:a"),
        ArchivedImage("localhost/b:1", "sha256:b"),
    )


def test_a_docker_archive_tells_names_but_no_digest(tmp_path: Path) -> None:
    manifest = [{"Config": "c.json", "RepoTags": ["localhost/a:1", "localhost/a:2"]}, {"RepoTags": None}]
    archive = write_tar(tmp_path / "docker.tar", {"manifest.json": manifest})
    assert archived_images(archive) == (ArchivedImage("localhost/a:1", None), ArchivedImage("localhost/a:2", None))


def test_unusable_archives_are_said_to_be_so(tmp_path: Path) -> None:
    nothing = write_tar(tmp_path / "nothing.tar", {"readme": b""})
    text = tmp_path / "text.tar"
    text.write_text("no tar")
    broken = write_tar(tmp_path / "broken.tar", {"index.json": b"{"})
    for archive, words in (
        (nothing, "names no image"),
        (text, "no readable image archive"),
        (broken, "no readable image archive"),
        (tmp_path / "absent.tar", "no readable image archive"),
    ):
        with pytest.raises(ClusterError, match=words):
            archived_images(archive)


def test_only_images_with_the_same_name_and_digest_count_as_present() -> None:
    present = {"localhost/a:1": "sha256:a", "localhost/b:1": "sha256:old"}
    same, changed = ArchivedImage("localhost/a:1", "sha256:a"), ArchivedImage("localhost/b:1", "sha256:new")
    new, unknown = ArchivedImage("localhost/c:1", "sha256:c"), ArchivedImage("localhost/a:1", None)
    assert absent_images((same, changed, new, unknown), present) == (changed, new, unknown)


def test_the_list_of_images_leaves_out_mere_digests() -> None:
    table = (
        "REF TYPE DIGEST SIZE PLATFORMS LABELS\n"
        "localhost/a:1 application/x sha256:a 1.0 MiB linux/amd64 -\n"
        "sha256:b application/x sha256:b 1.0 MiB linux/amd64 -\n"
    )
    assert parse_images(table) == {"localhost/a:1": "sha256:a"}
    assert parse_images("REF TYPE DIGEST SIZE PLATFORMS LABELS\n") == {}
