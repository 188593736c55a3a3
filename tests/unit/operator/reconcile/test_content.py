"""The content reader: what it remembers, and what it must not."""

import gc
import weakref

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.contents import FakeContents
from tests.fakes.kube import FakeKube

from studio_operator.api.v1alpha1.assistant import AssistantSpec
from studio_operator.planning.content import Content, ContentProblem, prepare
from studio_operator.ports import Unreachable
from studio_operator.reconcile import content
from studio_operator.reconcile.content import ContentReader, Publication

NOTHING = Publication("studio", "uid", None)
GOOD = {"config.yml": "recipe: default.v1"}


def spec(files: dict[str, str], language: str = "en") -> AssistantSpec:
    return AssistantSpec.model_validate({"source": {"files": files}, "language": language})


@pytest.fixture
def reader() -> ContentReader:
    return ContentReader(FakeCluster(FakeKube()), FakeContents())


@pytest.fixture
def contents() -> FakeContents:
    return FakeContents()


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
    first = await reader.read("team", "a", spec(GOOD), "engine:1", NOTHING)
    second = await reader.read("team", "a", spec(GOOD), "engine:1", NOTHING)
    assert first.verdict == second.verdict
    await reader.read("team", "a", spec(GOOD, "de"), "engine:1", NOTHING)
    assert prepared == ["en", "de"]


async def test_a_problem_is_remembered_as_well(reader: ContentReader, prepared: list[str]) -> None:
    raised = []
    for _ in range(2):
        with pytest.raises(ContentProblem) as caught:
            await reader.read("team", "a", spec({"config.yml": "["}), "engine:1", NOTHING)
        raised.append(caught.value)
    assert prepared == ["en"]
    assert str(raised[0]) == str(raised[1])
    assert raised[0] is not raised[1]


async def test_the_archive_is_what_the_fingerprint_stands_for(reader: ContentReader) -> None:
    reading = await reader.read("team", "a", spec(GOOD), "engine:1", NOTHING)
    expected = prepare(GOOD, assistant_id="team.a", language="en", engine_image="engine:1")
    assert reading.verdict.fingerprint == expected.fingerprint
    assert await reading.archive() == expected.archive()


async def test_the_content_itself_is_not_remembered(reader: ContentReader) -> None:
    reading = await reader.read("team", "a", spec(GOOD), "engine:1", NOTHING)
    gone = weakref.ref(reading)
    del reading
    gc.collect()
    assert gone() is None


async def test_a_forgotten_assistant_is_prepared_again(reader: ContentReader, prepared: list[str]) -> None:
    await reader.read("team", "a", spec(GOOD), "engine:1", NOTHING)
    reader.forget("team", "a")
    reader.forget("team", "a")
    await reader.read("team", "a", spec(GOOD), "engine:1", NOTHING)
    assert prepared == ["en", "en"]


async def test_what_is_kept_is_bounded(reader: ContentReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "KEEP", 2)
    for name in "abc":
        await reader.read("team", name, spec(GOOD), "engine:1", NOTHING)
    assert [name for _, name in reader._verdicts] == ["b", "c"]


class TestPublished:
    """Content of the back end: what was published never changes."""

    SPEC = AssistantSpec.model_validate({"source": {"studio": {}}})
    THIRD = Publication("studio", "uid", "3")

    async def test_it_is_fetched_when_it_is_news_and_when_it_is_handed_over(self, contents: FakeContents) -> None:
        reader = ContentReader(FakeCluster(FakeKube()), contents)
        contents.revisions["a", "3"] = GOOD
        reading = await reader.read("team", "a", self.SPEC, "engine:1", self.THIRD)
        again = await reader.read("team", "a", self.SPEC, "engine:1", self.THIRD)
        assert reading.verdict == again.verdict
        assert contents.fetched == [("a", "3")]
        expected = prepare(GOOD, assistant_id="team.a", language="en", engine_image="engine:1")
        assert await reading.archive() == expected.archive()
        assert contents.fetched == [("a", "3")] * 2

    async def test_an_assistant_made_anew_has_other_revisions(self, contents: FakeContents) -> None:
        reader = ContentReader(FakeCluster(FakeKube()), contents)
        contents.revisions["a", "3"] = GOOD
        await reader.read("team", "a", self.SPEC, "engine:1", self.THIRD)
        await reader.read("team", "a", self.SPEC, "engine:1", Publication("studio", "another", "3"))
        assert len(contents.fetched) == 2

    @pytest.mark.parametrize(
        ("publication", "failure", "reason"),
        [
            (NOTHING, None, "NotPublished"),
            (THIRD, None, "NotPublished"),
            (THIRD, Unreachable("the backend does not answer"), "BackendUnavailable"),
        ],
        ids=["never", "not this one", "nobody answers"],
    )
    async def test_problems_heal_by_themselves(
        self,
        publication: Publication,
        failure: Unreachable | None,
        reason: str,
        contents: FakeContents,
    ) -> None:
        contents.failure = failure
        reader = ContentReader(FakeCluster(FakeKube()), contents)
        with pytest.raises(ContentProblem) as caught:
            await reader.read("team", "a", self.SPEC, "engine:1", publication)
        assert (caught.value.reason, caught.value.waiting) == (reason, True)
        contents.failure, contents.revisions["a", "3"] = None, GOOD
        await reader.read("team", "a", self.SPEC, "engine:1", self.THIRD)

    async def test_known_content_does_not_need_the_back_end(self, contents: FakeContents) -> None:
        reader = ContentReader(FakeCluster(FakeKube()), contents)
        contents.revisions["a", "3"] = GOOD
        before = await reader.read("team", "a", self.SPEC, "engine:1", self.THIRD)
        contents.failure = Unreachable("away")
        after = await reader.read("team", "a", self.SPEC, "engine:1", self.THIRD)
        assert before.verdict == after.verdict
        with pytest.raises(Unreachable):
            await after.archive()
