"""What Argo CD makes of our conditions: the Lua that we ship, run by Lua."""

from pathlib import Path
from typing import Any

import pytest

# Argo CD has gopher-lua, which is Lua 5.1.
from lupa.lua51 import LuaRuntime

HEALTH = (Path(__file__).parents[3] / "manifests" / "argocd" / "health.lua").read_text()


def condition(kind: str, status: str, reason: str = "Why", message: str = "in words") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


READY, NOT_READY = condition("Ready", "True", "Ready"), condition("Ready", "False", "Training")
TABLE: dict[str, tuple[dict[str, Any], str, str]] = {
    "nobody has looked": ({}, "Progressing", "not looked"),
    "nothing is known yet": ({"status": {"observedGeneration": 2}}, "Progressing", "not looked"),
    "as wanted": ({"conditions": [READY]}, "Healthy", "Ready: in words"),
    "a newer spec": ({"conditions": [READY], "observed": 1}, "Progressing", "not looked"),
    "under way": ({"conditions": [NOT_READY, condition("Reconciling", "True", "Training")]}, "Progressing", "Training"),
    "bad content while the old model answers": (
        {"conditions": [NOT_READY, condition("Available", "True"), condition("Stalled", "True", "InvalidContent")]},
        "Degraded",
        "InvalidContent",
    ),
    "it works, less well": (
        {"conditions": [READY, condition("Degraded", "True", "TrackersNotDurable")]},
        "Healthy",
        "TrackersNotDurable",
    ),
    "paused": ({"conditions": [READY, condition("Paused", "True", "SpecPaused")]}, "Suspended", "SpecPaused"),
    "waits for a person": ({"conditions": [condition("Ready", "False", "NotRequested")]}, "Suspended", "NotRequested"),
    "going": ({"conditions": [READY], "metadata": {"deletionTimestamp": "now"}}, "Progressing", "deleted"),
}


def health(resource: dict[str, Any]) -> tuple[str, str]:
    lua = LuaRuntime()
    lua.globals().obj = lua.table_from(resource, recursive=True)
    found = lua.execute(HEALTH)
    return found.status, found.message


@pytest.mark.parametrize("case", TABLE)
@pytest.mark.parametrize("kind", ["Assistant", "Studio"])
def test_health(kind: str, case: str) -> None:
    facts, status, message = TABLE[case]
    known = {"observedGeneration": facts.get("observed", 2), "conditions": facts.get("conditions", [])}
    resource = {
        "kind": kind,
        "metadata": {"generation": 2, **facts.get("metadata", {})},
        **({"status": facts.get("status", known)} if facts else {}),
    }
    found = health(resource)
    assert found[0] == status
    assert message in found[1]
