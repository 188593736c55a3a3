"""Holds the command line, and the Studio in memory, to docs/openapi.json, which is generated from the back end."""

import contextlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx2
import jsonschema

DOCUMENT = json.loads((Path(__file__).parents[4] / "docs" / "openapi.json").read_text())


def check(request: httpx2.Request, response: httpx2.Response) -> None:
    """Raises AssertionError for a request that was granted, or its JSON answer, if the contract does not know it."""
    path = request.url.raw_path.decode().split("?")[0]
    template, operation = _operation(request.method, path)
    if response.status_code >= 400:
        return
    _check_parameters(request, path, template, operation)
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body:
        _validate(body["schema"], json.loads(request.content), f"body of {request.method} {path}")
    answers = operation["responses"]
    assert str(response.status_code) in answers, f"{request.method} {template} does not answer {response.status_code}"
    answer = answers[str(response.status_code)].get("content", {}).get("application/json")
    if answer and answer.get("schema"):
        _validate(answer["schema"], response.json(), f"answer to {request.method} {path}")


def _operation(method: str, path: str) -> tuple[str, dict[str, Any]]:
    for template, operations in DOCUMENT["paths"].items():
        if method.lower() in operations and _pattern(template).fullmatch(path):
            return template, operations[method.lower()]
    raise AssertionError(f"the contract has no {method} {path}")


def _check_parameters(request: httpx2.Request, path: str, template: str, operation: dict[str, Any]) -> None:
    declared = {(found["in"], found["name"]): found["schema"] for found in operation.get("parameters", [])}
    found = _pattern(template).fullmatch(path)
    assert found
    given = {("path", name): unquote(value) for name, value in found.groupdict().items()}
    given |= {("query", name): value for name, value in request.url.params.items()}
    for key, value in given.items():
        assert key in declared, f"{request.method} {template} has no parameter {key}"
        _validate(declared[key], value, f"{key} of {request.method} {template}", text=True)


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template)))


def _validate(schema: dict[str, Any], value: Any, what: str, *, text: bool = False) -> None:
    validator = jsonschema.Draft202012Validator({"components": DOCUMENT["components"], **schema})
    readings = [value]
    if text:  # a parameter is text until its schema says more
        with contextlib.suppress(ValueError):
            readings.append(json.loads(value))
    problems = [[error.message for error in validator.iter_errors(reading)] for reading in readings]
    assert not all(problems), f"{what}: {problems[0]}"
