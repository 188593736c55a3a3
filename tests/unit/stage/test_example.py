"""The wait for the example: what is said of before an edit does not count."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cluster.errors import ClusterError
from cluster.progress import Progress
from stage import example
from stage.kubectl import Kubectl


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(example, "POLL_SECONDS", 0.0)


def seen(kind: str, *, fingerprint: str = "old", generation: int = 1, observed: int = 1) -> dict[str, Any]:
    condition = {"type": kind, "status": "True", "reason": kind, "message": ""}
    ready = {"type": "Ready", "status": "False", "reason": "Training", "message": ""}
    return {
        "metadata": {"generation": generation},
        "status": {
            "observedGeneration": observed,
            "fingerprint": fingerprint,
            "conditions": [condition] if kind == "Ready" else [condition, ready],
        },
    }


def looks(*each: dict[str, Any] | None) -> tuple[Kubectl, Iterator[dict[str, Any] | None]]:
    left = iter(each)
    objects = SimpleNamespace(get=lambda *_: next(left))
    return cast("Kubectl", SimpleNamespace(objects=objects)), left


def wait(*each: dict[str, Any] | None, other_than: str | None = None) -> list[Any]:
    """What was not looked at any more."""
    kubectl, left = looks(*each)
    example.wait_ready(kubectl, "n", Progress(), other_than=other_than)
    return list(left)


def test_an_earlier_generation_does_not_count() -> None:
    assert wait(None, seen("Ready", generation=2), seen("Ready", generation=2, observed=2)) == []


@pytest.mark.parametrize("before", ["Ready", "Stalled"])
def test_earlier_content_does_not_count(before: str) -> None:
    assert wait(seen(before), seen(before), seen("Ready", fingerprint="new"), other_than="old") == []


def test_an_edit_that_trains_nothing_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(example, "NEWS_SECONDS", 0.0)
    assert wait(seen("Ready"), other_than="old") == []


def test_what_will_not_become_ready_is_said() -> None:
    with pytest.raises(ClusterError, match="Training"):
        wait(seen("Stalled"))
