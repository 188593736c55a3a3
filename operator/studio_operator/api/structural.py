"""From a pydantic model to a structural schema, the subset of OpenAPI v3 that a CRD may hold.

Rules: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
"""

from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

# JSON Schema keywords that are carried over as they are.
_KEPT = (
    "type",
    "format",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
)
_INT_OR_STRING = "x-kubernetes-int-or-string"


def structural(model: type[BaseModel]) -> Schema:
    """The schema of a model under its JSON names: no references, no defaults, descriptions everywhere.

    Raises ValueError for what a structural schema cannot express: recursion, and unions other than "or null".
    """
    document = model.model_json_schema(by_alias=True)
    return _Converter(document.get("$defs", {})).convert(document, ())


class _Converter:
    def __init__(self, definitions: dict[str, Schema]) -> None:
        self._definitions = definitions

    def convert(self, schema: Schema, within: tuple[str, ...]) -> Schema:
        schema, within = self._resolved(schema, within)
        result: Schema = {}
        if text := _description(schema):
            result["description"] = text
        result |= {key: schema[key] for key in _KEPT if key in schema}
        if "const" in schema:
            result["enum"] = [schema["const"]]
        _bounds(schema, result)
        if schema.get(_INT_OR_STRING):
            # The one place where `anyOf` with types is allowed, and needed.
            result["anyOf"] = schema["anyOf"]
            result["maxLength"] = 32
        if "items" in schema:
            result["items"] = self.convert(schema["items"], within)
        self._object(schema, result, within)
        return result | {key: value for key, value in schema.items() if key.startswith("x-kubernetes-")}

    def _object(self, schema: Schema, result: Schema, within: tuple[str, ...]) -> None:
        if schema.get("type") != "object":
            return
        values = schema.get("additionalProperties")
        if schema.get("properties"):
            result["properties"] = {name: self.convert(field, within) for name, field in schema["properties"].items()}
            if schema.get("required"):
                result["required"] = schema["required"]
        elif isinstance(values, dict):
            result["additionalProperties"] = self.convert(values, within)
        elif values is True:
            result["x-kubernetes-preserve-unknown-fields"] = True

    def _resolved(self, schema: Schema, within: tuple[str, ...]) -> tuple[Schema, tuple[str, ...]]:
        """The schema without `$ref` and "or null"; what stands beside a reference wins over what it refers to."""
        while "$ref" in schema or ("anyOf" in schema and not schema.get(_INT_OR_STRING)):
            if "$ref" in schema:
                name = schema["$ref"].removeprefix("#/$defs/")
                if name in within:
                    raise ValueError(f"{name} contains itself: a structural schema cannot express recursion")
                within = (*within, name)
                target = self._definitions[name]
            else:
                choices = [choice for choice in schema["anyOf"] if choice != {"type": "null"}]
                if len(choices) != 1:
                    raise ValueError(f"a union cannot be expressed: {schema['anyOf']}")
                target = choices[0]
            schema = target | {key: value for key, value in schema.items() if key not in ("$ref", "anyOf")}
        return schema, within


def _bounds(schema: Schema, result: Schema) -> None:
    """OpenAPI v3.0 writes an open bound as a number and a flag."""
    for bound in ("minimum", "maximum"):
        exclusive = f"exclusive{bound.capitalize()}"
        if exclusive in schema:
            result[bound] = schema[exclusive]
            result[exclusive] = True


def _description(schema: Schema) -> str:
    text = " ".join(schema.get("description", "").split())
    default = schema.get("default")
    if default in (None, "", [], {}) or isinstance(default, (dict, list)):
        return text
    shown = str(default).lower() if isinstance(default, bool) else str(default)
    return f"{text} Default: {shown}."
