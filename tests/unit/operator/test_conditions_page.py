"""docs/conditions.md names every condition and every reason, and none that does not exist.

A reason is a word in CamelCase, so every such literal in the modules that make reasons must be on the page, unless it
is listed here as something else: a new literal forces a decision.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from studio.kube.obstacles import Obstacle
from studio_operator.status import assistant, conditions, studio

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "conditions.md").read_text()
MODULES = [
    *sorted((ROOT / "operator/studio_operator/status").glob("*.py")),
    *sorted((ROOT / "operator/studio_operator/reconcile").glob("*.py")),
    ROOT / "operator/studio_operator/planning/content.py",
    ROOT / "services/studio/contract/reasons.py",
    *(
        ROOT / "services/studio/model_service" / name
        for name in (
            "consumers/attempts.py",
            "consumers/attendant.py",
            "consumers/plan.py",
            "consumers/running_plan.py",
            "consumers/running_strategy.py",
            "consumers/training_plan.py",
            "consumers/training_strategy.py",
            "items.py",
            "orchestrators/ending.py",
            "orchestrators/running/plan.py",
            "orchestrators/running/reconciler.py",
            "queue.py",
        )
    ),
]
TYPES = {
    "Ready",
    "Available",
    *conditions.ONLY_WHILE_TRUE,
    *assistant.STEPS,
    *studio.PART_CONDITIONS,
}
SETTINGS = {"Always", "BeforeTrainingEnds", "Delete", "Manual", "Never", "OnChange", "OnDemand"}
OF_KUBERNETES = {
    *("Studio", "Job", "Secret", "Opaque", "Service", "StatefulSet"),
    *("True", "False", "Complete", "Failed", "Progressing", "Background", "Foreground"),
    *("ContainerCannotRun", "CrashLoopBackOff", "StartError"),
}
# States of items, notes of the audit, endings that only decide about the next attempt.
OF_THE_QUEUE = {"Running", "Warming", "Draining", "Adopted", "Released", "Reprioritised", "Crashed", "Problem"}
# The end of the reason of an event, the name of a class in an annotation, and the kind of a key of the work queue.
OTHER_WORDS = {"Ended", "ContentProblem", "Realm"}
_WORD = re.compile(r"(?:[A-Z][a-z]+)+")


def literals(path: Path) -> Iterator[str]:
    """The words in CamelCase that the code of a module holds, its exports excepted."""
    tree = ast.parse(path.read_text())
    exports = [node for node in tree.body if isinstance(node, ast.Assign) and "__all__" in ast.unparse(node.targets[0])]
    exported = {id(node) for export in exports for node in ast.walk(export)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in exported:
            yield from _WORD.findall(node.value) if _WORD.fullmatch(node.value) else ()


def first_column(heading: str) -> set[str]:
    """The words in the first column of the tables whose head begins with `heading`."""
    tables = re.findall(rf"^\| {heading} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    cells = [row.split("|")[1] for table in tables for row in table.splitlines()]
    return {word for cell in cells for word in re.findall(r"`(\w+)`", cell)}


REASONS = {word for module in MODULES for word in literals(module)} | set(Obstacle)


def test_every_reason_is_on_the_page() -> None:
    others = (TYPES - first_column("reason")) | SETTINGS | OF_KUBERNETES | OF_THE_QUEUE | OTHER_WORDS
    assert sorted(REASONS - others - first_column("reason")) == []


def test_the_page_has_no_reason_that_does_not_exist() -> None:
    assert sorted(first_column("reason") - REASONS) == []


def test_every_condition_is_on_the_page() -> None:
    assert first_column("condition") == TYPES


def test_what_is_excepted_occurs() -> None:
    assert sorted((SETTINGS | OF_KUBERNETES | OF_THE_QUEUE | OTHER_WORDS) - REASONS) == []
