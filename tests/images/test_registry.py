"""Images for a cluster of somebody else: their names there, and how they get there."""

from pathlib import Path

import pytest

from builder import handover, registry
from builder.errors import BuildError

REFS = {"engine": "localhost/studio-operator/engine:91daaa3b43e4", "operator": "localhost/studio-operator/operator:0a"}


class Store:
    """Remembers what was pushed."""

    def __init__(self) -> None:
        self.pushed: list[tuple[str, str, bool]] = []

    def push(self, ref: str, target: str, *, tls: bool) -> None:
        self.pushed.append((ref, target, tls))


def test_a_registry_is_part_of_every_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_REGISTRY", "registry.example.com/team/studio/")
    assert (
        registry.published(REFS, registry.chosen())["engine"] == "registry.example.com/team/studio/engine:91daaa3b43e4"
    )
    monkeypatch.delenv("STUDIO_REGISTRY")
    assert registry.published(REFS, registry.chosen()) == REFS


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("localhost:5000/studio", True), ("127.0.0.1:5000", True), ("[::1]:5000/a", True), ("localhost/studio", True),
        ("registry.example.com:5000/studio", False), ("localhost.example.com/studio", False),
    ],
)  # fmt: skip
def test_only_a_registry_on_this_machine_is_asked_without_tls(name: str, local: bool) -> None:
    store = Store()
    registry.push(REFS, ["operator"], store, name)  # type: ignore[arg-type]
    assert store.pushed == [(REFS["operator"], f"{name}/operator:0a", not local)]


def test_a_cluster_of_somebody_else_says_how_it_gets_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        handover, "output_of", lambda command, cwd: {"images": "", "provider": "existing\n"}[command[-1]]
    )
    with pytest.raises(BuildError, match="set STUDIO_REGISTRY to a registry that it pulls from"):
        handover.load(tmp_path, REFS, list(REFS), Store())  # type: ignore[arg-type]
