"""Whole-object equality with tests/golden; `UPDATE_GOLDEN=1` writes what is built now, for review as a diff."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.operator.components.samples import EXTERNAL, FULL, STUDIO_COMPONENTS

from studio_operator.components import actions, database, engine, object_store, secrets

GOLDEN = Path(__file__).parents[3] / "golden" / "components"


def compare(name: str, built: list[dict[str, Any]]) -> None:
    path = GOLDEN / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.dump_all(built, Dumper=yaml.SafeDumper, sort_keys=False, width=120))
    assert built == list(yaml.safe_load_all(path.read_text())), f"{path.name} differs: UPDATE_GOLDEN=1 writes it anew"


def plain(value: Any) -> Any:
    """Without the shared sub-objects that YAML would write as anchors, and without enums."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


def module_name(module: Any) -> str:
    return str(module.__name__.rpartition(".")[2])


@pytest.mark.parametrize("module", STUDIO_COMPONENTS, ids=module_name)
def test_default_studio(module: Any, studio: Any) -> None:
    compare(f"studio-{module_name(module)}", plain(module.objects(studio())))


@pytest.mark.parametrize("module", STUDIO_COMPONENTS[3:], ids=module_name)
def test_external_studio(module: Any, studio: Any) -> None:
    compare(f"studio-external-{module_name(module)}", plain(module.objects(studio(EXTERNAL))))


def test_embedded_stores_are_left_out_where_external_ones_are_named(studio: Any) -> None:
    context = studio(EXTERNAL)
    assert database.objects(context) == []
    assert object_store.objects(context) == []


def test_actions(assistant: Any) -> None:
    compare("assistant-actions", plain(actions.objects(assistant(FULL))))


def test_no_actions(assistant: Any) -> None:
    assert actions.objects(assistant()) == []


@pytest.mark.parametrize(("name", "spec"), [("default", {}), ("full", FULL)])
def test_engine(name: str, spec: dict[str, Any], assistant: Any) -> None:
    context = assistant(spec)
    pods = [engine.training_engine(context), engine.running_engine(context)]
    compare(f"assistant-engine-{name}", plain([pod.model_dump(mode="json") for pod in pods]))


@pytest.mark.parametrize(
    ("name", "spec"), [("default", {}), ("external", EXTERNAL), ("delete", {"deletionPolicy": "Delete"})]
)
def test_secrets(name: str, spec: dict[str, Any], studio: Any) -> None:
    made = [
        {"keys": dict(secret.keys), "retain": secret.retain, "metadata": secret.metadata}
        for secret in secrets.required(studio(spec))
    ]
    compare(f"secrets-{name}", plain(made))
