"""The workflow runs what a person runs here: targets that exist, tools that can be built."""

import re
from pathlib import Path
from typing import Any

import yaml

from cluster.toolchain import SOURCES, TOOLS

ROOT = Path(__file__).parents[3]
WORKFLOW: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yaml").read_text())
STEPS = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]


def test_every_target_exists() -> None:
    targets = set(re.findall(r"^([.a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = {word for step in STEPS for word in re.findall(r"\bmake (?:--\S+ )*([.a-z0-9-]+)", step.get("run", ""))}
    assert called <= targets
    assert {"gates", "test-unit", "test-e2e", "down"} <= called


def test_both_helms_can_be_built() -> None:
    for name in WORKFLOW["jobs"]["chart"]["strategy"]["matrix"]["helm"]:
        assert (SOURCES / TOOLS[name].folder / "go.sum").exists()


def test_it_may_only_read() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert all("timeout-minutes" in job for job in WORKFLOW["jobs"].values())
