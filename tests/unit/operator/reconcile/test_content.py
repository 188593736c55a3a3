"""The content reader: what it remembers, and what it must not."""

import gc
import weakref

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.kube import FakeKube

from studio_operator.api.v1alpha1.assistant import AssistantSpec
from studio_operator.planning.content import Content, ContentProblem, prepare
from studio_operator.reconcile import content
from studio_operator.reconcile.content import ContentReader

GOOD = {"config.yml": "recipe: default.v1"}


def spec(files: dict[str, str], language: str = "en") -> AssistantSpec:
    return AssistantSpec.model_validate({"source": {"files": files}, "language": language})


@pytest.fixture
def reader() -> ContentReader:
    return ContentReader(FakeCluster(FakeKube()))


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The languages that content was prepared for, in order."""
    languages: list[str] = []

    def counted(files: dict[str, str], *, assistant_id: str, language: str, engine_image: str) -> Content:
        languages.append(language)
        return prepare(files, assistant_id=assistant_id, language=language, engine_image=engine_image)

    monkeypatch.setattr(content, "prepare", counted)
    return languages


async def test_unchanged_content_is_prepared_once(reader: ContentReader, prepared: list[str]) -> None:
    first = await reader.read("team", "a", spec(GOOD), "engine:1")
    second = await reader.read("team", "a", spec(GOOD), "engine:1")
    assert first.verdict == second.verdict
    await reader.read("team", "a", spec(GOOD, "de"), "engine:1")
    assert prepared == ["en", "de"]


async def test_a_problem_is_remembered_as_well(reader: ContentReader, prepared: list[str]) -> None:
    raised = []
    for _ in range(2):
        with pytest.raises(ContentProblem) as caught:
            await reader.read("team", "a", spec({"config.yml": "["}), "engine:1")
        raised.append(caught.value)
    assert prepared == ["en"]
    assert str(raised[0]) == str(raised[1])
    assert raised[0] is not raised[1]


async def test_the_archive_is_what_the_fingerprint_stands_for(reader: ContentReader) -> None:
    reading = await reader.read("team", "a", spec(GOOD), "engine:1")
    expected = prepare(GOOD, assistant_id="team.a", language="en", engine_image="engine:1")
    assert reading.verdict.fingerprint == expected.fingerprint
    assert await reading.archive() == expected.archive()


async def test_the_content_itself_is_not_remembered(reader: ContentReader) -> None:
    reading = await reader.read("team", "a", spec(GOOD), "engine:1")
    gone = weakref.ref(reading)
    del reading
    gc.collect()
    assert gone() is None


async def test_a_forgotten_assistant_is_prepared_again(reader: ContentReader, prepared: list[str]) -> None:
    await reader.read("team", "a", spec(GOOD), "engine:1")
    reader.forget("team", "a")
    reader.forget("team", "a")
    await reader.read("team", "a", spec(GOOD), "engine:1")
    assert prepared == ["en", "en"]


async def test_what_is_kept_is_bounded(reader: ContentReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "KEEP", 2)
    for name in "abc":
        await reader.read("team", name, spec(GOOD), "engine:1")
    assert [name for _, name in reader._verdicts] == ["b", "c"]
