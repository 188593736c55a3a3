"""The example's plain half: what seats cost and how many there may be."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
import yaml

HALL = Path(__file__).parents[3] / "examples" / "concert-hall"


@pytest.fixture(scope="module")
def programme() -> ModuleType:
    spec = importlib.util.spec_from_file_location("programme", HALL / "actions" / "programme.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("said", "seats"), [("three", 3), ("Twelve", 12), (" 4 ", 4), ("0", None), ("a few", None), ("", None)]
)
def test_how_many_seats_words_and_numbers_mean(programme: ModuleType, said: str, seats: int | None) -> None:
    assert programme.seat_count(said) == seats


def test_the_price_is_per_seat_and_category(programme: ModuleType) -> None:
    assert programme.price("three", "balcony") == 72


def test_every_day_and_category_of_the_lookups_is_known(programme: ModuleType) -> None:
    nlu = yaml.safe_load((HALL / "content" / "nlu.yml").read_text())["nlu"]
    lookups = {item["lookup"]: item["examples"].replace("- ", "").split() for item in nlu if "lookup" in item}
    assert lookups["weekday"] == list(programme.WEEKDAYS)
    assert set(programme.CONCERTS) <= set(programme.WEEKDAYS)
    assert set(lookups["category"]) == set(programme.EUROS)
    assert lookups["seats"] == list(programme.COUNTS)


def test_the_generator_ships_every_file_of_the_content() -> None:
    (generator,) = yaml.safe_load((HALL / "kustomization.yaml").read_text())["configMapGenerator"]
    assert sorted(generator["files"]) == sorted(f"content/{path.name}" for path in (HALL / "content").glob("[!.]*"))


def test_the_conversation_is_pairs_of_what_is_said_and_heard() -> None:
    conversation = json.loads((HALL / "conversation.json").read_text())
    assert all(len(turn) == 2 and all(isinstance(text, str) for text in turn) for turn in conversation)
