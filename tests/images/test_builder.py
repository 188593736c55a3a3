"""The builder's decisions: keys, order, references, command lines."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from builder import catalog, clients, commands, handover, keys, plan, process
from builder.catalog import Image
from builder.errors import BuildError

TEXT = """ARG BASE_IMAGE=somewhere/base:1
FROM ${BASE_IMAGE}
COPY images/common requirements/one.txt \\
     /opt/
COPY --chmod=0755 app /app
COPY --from=other /x /y
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("images/common/tool", "requirements/one.txt", "app/main.py", "app/sub/more.py", "unrelated.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    containerfile = tmp_path / "images/one/Containerfile"
    containerfile.parent.mkdir()
    containerfile.write_text(TEXT)
    return tmp_path


def key(root: Path, *, base: str = "b", arguments: Mapping[str, str] | None = None) -> str:
    return keys.image_key(
        catalog.discover(root)["one"],
        root=root,
        parent_keys={"base": base},
        arguments=arguments or {},
        sources_of=lambda path: (path,),
    )


def test_inputs_and_parents_come_from_the_containerfile() -> None:
    image = catalog.parse("one", "images/one/Containerfile", TEXT)
    assert image.inputs == ("app", "images/common", "requirements/one.txt")
    assert image.parents == ("base",)
    assert catalog.parents_of("ARG MY_ACTIONS_IMAGE\nARG VERSION=1\n") == ("my-actions",)
    assert catalog.argument_of("my-actions") == "MY_ACTIONS_IMAGE"


@pytest.mark.parametrize("changed", ["app/sub/more.py", "requirements/one.txt", "images/one/Containerfile"])
def test_a_changed_input_changes_the_key(root: Path, changed: str) -> None:
    before = key(root)
    (root / changed).write_text((root / changed).read_text() + "\n")
    assert key(root) != before


def test_a_new_file_and_a_mode_change_the_key(root: Path) -> None:
    before = key(root)
    (root / "app/main.py").chmod(0o755)
    executable = key(root)
    (root / "app/new.py").write_text("")
    assert len({before, executable, key(root)}) == 3


def test_what_is_not_copied_does_not_change_the_key(root: Path) -> None:
    before = key(root)
    (root / "unrelated.py").write_text("changed")
    cached = root / "app/__pycache__/main.cpython-311.pyc"
    cached.parent.mkdir()
    cached.write_text("x")
    assert key(root) == before
    assert len(before) == keys.KEY_LENGTH


def test_base_and_arguments_change_the_key(root: Path) -> None:
    assert len({key(root), key(root, base="c"), key(root, arguments={"VERSION": "2"})}) == 3


def test_a_missing_input_is_named(root: Path) -> None:
    (root / "requirements/one.txt").unlink()
    with pytest.raises(BuildError, match=r"requirements/one\.txt"):
        key(root)


def image(name: str, *parents: str) -> Image:
    return Image(name=name, containerfile=f"images/{name}/Containerfile", parents=parents, inputs=())


def test_parents_come_first() -> None:
    images = {i.name: i for i in (image("a", "z"), image("z", "base"), image("other", "base"), image("store"))}
    assert plan.select(images, ["a"]) == ["z", "a"]
    assert set(plan.select(images, [])) == set(images)
    assert plan.needs_base(images, ["z"])
    assert not plan.needs_base(images, ["store"])


def test_unknown_names_and_circles_are_errors() -> None:
    with pytest.raises(BuildError, match="no image 'x'"):
        plan.select({"a": image("a")}, ["x"])
    with pytest.raises(BuildError, match="circle"):
        plan.select({"a": image("a", "b"), "b": image("b", "a")}, [])


def test_only_missing_references_are_built() -> None:
    assert plan.missing({"a": "r/a:1", "b": "r/b:1"}, ["b", "a"], ["r/a:1"]) == ["b"]


def test_the_newest_two_references_stay() -> None:
    refs = ["r/a:3", "r/a:2", "r/ab:1", "r/a:1"]
    assert plan.superseded("r/a", refs, "r/a:3", 2) == ["r/a:1"]
    assert plan.superseded("r/a", refs, "r/a:1", 2) == ["r/a:2"]


def test_reference() -> None:
    assert keys.reference("engine", "0" * 12) == "localhost/studio-operator/engine:000000000000"
    assert keys.digest(["ab", "c"]) != keys.digest(["a", "bc"])


def test_build_commands() -> None:
    built = image("one", "base")
    arguments = {"BASE_IMAGE": "r/base:1"}
    command = commands.Buildah(Path("/store"), "vfs").build(
        built, "r/one:1", arguments=arguments, volumes=["/etc/apt:/etc/apt"], secrets={"pip": Path("/c/pip.conf")}
    )
    assert command[:8] == [
        "buildah",
        "--root",
        "/store/root",
        "--runroot",
        "/store/run",
        "--storage-driver",
        "vfs",
        "bud",
    ]
    for expected in (
        "--isolation=chroot",
        "--network=host",
        "--file=images/one/Containerfile",
        "--tag=r/one:1",
        "--build-arg=BASE_IMAGE=r/base:1",
        "--secret=id=pip,src=/c/pip.conf",
        "--volume=/etc/apt:/etc/apt",
    ):
        assert expected in command
    assert command[-1] == "."
    docker = commands.docker_build(built, "r/one:1", arguments=arguments, secrets={})
    assert docker[:4] == ["docker", "buildx", "build", "--load"]
    assert not any("volume" in word for word in docker)


def test_pip_settings_leave_local_ones_out() -> None:
    listing = "global.index-url='https://a/simple'\n:env:.index-url='https://b/simple'\n:env:.cert='/x.pem'\n"
    settings = clients.pip_settings(listing)
    assert settings == {"index-url": "https://b/simple"}
    assert clients.pip_conf({"extra-index-url": "x\ny"}) == "[global]\nextra-index-url = x\n    y\n"


def test_failures_are_explained() -> None:
    text = process.explain("buildah", 1, "\n".join(f"line {n}" for n in range(50)) + "\nNo space left on device\n")
    assert text.startswith("The disk is full")
    assert "line 49" in text
    assert "line 3\n" not in text


def test_the_archive_names_each_image_for_containerd() -> None:
    index = json.loads(handover.index_of({"r/a:1": b"{}", "r/b:1": b"[]"}))
    first = index["manifests"][0]
    assert first["annotations"]["io.containerd.image.name"] == "r/a:1"
    assert first["digest"] == "sha256:" + hashlib.sha256(b"{}").hexdigest()
    assert len(index["manifests"]) == 2
