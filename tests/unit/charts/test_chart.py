"""The chart as far as it can be looked at without Helm: values, their schema, what is rendered and committed."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml

from stage import chart
from studio_operator import __version__

VALUES: dict[str, Any] = yaml.safe_load((chart.CHART / "values.yaml").read_text())
SCHEMA: dict[str, Any] = yaml.safe_load((chart.CHART / "values.schema.json").read_text())
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)


def leaves(tree: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Paths of the values that a user sets: an object that is filled freely counts as one."""
    for key, value in tree.items():
        if isinstance(value, dict) and value and key != "resources":
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


def branches(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every object in a schema that lists its properties."""
    if "properties" in schema:
        yield schema
        for below in schema["properties"].values():
            yield from branches(below)


def test_the_defaults_fit_the_schema() -> None:
    VALIDATOR.validate(VALUES)


def test_the_schema_knows_every_value_and_no_other() -> None:
    for branch in branches(SCHEMA):
        if "name" not in branch["properties"]:  # an item that Kubernetes defines
            assert branch["additionalProperties"] is False
    for path in leaves(VALUES):
        below = SCHEMA
        for key in path:
            below = below["properties"][key]


def test_every_value_has_its_meaning() -> None:
    assert {tuple(path.split(".")) for path, _, _ in chart.values()} == set(leaves(VALUES))


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"replica": 2}, "replica"),
        ({"logLevel": "loud"}, "loud"),
        ({"watchNamespaces": ["Team"]}, "Team"),
        ({"watchNamespaces": "team"}, "team"),
        ({"images": {"override": {"web": "x"}}}, "web"),
        ({"images": {"registry": "registry.example.com/"}}, "registry"),
        ({"images": {"pullSecrets": ["mirror"]}}, "mirror"),
        ({"podDisruptionBudget": {"maxUnavailable": "half"}}, "half"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused(values: dict[str, Any], field: str) -> None:
    (error,) = VALIDATOR.iter_errors(values)
    assert field in error.message


def test_what_is_made_of_the_chart_is_up_to_date() -> None:
    assert chart.readme(chart.README.read_text()) == chart.README.read_text()
    assert chart.DIGEST.read_text() == chart.digest(), "run `make generate`"


def test_the_chart_has_the_version_of_the_operator() -> None:
    about = yaml.safe_load((chart.CHART / "Chart.yaml").read_text())
    assert about["version"] == about["appVersion"] == __version__


def test_there_are_no_hooks() -> None:
    for template in (chart.CHART / "templates").iterdir():
        assert "helm.sh/hook" not in template.read_text(), template.name
