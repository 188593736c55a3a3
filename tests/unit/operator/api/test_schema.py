"""What the generated CRDs must look like for an API server to accept them, checked without one.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from pydantic import BaseModel

from studio_operator.api import crdgen
from studio_operator.api.structural import structural

KEYWORDS = {
    "nullable",
    "type",
    "format",
    "description",
    "enum",
    "pattern",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "anyOf",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "x-kubernetes-validations",
    "x-kubernetes-int-or-string",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
}
# Only small formats are known to the API server.
FORMATS = {"date-time", "int64"}


def nodes(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from nodes(field, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from nodes(schema["additionalProperties"], f"{path}[*]")


ALL = [node for definition in crdgen.DEFINITIONS for node in nodes(crdgen.root_schema(definition), definition.kind)]
SPEC = [(path, node) for path, node in ALL if path.split(".")[1:2] == ["spec"]]


def test_only_keywords_that_a_crd_may_hold() -> None:
    for path, node in ALL:
        assert node.keys() <= KEYWORDS, path
        assert node.get("format", "int64") in FORMATS, path


def test_every_node_has_a_type() -> None:
    assert not [path for path, node in ALL if ("type" in node) == node.get("x-kubernetes-int-or-string", False)]


def test_every_field_is_described_in_sentences() -> None:
    for path, node in ALL:
        if not path.endswith((".metadata", "]")):
            text = node["description"]
            assert text[:1].isupper(), path
            assert text.endswith((".", ")")), path


def test_properties_and_additional_properties_exclude_each_other() -> None:
    for path, node in ALL:
        assert not ("properties" in node and "additionalProperties" in node), path
        assert set(node.get("required", [])) <= node.get("properties", {}).keys(), path


def test_keys_of_map_lists_are_required() -> None:
    for path, node in ALL:
        for key in node.get("x-kubernetes-list-map-keys", []):
            assert key in node["items"]["required"], path


def test_everything_a_user_writes_is_bounded() -> None:
    """Rules are charged for the largest object that the schema allows."""
    assert not [path for path, node in SPEC if not bounded(node)]


def bounded(node: dict[str, Any]) -> bool:
    match node.get("type"):
        case "string":
            return "maxLength" in node or "enum" in node
        case "array":
            return "maxItems" in node
        case "object":
            return "additionalProperties" not in node or "maxProperties" in node
        case "integer":
            return "minimum" in node
    return True


def test_patterns_need_no_lookaround() -> None:
    assert not [path for path, node in ALL if "(?" in node.get("pattern", "")]


def test_the_definitions_are_valid() -> None:
    for definition in crdgen.DEFINITIONS:
        kubernetes_validate.validate(crdgen.definition_manifest(definition), "1.34", strict=True)


def test_names_and_columns() -> None:
    manifests = [crdgen.definition_manifest(definition) for definition in crdgen.DEFINITIONS]
    found = {manifest["spec"]["names"]["kind"]: manifest["spec"] for manifest in manifests}
    assert found["Assistant"]["names"]["shortNames"] == ["asst"]
    assert found["Studio"]["names"]["shortNames"] == ["std"]
    for spec in found.values():
        # A category that is also the name of a resource breaks `kubectl get <name>`.
        assert not set(spec["names"]["categories"]) & {"assistant", "assistants", "studio", "studios"}
        assert spec["versions"][0]["subresources"] == {"status": {}}
        columns = [column["name"] for column in spec["versions"][0]["additionalPrinterColumns"]]
        assert columns[:2] == ["Ready", "Reason"]
        assert "Age" in columns


def test_generated_files_are_up_to_date() -> None:
    assert crdgen.main(["--check"]) == 0


def test_a_stale_file_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(crdgen, "ROOT", tmp_path)
    assert crdgen.main(["--check"]) == 1
    assert "crds/assistants.yaml is not up to date" in capsys.readouterr().err
    assert crdgen.main([]) == 0
    assert crdgen.main(["--check"]) == 0
    text = (tmp_path / "crds" / "studios.yaml").read_text()
    assert "&id" not in text
    assert yaml.safe_load(text)["metadata"]["name"] == "studios.studio-operator.io"


class Recursive(BaseModel):
    """A model that contains itself."""

    inner: "Recursive | None" = None


class Union(BaseModel):
    """A model with a union."""

    value: int | str


@pytest.mark.parametrize(("model", "why"), [(Recursive, "recursion"), (Union, "union")])
def test_what_a_structural_schema_cannot_express_is_refused(model: type[BaseModel], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        structural(model)
