"""A pipeline that asks a server which nobody has named."""

import pytest

from studio_operator.planning.duckling import VARIABLE, without_server

HEAD = "recipe: default.v1\nlanguage: en\npipeline:\n- name: WhitespaceTokenizer\n"
TAIL = "policies:\n- name: RulePolicy\n"


def warned(component: str, *variables: str) -> list[str]:
    return list(without_server(HEAD + component + TAIL, variables))


@pytest.mark.parametrize(
    "component",
    [
        "- name: DucklingEntityExtractor\n",
        "- name: rasa.nlu.extractors.duckling_entity_extractor.DucklingEntityExtractor\n",
        "- {dimensions: [time, {name: x, url: y}], name: DucklingEntityExtractor}\n",
        "- name: DucklingEntityExtractor\n  url: null\n",
        "- name: DucklingEntityExtractor\n  url: ''\n- name: DucklingEntityExtractor\n",
    ],
)
def test_without_a_server_it_is_told_once_where_to_name_one(component: str) -> None:
    (told,) = warned(component)
    assert "its url" in told
    assert f"{VARIABLE} in spec.engine.env" in told


@pytest.mark.parametrize(
    "component",
    [
        "",
        "- name: DucklingEntityExtractor\n  url: http://duckling:8000\n",
        "- name: RegexEntityExtractor\n  comment: DucklingEntityExtractor\n",
        "- name: [DucklingEntityExtractor]\n",
    ],
)
def test_with_one_or_without_the_component_nothing_is_told(component: str) -> None:
    assert warned(component) == []


def test_a_variable_of_the_engine_names_one_too() -> None:
    assert warned("- name: DucklingEntityExtractor\n", "OTHER", VARIABLE) == []
