"""What the engine says, from real output of Rasa 3.6.21 for contents that are wrong in one way each."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.contract.model_service import Progress
from studio.model_service.engine_log import clean, extract, last_lines, progress

LOGS = Path(__file__).parents[3] / "data" / "engine_logs"
TELLING = {
    "component": "InvalidConfigException: Can't load class for name 'QuantumTokenizer'.",
    "policy": "InvalidConfigException: Can't load class for name 'OraclePolicy'.",
    "spacy": "GraphSchemaValidationException: Component 'SpacyNLP' requires the following packages which are "
    "currently not installed: spacy.",
    "order": "GraphSchemaValidationException: 2 components are missing required components",
    "yaml_config": "YamlSyntaxException: Failed to read YAML. while parsing a flow node",
    "yaml_nlu": "YamlSyntaxException: Failed to read 'data/nlu.yml'. while parsing a block mapping",
    "yaml_domain": "The file domain.yml could not be loaded as domain file.\nEncountered empty domain",
    "domain_schema": "InvalidSlotTypeException: Failed to find slot type, 'wobbly'",
    "nokey": "YamlValidationException: Failed to validate 'data/nlu.yml'.",
    "rules": "InvalidRule:\nContradicting rules or stories found",
    "response": "ActionNotFoundException: Cannot access action 'utter_bye'",
    "empty": "No training data given.",
}


def _read(name: str) -> str:
    with (LOGS / f"{name}.log").open(newline="", encoding="utf-8") as file:
        return file.read()


@pytest.mark.parametrize("name", TELLING)
def test_the_engines_own_words(name: str) -> None:
    words = extract(_read(name))
    assert words.startswith(TELLING[name])
    assert "Traceback" not in words
    assert "yamlchecker" not in words
    assert "\x1b" not in words
    assert "/work/" not in words


@pytest.mark.parametrize("name", [*TELLING, "ok"])
def test_clean_logs_have_no_bars_and_lose_nothing_else(name: str) -> None:
    raw = _read(name)
    cleaned = clean(raw)
    assert "it/s" not in cleaned
    assert "\r" not in cleaned
    assert "\x1b" not in cleaned
    for line in raw.splitlines():
        if " INFO " in line and "\x1b" not in line:
            assert line in cleaned
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("", ""),
        ("\n\n", ""),
        ("one\ntwo\n", "one\ntwo"),
        ("rasa: error: unrecognized arguments: --x\n", "unrecognized arguments: --x"),
        ('Traceback (most recent call last):\n  File "a"\nMemoryError\n', "MemoryError"),
        ('Traceback (most recent call last):\n  File "a"\na.b.SomeError: why\n  more\n', "SomeError: why\n  more"),
        ("2026-11-21 02:22:30 ERROR    rasa.engine.graph  - broken\nbye\n", "broken"),
        ("sh: 4: rasa: not found\n", "sh: 4: rasa: not found"),
    ],
)
def test_other_ends(log: str, words: str) -> None:
    assert extract(log) == words


@given(st.text(), st.integers(10, 200))
def test_any_log_gives_words_within_the_limit(log: str, limit: int) -> None:
    assert len(extract(log, limit=limit)) <= limit
    assert clean(clean(log)) == clean(log)


_STARTED = "2026-11-21 02:23:19 INFO     rasa.engine.training.hooks  - Starting to train component 'DIETClassifier'."
_FINISHED = _STARTED.replace("Starting to train", "Finished training")


@pytest.mark.parametrize(
    ("tail", "before", "words"),
    [
        ("", "", ""),
        (_STARTED, "RulePolicy", "DIETClassifier"),
        (f"{_STARTED}\nEpochs:   0%|          | 0/100 [00:00<?, ?it/s]", "", "DIETClassifier, 0 %"),
        ("Epochs:  41%|█▏ | 41/100 [00:03<00:26]\rEpochs:  43%|█▏ | 43/100 [00:03<00:26]", "X", "X, 40 %"),
        (f"{_STARTED}\nEpochs: 100%|██| 100/100 [00:03<00:00]\n{_FINISHED}", "", ""),
        ("Processed rules:  50%|█████     | 1/2 [00:00<?, ?it/s]", "RulePolicy", "RulePolicy"),
    ],
)
def test_progress(tail: str, before: str, words: str) -> None:
    assert progress(tail, Progress(step=before)).words == words


def test_progress_of_real_output() -> None:
    lines = (LOGS / "ok.log").read_text().splitlines()
    seen = [progress("\n".join(lines[:number])).step for number in range(len(lines))]
    assert list(dict.fromkeys(filter(None, seen))) == [
        "CountVectorsFeaturizer",
        "LogisticRegressionClassifier",
        "RulePolicy",
    ]


def test_a_bar_leaves_no_empty_line() -> None:
    assert clean("before\n\nEpochs:  12%|█▏        | 12/100 [00:03<00:26]\nafter\n") == "before\nafter\n"


def test_the_last_lines_are_the_end_of_what_a_person_sees() -> None:
    assert last_lines("\n".join("abcdefg") + "\nEpochs:  12%|█▏   | 12/100 [00:03<00:26]\r") == "c\nd\ne\nf\ng"
