"""What the scenarios of the first chat are measured with."""

import re
from pathlib import Path

import first_chat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from measuring import scenarios

from studio_operator.api.v1alpha1.patterns import DATA_KEY
from studio_operator.planning.content import from_config_maps

PATHS = st.from_regex(r"\A([a-z_.]{1,3}/){0,2}[a-z_.]{1,3}\.yml\Z")


@given(st.dictionaries(PATHS, st.text(), max_size=8))
def test_files_of_any_folder_get_through_a_config_map(files: dict[str, str]) -> None:
    config_map, source = scenarios.in_config_map("hall-content", files)
    (wanted,) = source["configMaps"]
    items = [(item["key"], item["path"]) for item in wanted["items"]]
    assert all(re.fullmatch(DATA_KEY.regex, key) for key in config_map["data"])
    assert from_config_maps([(wanted["name"], items)], {"hall-content": config_map["data"]}) == files


def test_the_concert_hall_arrives_unless_told_otherwise() -> None:
    hall = scenarios.concert_hall()
    assert (hall.name, sorted(hall.files)) == ("concert-hall", ["config.yml", "domain.yml", "nlu.yml", "rules.yml"])


def test_an_assistant_is_a_folder_by_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "butler"
    (folder / "data").mkdir(parents=True)
    for path in ("config.yml", "domain.yaml", "data/nlu.yml", "data/notes.txt", "conversation.json"):
        (folder / path).write_text(path)
    sample = scenarios.sample(folder)
    assert sample == scenarios.Sample("butler", {p: p for p in ("config.yml", "domain.yaml", "data/nlu.yml")})


def test_a_folder_without_an_assistant_is_refused_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        first_chat.main(["--content", str(tmp_path)])
    assert "has no config.yml" in capsys.readouterr().err
