"""From a manifest to a model, with problems that name the field and the remedy.

pydantic's errors are turned into one sentence each.
"""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from studio.contract import names
from studio_operator.api.v1alpha1.common import InvalidSpec, Problem
from studio_operator.api.v1alpha1.patterns import PATTERNS, RESOURCE_NAME

ModelT = TypeVar("ModelT", bound=BaseModel)

_ADVICE = {pattern.regex: pattern.advice for pattern in PATTERNS}
# An echoed value is for recognising a typing error, not for reading a file.
_ECHO_MAX = 60


def parse(model: type[ModelT], body: Mapping[str, Any]) -> ModelT:
    """The model of the manifest of a custom resource. Raises InvalidSpec."""
    name = str(body.get("metadata", {}).get("name", ""))
    problems = _name_problems(name)
    # Nulls are how some tools write "not set"; the API server drops them from the fields that it knows.
    relevant = {part: _without_nulls(body.get(part) or {}) for part in ("metadata", "spec", "status")}
    try:
        parsed = model.model_validate(relevant)
    except ValidationError as error:
        raise InvalidSpec(problems + [_problem(detail) for detail in error.errors(include_url=False)]) from error
    if problems:
        raise InvalidSpec(problems)
    return parsed


def _name_problems(name: str) -> list[Problem]:
    if not re.fullmatch(RESOURCE_NAME.regex, name):
        return [Problem("metadata.name", f"{name!r} cannot be used: {RESOURCE_NAME.advice}")]
    if len(name) > names.NAME_MAX:
        return [Problem("metadata.name", f"has {len(name)} characters: use at most {names.NAME_MAX}")]
    return []


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _problem(detail: ErrorDetails) -> Problem:
    return Problem(_path(detail["loc"]), _message(detail))


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for step in location:
        if isinstance(step, int) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", step):
            path += f"[{step}]"
        else:
            path += f".{step}" if path else step
    return path


def _message(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    found = _echo(detail.get("input"))
    sentences = {
        "missing": "is required",
        "model_type": f"{found} cannot be used: an object with fields belongs here",
        "value_error": str(context.get("error", "")),
        "literal_error": f"{found} is not known: use {context.get('expected', '')}",
        "string_pattern_mismatch": f"{found} cannot be used: "
        + _ADVICE.get(context.get("pattern", ""), f"it must match {context.get('pattern')}"),
        "string_too_long": f"is too long: use at most {context.get('max_length')} characters",
        "too_long": f"has too many entries: use at most {context.get('max_length')}",
        "too_short": f"has too few entries: use at least {context.get('min_length')}",
        "greater_than_equal": f"{found} is too small: use at least {context.get('ge')}",
        "less_than_equal": f"{found} is too large: use at most {context.get('le')}",
    }
    return sentences.get(detail["type"]) or f"{found} cannot be used: {_lower_first(detail['msg'])}"


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _echo(value: Any) -> str:
    text = repr(value) if isinstance(value, (str, int, float, bool)) else f"this {type(value).__name__}"
    return text if len(text) <= _ECHO_MAX else text[: _ECHO_MAX - 1] + "…"
