"""From files to the bytes that are trained: checks, merge, fingerprint, archive, and input that means harm."""

import io
import tarfile
import time
import tracemalloc
from collections.abc import Mapping

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from studio_operator.planning.content import MAX_BYTES, MAX_FILES, Content, ContentProblem, from_config_maps, prepare

FILES = {
    "config.yml": "recipe: default.v1\nlanguage: de\npipeline:\n- name: WhitespaceTokenizer\n  case_sensitive: on\n",
    "domain.yml": "version: '3.1'\nintents: [greet]\n",
    "data/nlu.yml": "version: '3.1'\nnlu:\n- intent: greet\n  examples: |\n    - hey\n    - grüß dich 👋\n",
    "test_stories.yml": "version: '3.1'\nstories: []\n",
}


def prepared(files: Mapping[str, str], *, engine_image: str = "engine:1", language: str = "en") -> Content:
    return prepare(files, assistant_id="team.concierge", language=language, engine_image=engine_image)


def problem_of(files: Mapping[str, str]) -> ContentProblem:
    with pytest.raises(ContentProblem) as raised:
        prepared(files)
    return raised.value


def with_file(name: str, text: str) -> dict[str, str]:
    return {**FILES, name: text}


def test_id_and_language_are_merged_into_the_config_and_the_rest_keeps_its_spelling() -> None:
    config = prepared(FILES).files["config.yml"]
    merged = yaml.safe_load(config)
    assert (merged["assistant_id"], merged["language"], merged["recipe"]) == ("team.concierge", "en", "default.v1")
    assert "case_sensitive: on" in config
    assert "language: de" not in config


@pytest.mark.parametrize("language", ["no", "en", "pt-BR"])
def test_the_language_is_always_a_string(language: str) -> None:
    assert yaml.safe_load(prepared(FILES, language=language).files["config.yml"])["language"] == language


# PyYAML itself loses other breaks, such as U+0085, between writing and reading.
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]) | st.just("\n"), max_size=20)


@given(
    st.dictionaries(
        st.text("abcdefg_", min_size=1, max_size=8) | st.just("language"),
        st.recursive(
            st.none() | st.booleans() | st.integers() | TEXTS,
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz", min_size=1), inner, max_size=3),
            max_leaves=8,
        ),
        max_size=5,
    ),
    st.sampled_from([True, False, None]),
)
def test_the_merge_changes_nothing_else(config: dict[str, object], flow: bool | None) -> None:
    text = yaml.safe_dump(config, default_flow_style=flow, allow_unicode=True)
    merged = yaml.safe_load(prepared({"config.yml": text}).files["config.yml"])
    assert merged == config | {"assistant_id": "team.concierge", "language": "en"}


def test_the_fingerprint_depends_on_what_a_model_depends_on_and_on_nothing_else() -> None:
    reference = prepared(FILES).fingerprint
    assert prepared(dict(reversed(FILES.items()))).fingerprint == reference
    assert prepared(with_file("test_stories.yml", "stories: [other]")).fingerprint == reference
    assert prepared(with_file("data/test_more.yml", "stories: [other]")).fingerprint == reference
    assert prepared(with_file("tests/a.yml", "stories: [other]")).fingerprint == reference
    assert prepared(with_file("tests/deep/b.yaml", "stories: [other]")).fingerprint == reference
    for name in ("endpoints.yml", "endpoints.yaml", "credentials.yml", "credentials.yaml"):
        assert prepared(with_file(name, "not used: at all")).fingerprint == reference
    others = [
        prepared(FILES, engine_image="engine:2"),
        prepared(FILES, language="de"),
        prepared(with_file("domain.yml", "intents: []")),
        prepared(with_file("data/more.yml", "nlu: []")),
        prepared(with_file("data/tests/more.yml", "nlu: []")),
        prepared(with_file("data/endpoints.yml", "nlu: []")),
        prepare(FILES, assistant_id="team.other", language="en", engine_image="engine:1"),
    ]
    assert len({reference, *(other.fingerprint for other in others)}) == 8


def test_a_release_trains_nothing_again() -> None:
    assert prepared(FILES).fingerprint == "78ff445f01b31a41ca8c05784ba932d05f7ecd7324229af058786a3665626249"


@given(st.permutations(sorted(FILES)))
def test_the_archive_is_the_same_whatever_the_order(names: list[str]) -> None:
    assert prepared({name: FILES[name] for name in names}).archive() == prepared(FILES).archive()


def test_the_archive_holds_the_files_and_nothing_of_this_machine() -> None:
    content = prepared(with_file(f"data/{'n' * 200}.yml", "a: 1"))
    with tarfile.open(fileobj=io.BytesIO(content.archive())) as archive:
        members = archive.getmembers()
        assert {m.name: archive.extractfile(m).read().decode() for m in members} == content.files  # type: ignore[union-attr]
    assert {(m.mtime, m.uid, m.gid, m.uname, m.mode) for m in members} == {(0, 0, 0, "", 0o644)}


@pytest.mark.parametrize("ending", ["yml", "yaml"])
def test_files_that_other_fields_replace_are_left_out_with_a_warning(ending: str) -> None:
    content = prepared({**FILES, f"endpoints.{ending}": "a: 1", f"credentials.{ending}": "rest:"})
    assert content.files.keys() == FILES.keys()
    assert [warning.partition(" is not used: ")[0] for warning in content.warnings] == [
        f"endpoints.{ending}",
        f"credentials.{ending}",
    ]
    assert "spec.actions" in content.warnings[0]
    assert "spec.channels.credentialsSecretRef" in content.warnings[1]


@pytest.mark.parametrize(
    ("files", "reason", "waiting", "said"),
    [
        ({}, "EmptyContent", True, "config.yml"),
        ({"domain.yml": "a: 1"}, "ConfigMissing", True, "config.yml: add one"),
        (with_file("notes.txt", "a"), "BadFileName", False, "'notes.txt': rename it to end in .yml"),
        (with_file("../up.yml", "a"), "BadFileName", False, "'../up.yml': rename"),
        (with_file("/etc/a.yml", "a"), "BadFileName", False, "'/etc/a.yml': rename"),
        (with_file(".hidden.yml", "a"), "BadFileName", False, "'.hidden.yml': rename"),
        (with_file("a.yml\n", "a"), "BadFileName", False, "rename"),
        (with_file("domain.yml/more.yml", "a: 1"), "BadFileName", False, "'domain.yml' is a file already"),
        (with_file("x" * 300 + ".yml", "a"), "BadFileName", False, "rename"),
        ({**FILES, **{f"{n}.yml": "" for n in range(MAX_FILES)}}, "ContentTooLarge", False, "merge some"),
        (with_file("data/big.yml", "x" * MAX_BYTES), "ContentTooLarge", False, "split the assistant"),
        (
            with_file("config.yml", "- a"),
            "UnreadableContent",
            False,
            "config.yml is not usable YAML: it must be a mapping",
        ),
        (with_file("config.yml", ""), "UnreadableContent", False, "it must be a mapping"),
        (with_file("config.yml", "just text"), "UnreadableContent", False, "it must be a mapping"),
        (with_file("config.yml", "language: &l de\nother: *l"), "UnreadableContent", False, "&l in line 1, column 11"),
        (
            with_file("domain.yml", "a: 'open"),
            "UnreadableContent",
            False,
            "domain.yml is not usable YAML: found unexpected",
        ),
        (with_file("domain.yml", "a: b: c"), "UnreadableContent", False, "in line 1, column 5; correct the file"),
        (with_file("domain.yml", "a: \x07"), "UnreadableContent", False, "control characters are not allowed"),
        (
            with_file("domain.yml", "a: *nobody"),
            "UnreadableContent",
            False,
            "*nobody in line 1, column 4 refers to nothing",
        ),
        (with_file("domain.yml", "a: 1\n---\nb: 2"), "UnreadableContent", False, "a second document begins in line 2"),
    ],
)
def test_problems_name_the_file_and_the_remedy(files: dict[str, str], reason: str, waiting: bool, said: str) -> None:
    problem = problem_of(files)
    assert (problem.reason, problem.waiting) == (reason, waiting)
    assert said in str(problem)
    assert "\n" not in str(problem)


@pytest.mark.parametrize(
    "tag", ["python/object/apply:os.system", "python/name:os.system", "python/tuple", "python/module:os"]
)
@pytest.mark.parametrize("name", ["config.yml", "domain.yml"])
def test_python_tags_are_refused_and_never_acted_on(tag: str, name: str) -> None:
    problem = problem_of(with_file(name, f"a: !!{tag} [echo]"))
    assert f"{name} is not usable YAML: the tag !!{tag} in line 1" in str(problem)


def _laughs(levels: int, *, merge: bool) -> str:
    """Each level holds the one before it nine times: nothing to read, everything to expand."""
    lines = ["a0: &a0 {x: 1}" if merge else "a0: &a0 [lol]"]
    for level in range(1, levels):
        inner = ", ".join([f"*a{level - 1}"] * 9)
        lines.append(f"a{level}: &a{level} {{<<: [{inner}]}}" if merge else f"a{level}: &a{level} [{inner}]")
    return "\n".join(lines)


@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize("name", ["config.yml", "domain.yml"])
def test_aliases_are_not_expanded(name: str, merge: bool) -> None:
    text = _laughs(60, merge=merge)
    tracemalloc.start()
    started = time.perf_counter()
    content = prepared(with_file(name, text))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.perf_counter() - started < 2
    assert peak < 5 * 2**20
    assert len(content.files[name]) < 2 * len(text)


def test_a_cycle_is_passed_on_as_it_is() -> None:
    assert "&a [*a]" in prepared(with_file("config.yml", "pipeline: &a [*a]")).files["config.yml"]


@pytest.mark.parametrize(
    "text",
    ["[" * 200_000, "[" * 900 + "]" * 900, "- " * 5_000 + "a", "{a: " * 50_000, "? " * 900],
    ids=["open", "closed", "block", "mappings", "keys"],
)
@pytest.mark.parametrize("name", ["config.yml", "domain.yml"])
def test_deep_nesting_is_refused(name: str, text: str) -> None:
    assert "nested more than 100 levels deep" in str(problem_of(with_file(name, f"a:\n {text}")))


@pytest.mark.parametrize("name", ["config.yml", "data/nlu.yml"])
def test_many_nodes_cost_little_memory(name: str) -> None:
    text = "a: [" + "1," * 200_000 + "1]"
    tracemalloc.start()
    prepared(with_file(name, text))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * len(text) + 2**20


def test_large_content_is_fast() -> None:
    examples = "\n".join(f"    - this is example number {n} of a large assistant" for n in range(20_000))
    files = {f"data/nlu{n}.yml": f"nlu:\n- intent: a{n}\n  examples: |\n{examples}\n" for n in range(7)}
    started = time.perf_counter()
    prepared({**FILES, **files}).archive()
    assert time.perf_counter() - started < 5


class TestConfigMaps:
    """Content from ConfigMaps."""

    def test_every_key_is_a_file_unless_items_say_otherwise(self) -> None:
        found = {"base": {"config.yml": "a", "domain.yml": "b"}, "more": {"nlu": "c", "unused": "d"}}
        files = from_config_maps([("base", []), ("more", [("nlu", "data/nlu.yml")])], found)
        assert files == {"config.yml": "a", "domain.yml": "b", "data/nlu.yml": "c"}

    @pytest.mark.parametrize(
        ("wanted", "reason", "waiting", "said"),
        [
            (
                [("gone", [])],
                "ConfigMapMissing",
                True,
                "ConfigMap gone, which does not exist in this namespace: create it",
            ),
            ([("never", [])], "ConfigMapMissing", True, "ConfigMap never"),
            ([("one", [("b", "b.yml")])], "ConfigMapKeyMissing", True, "ConfigMap one has no key b: add it"),
            ([("one", []), ("two", [])], "DuplicateFile", False, "a.yml: rename one of them"),
        ],
    )
    def test_problems(
        self, wanted: list[tuple[str, list[tuple[str, str]]]], reason: str, waiting: bool, said: str
    ) -> None:
        found = {"one": {"a.yml": ""}, "two": {"a.yml": ""}, "gone": None}
        with pytest.raises(ContentProblem, match=said) as raised:
            from_config_maps(wanted, found)
        assert (raised.value.reason, raised.value.waiting) == (reason, waiting)


def test_a_kept_problem_keeps_no_frames_alive() -> None:
    problem = problem_of({})
    fresh = problem.fresh()
    assert (fresh.reason, str(fresh), fresh.waiting) == (problem.reason, str(problem), problem.waiting)
    assert fresh.__traceback__ is None
