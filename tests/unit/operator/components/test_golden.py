"""Whole-object equality with tests/golden; `UPDATE_GOLDEN=1` writes what is built now, for review as a diff."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.operator.components.samples import EMBEDDED_ONLY, EXTERNAL, FULL, STUDIO_COMPONENTS, TALK

from studio_operator.components import actions, engine, exposure, secrets
from studio_operator.components.proxy_settings import studio_conf

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


@pytest.mark.parametrize("module", [it for it in STUDIO_COMPONENTS[1:] if it not in EMBEDDED_ONLY], ids=module_name)
def test_external_studio(module: Any, studio: Any) -> None:
    compare(f"studio-external-{module_name(module)}", plain(module.objects(studio(EXTERNAL))))


@pytest.mark.parametrize("module", EMBEDDED_ONLY, ids=module_name)
def test_what_somebody_else_runs_is_left_out(module: Any, studio: Any) -> None:
    assert module.objects(studio(EXTERNAL)) == []


def test_exposure(studio: Any) -> None:
    spec = {
        "publicUrl": "https://studio.example.com:8443",
        "ingress": {"className": "public", "annotations": {"example.com/timeout": "1h"}, "tlsSecretName": "tls"},
        "gateway": {"parentRefs": [{"name": "edge", "namespace": "infra", "sectionName": "https"}]},
    }
    context = studio(spec)
    compare("studio-exposure", plain([*exposure.ingress(context), *exposure.route(context)]))


def test_no_exposure(studio: Any) -> None:
    assert [*exposure.ingress(studio()), *exposure.route(studio())] == []


@pytest.mark.parametrize("url", ["http://192.0.2.7:8180", "http://[2001:db8::7]:8180"])
def test_an_address_is_no_host_to_choose_by(url: str, studio: Any) -> None:
    context = studio({"publicUrl": url, "ingress": {}, "gateway": {"parentRefs": [{"name": "edge"}]}})
    assert "host" not in exposure.ingress(context)[0]["spec"]["rules"][0]
    assert "hostnames" not in exposure.route(context)[0]["spec"]


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("default", {}),
        ("external", EXTERNAL),
        ("console", {"publicUrl": "https://bots.example.com", "identity": {"embedded": {"adminConsole": True}}}),
    ],
)
def test_proxy_settings(name: str, spec: dict[str, Any], studio: Any) -> None:
    built = studio_conf(studio(spec, talk=TALK if name == "default" else ()))
    path = GOLDEN.parent / "proxy" / f"{name}.conf"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(built)
    assert built == path.read_text(), f"{path.name} differs: UPDATE_GOLDEN=1 writes it anew"


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
        {"keys": dict(secret.keys), "known": dict(secret.known), "retain": secret.retain, "metadata": secret.metadata}
        for secret in secrets.required(studio(spec))
    ]
    compare(f"secrets-{name}", plain(made))
