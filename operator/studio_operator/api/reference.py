"""The API reference: one table per object of a structural schema, in Markdown."""

from collections.abc import Iterator

from studio_operator.api.structural import Schema

_INTRODUCTION = """<!-- Generated from operator/studio_operator/api by `make generate`; do not edit. -->
# API reference: {version}

`kubectl explain assistant.spec --recursive` shows the same in the terminal. Fields marked * are required.
"""


def page(version: str, kinds: list[tuple[str, Schema]]) -> str:
    """The page for these kinds, given as pairs (kind, schema of the whole object)."""
    parts = [_INTRODUCTION.format(version=version)]
    for kind, schema in kinds:
        parts.append(f"## {kind}\n\n{schema['description']}\n")
        parts += _checks(schema)
        for name in ("spec", "status"):
            parts += _tables(schema["properties"][name], name)
    return "\n".join(parts)


def _tables(schema: Schema, path: str) -> Iterator[str]:
    yield f"### {path}\n\n{schema.get('description', '')}\n"
    yield from _checks(schema)
    required = schema.get("required", [])
    rows = [_row(name, field, name in required) for name, field in schema.get("properties", {}).items()]
    if rows:
        yield "| Field | Type | Description |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    for name, field in schema.get("properties", {}).items():
        inner, suffix = _inner(field)
        if "properties" in inner:
            yield from _tables(inner, f"{path}.{name}{suffix}")


def _checks(schema: Schema) -> Iterator[str]:
    checks = schema.get("x-kubernetes-validations", [])
    if checks:
        yield "Checks: " + "; ".join(check["message"] for check in checks) + ".\n"


def _row(name: str, field: Schema, required: bool) -> str:
    text = field.get("description", "").replace("|", "\\|")
    return f"| `{name}`{' *' if required else ''} | {_type(field)} | {text}{_limits(field)} |"


def _type(field: Schema) -> str:
    if field.get("x-kubernetes-int-or-string"):
        return "string or integer"
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}"
    if "additionalProperties" in field:
        return f"map of {_type(field['additionalProperties'])}"
    return str(field.get("type", "any"))


def _limits(field: Schema) -> str:
    if "enum" in field:
        return " One of " + ", ".join(f"`{value}`" for value in field["enum"]) + "."
    if "minimum" in field and "maximum" in field:
        return f" From {field['minimum']} to {field['maximum']}."
    return ""


def _inner(field: Schema) -> tuple[Schema, str]:
    return (field["items"], "[]") if field.get("type") == "array" else (field, "")
