"""Building against a store that only remembers."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from builder.building import build
from builder.catalog import Image, discover
from builder.errors import BuildError


class MemoryStore:
    """A store that builds nothing."""

    def __init__(self, during_build: Callable[[], None] = lambda: None) -> None:
        self.refs: list[str] = []
        self.built: list[tuple[str, Mapping[str, str]]] = []
        self.removable = True
        self._during_build = during_build

    def base_ref(self) -> str:
        return "r/base:1"

    def references(self) -> list[str]:
        return list(self.refs)

    def ensure_base(self) -> None:
        pass

    def build(self, image: Image, ref: str, arguments: Mapping[str, str]) -> None:
        self.built.append((image.name, arguments))
        self.refs.insert(0, ref)
        self._during_build()

    def remove(self, refs: Sequence[str]) -> None:
        if refs and not self.removable:
            raise BuildError("in use")
        self.refs = [ref for ref in self.refs if ref not in refs]

    def push(self, ref: str, target: str, *, tls: bool) -> None:
        raise AssertionError("a build pushes nothing")

    def size(self, ref: str) -> int:
        return len(ref)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    (tmp_path / "main.py").write_text("")
    for name, text in {"one": "ARG BASE_IMAGE\nCOPY main.py /\n", "two": "ARG ONE_IMAGE\n"}.items():
        (tmp_path / "images" / name).mkdir(parents=True)
        (tmp_path / "images" / name / "Containerfile").write_text(text)
    return tmp_path


def test_builds_once_and_passes_the_parents(root: Path) -> None:
    store = MemoryStore()
    refs = build(root, discover(root), ["one", "two"], store)
    assert [name for name, _ in store.built] == ["one", "two"]
    assert store.built[0][1] == {"BASE_IMAGE": "r/base:1", "VERSION": "1.2.3"}
    assert store.built[1][1] == {"ONE_IMAGE": refs["one"], "VERSION": "1.2.3"}
    assert build(root, discover(root), ["one", "two"], store) == refs
    assert len(store.built) == 2


def test_sources_that_change_during_the_build_are_built_again(root: Path) -> None:
    def edit() -> None:
        (root / "main.py").write_text("changed")

    store = MemoryStore(during_build=edit)
    refs = build(root, discover(root), ["one"], store)
    assert len(store.built) == 2
    assert store.refs == [refs["one"]]


def test_old_images_go_unless_they_are_in_use(root: Path) -> None:
    store = MemoryStore()
    for content in "abc":
        (root / "main.py").write_text(content)
        build(root, discover(root), ["one"], store)
    assert len(store.refs) == 2
    store.removable = False
    (root / "main.py").write_text("d")
    build(root, discover(root), ["one"], store)
    assert len(store.refs) == 3
