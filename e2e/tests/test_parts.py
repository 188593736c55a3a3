"""Parts of a Studio that cannot start say why, each in its condition."""

from typing import Any

import pytest

from stage.kubectl import conditions
from studio_e2e import manifests
from studio_e2e.space import Space
from studio_e2e.waiting import NotYet, eventually

TOO_LARGE = {"embedded": {"resources": {"requests": {"cpu": "900"}}}}
TOO_SMALL = {"embedded": {"resources": {"requests": {"memory": "8Mi"}, "limits": {"memory": "8Mi"}}}}


@pytest.mark.parametrize(
    ("spec", "kind", "reason", "words"),
    [
        ({"images": {"registry": "registry.invalid/nobody"}}, "DatabaseReady", "ImagePullFailed", "registry.invalid"),
        ({"database": TOO_LARGE}, "DatabaseReady", "Unschedulable", "Insufficient cpu"),
        ({"objectStore": TOO_SMALL}, "ObjectStoreReady", "CrashLoop", "again and again"),
    ],
    ids=["no image", "no room", "no memory"],
)
def test_a_part_that_does_not_start_is_explained(
    space: Space, spec: dict[str, Any], kind: str, reason: str, words: str
) -> None:
    space.apply(manifests.studio(**spec))

    def told() -> bool:
        said = conditions(space.get("studio", "studio")).get(kind, {})
        if said.get("reason") != reason or words not in said["message"]:
            raise NotYet(f"{kind}: {said}")
        return True

    eventually(f"{kind} says {reason}", told, within=90)
