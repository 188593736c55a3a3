"""Push and pull: what travels, what stays, who wins, and what a hostile archive cannot do."""

import io
import json
import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.services.cli.conftest import Run, data
from tests.unit.services.cli.fake_studio import FakeStudio, condition, event, pack, revision

from studio.cli import merging, project
from studio.cli.errors import Refused

FILES = {"config.yml": "language: en\n", "domain.yml": "intents: []\n", "data/nlu.yml": "nlu: []\n"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return lay_out(tmp_path / "project", FILES)


def lay_out(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())
    return folder


def test_push_sends_the_project_and_publishes_it(run: Run, studio: FakeStudio, folder: Path) -> None:
    studio.add("hall")
    result = run("push", str(folder), "--assistant", "hall", "-m", "first", "-o", "json")
    assert data(result) == {
        "assistant": "hall", "revision": 1, "clashes": [],
        "changes": {"config.yml": "add", "data/nlu.yml": "add", "domain.yml": "add"},
    }  # fmt: skip
    assert studio.drafts["hall"] == FILES
    assert studio.revisions["hall"][0]["message"] == "first"
    assert "+ data/nlu.yml" in result.stderr


def test_the_folder_remembers_its_assistant_and_nothing_is_sent_twice(
    run: Run, studio: FakeStudio, folder: Path
) -> None:
    studio.add("hall")
    run("push", str(folder), "-a", "hall")
    result = run("push", str(folder))
    assert result.exit_code == 0
    assert "No file differs" in result.stderr
    assert "Nothing to publish: revision 1" in result.stderr
    assert len(studio.sent("PUT")) == 1


def test_push_without_an_assistant_asks_for_one(run: Run, folder: Path) -> None:
    result = run("push", str(folder))
    assert result.exit_code == 2
    assert "--assistant" in result.stderr


def test_a_dry_run_changes_nothing(run: Run, studio: FakeStudio, folder: Path) -> None:
    studio.add("hall")
    result = run("push", str(folder), "-a", "hall", "--dry-run")
    assert "+ domain.yml" in result.stderr
    assert (studio.sent("PUT"), studio.sent("POST")) == ([], [])
    assert not (folder / ".studio.json").exists()


def test_without_publication_it_stays_a_draft(run: Run, studio: FakeStudio, folder: Path) -> None:
    studio.add("hall")
    assert run("push", str(folder), "-a", "hall", "--no-publish").exit_code == 0
    assert (studio.drafts["hall"], studio.revisions["hall"]) == (FILES, [])
    assert run("push", str(folder), "--no-publish", "--wait").exit_code == 2


def test_files_in_other_folders_are_kept_once_the_studio_had_them(run: Run, studio: FakeStudio, tmp_path: Path) -> None:
    studio.add("hall", files={**FILES, "topics/seats.yml": "x"})
    assert run("pull", str(tmp_path), "-a", "hall").exit_code == 0
    lay_out(tmp_path, {"deploy/values.yml": "x", "topics/seats.yml": "y"})
    assert run("push", str(tmp_path)).exit_code == 0
    assert studio.drafts["hall"] == {**FILES, "topics/seats.yml": "y"}


def test_a_byte_order_mark_is_no_difference(run: Run, studio: FakeStudio, folder: Path) -> None:
    (folder / "domain.yml").write_text("\ufeffintents: []\n")
    studio.add("hall", files=FILES)
    assert "No file differs" in run("push", str(folder), "-a", "hall").stderr


def test_what_is_no_content_stays_behind(run: Run, studio: FakeStudio, folder: Path) -> None:
    others = {
        "endpoints.yml": "x", "credentials.yml": "secret: x", "tests/test_stories.yml": "x", "data/test_more.yml": "x",
        "data/notes.txt": "x", "models/m.yml": "x", ".git/config.yml": "x", ".hidden.yml": "x", "data/.x.yml": "x",
        "actions/a.yml": "x", "README.md": "x",
    }  # fmt: skip
    lay_out(folder, others)
    studio.add("hall")
    result = run("push", str(folder), "-a", "hall")
    assert studio.drafts["hall"] == FILES
    assert "credentials.yml stays here" in result.stderr


def test_a_change_in_the_studio_is_not_overwritten(run: Run, studio: FakeStudio, folder: Path) -> None:
    studio.add("hall")
    run("push", str(folder), "-a", "hall")
    studio.drafts["hall"]["domain.yml"] = "theirs"
    (folder / "config.yml").write_text("mine")
    refused = run("push", str(folder))
    assert refused.exit_code == 1
    assert "domain.yml" in refused.stderr
    assert "studio pull" in refused.stderr
    assert run("pull", str(folder)).exit_code == 0
    assert (folder / "domain.yml").read_text() == "theirs"
    assert run("push", str(folder)).exit_code == 0
    assert studio.drafts["hall"] == {**FILES, "domain.yml": "theirs", "config.yml": "mine"}


def test_a_first_push_does_not_overwrite_unpublished_work(run: Run, studio: FakeStudio, folder: Path) -> None:
    studio.add("hall", files={"config.yml": "published"})
    studio.revisions["hall"] = [revision(1, {"config.yml": "published"})]
    studio.drafts["hall"]["config.yml"] = "work in progress"
    assert run("push", str(folder), "-a", "hall").exit_code == 1
    assert studio.drafts["hall"] == {"config.yml": "work in progress"}
    assert run("push", str(folder), "-a", "hall", "--force").exit_code == 0
    assert studio.drafts["hall"] == FILES


def test_pull_keeps_local_changes_and_tells_clashes(run: Run, studio: FakeStudio, folder: Path) -> None:
    studio.add("hall", files=FILES)
    assert run("pull", str(folder), "-a", "hall").exit_code == 0
    (folder / "config.yml").write_text("mine")
    (folder / "domain.yml").write_text("mine, too")
    studio.drafts["hall"] |= {"domain.yml": "theirs", "data/new.yml": "new"}
    del studio.drafts["hall"]["data/nlu.yml"]
    for _ in range(2):  # the second time finds the same clash
        result = run("pull", str(folder))
        assert result.exit_code == 1
        assert "domain.yml changed on both sides; yours stays" in result.stderr
    assert content(folder) == {"config.yml": "mine", "domain.yml": "mine, too", "data/new.yml": "new"}
    assert run("pull", str(folder), "--force").exit_code == 0
    assert content(folder) == {"config.yml": "language: en\n", "domain.yml": "theirs", "data/new.yml": "new"}


def test_pull_into_an_unknown_folder_overwrites_nothing(run: Run, studio: FakeStudio, folder: Path) -> None:
    studio.add("hall", files={**FILES, "domain.yml": "theirs"})
    (folder / "data/mine.yml").write_text("mine")
    assert run("pull", str(folder), "-a", "hall").exit_code == 1
    assert content(folder) == {**FILES, "data/mine.yml": "mine"}


def test_pull_of_a_revision_into_a_new_folder(run: Run, studio: FakeStudio, tmp_path: Path) -> None:
    studio.add("hall", files={"config.yml": "newer"})
    studio.revisions["hall"] = [revision(1, FILES)]
    assert run("pull", str(tmp_path / "new"), "-a", "hall", "--revision", "1").exit_code == 0
    assert content(tmp_path / "new") == FILES


def test_push_waits_until_the_new_content_is_served(run: Run, studio: FakeStudio, folder: Path) -> None:
    hall = studio.add("hall")
    training = {"id": "hall-t1-abcde", "state": "Running", "reason": "Training", "position": None}
    busy = {**hall, "ready": False, "fingerprint": "f1", "training": training, "conditions": []}
    done = {**hall, "fingerprint": "f1"}
    studio.streams["/assistants/hall/events"] = [
        [event("assistant", hall), event("assistant", busy), event("assistant", done)]
    ]
    result = run("push", str(folder), "-a", "hall", "--wait")
    assert result.exit_code == 0
    assert "training hall-t1-abcde: Running, Training" in result.stderr


def test_push_that_waits_ends_with_1_for_content_that_cannot_be_trained(
    run: Run, studio: FakeStudio, folder: Path
) -> None:
    hall = studio.add("hall")
    stalled = [condition("Stalled", "True", "InvalidContent", "no intent greet")]
    bad = {**hall, "ready": False, "fingerprint": "f1", "conditions": stalled}
    studio.streams["/assistants/hall/events"] = [[event("assistant", bad)]]
    result = run("push", str(folder), "-a", "hall", "--wait")
    assert result.exit_code == 1
    assert "no intent greet" in result.stderr


def test_push_with_train_requests_one_after_the_operator_has_seen_it(
    run: Run, studio: FakeStudio, folder: Path
) -> None:
    hall = studio.add("hall")
    studio.streams["/assistants/hall/events"] = [[event("assistant", {**hall, "ready": False, "fingerprint": "f1"})]]
    studio.streams["/trainings/hall-t1-abcde/log"] = [[event("end", {"state": "Succeeded"}, 1)]]
    assert run("push", str(folder), "-a", "hall", "--train").exit_code == 0
    assert studio.sent("POST")[-1] == "/assistants/hall/trainings"


@pytest.mark.parametrize("place", ["config.yml", "data/nlu.yml", "data"])
def test_symbolic_links_are_refused(run: Run, studio: FakeStudio, folder: Path, tmp_path: Path, place: str) -> None:
    studio.add("hall")
    outside = lay_out(tmp_path / "outside", {"secret.yml": "secret"})
    link = folder / place
    link.rename(tmp_path / "moved")
    link.symlink_to(outside if place == "data" else outside / "secret.yml")
    result = run("push", str(folder), "-a", "hall")
    assert result.exit_code == 1
    assert "symbolic link" in result.stderr


def test_a_pipe_in_the_project_does_not_hang(run: Run, studio: FakeStudio, folder: Path) -> None:
    studio.add("hall")
    os.mkfifo(folder / "data/pipe.yml")
    assert run("push", str(folder), "-a", "hall").exit_code == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\xff\xfe", "UTF-8"), (b"a" * (project.FILE_LIMIT + 1), "too large")],
)
def test_a_file_that_cannot_be_content_is_named(
    run: Run, studio: FakeStudio, folder: Path, content: bytes, words: str
) -> None:
    studio.add("hall")
    (folder / "data/nlu.yml").write_bytes(content)
    result = run("push", str(folder), "-a", "hall")
    assert result.exit_code == 1
    assert f"data/nlu.yml is {'not ' if words == 'UTF-8' else ''}{words}" in result.stderr


def test_a_folder_that_is_no_project_is_refused(run: Run, studio: FakeStudio, tmp_path: Path) -> None:
    studio.add("hall")
    assert "config.yml" in run("push", str(tmp_path), "-a", "hall").stderr
    assert run("push", str(tmp_path / "absent"), "-a", "hall").exit_code == 1


@pytest.mark.parametrize(
    "path",
    ["../evil.yml", "/etc/evil.yml", "data/../../evil.yml", "..\\evil.yml", "C:/evil.yml", ".git/hooks/x.yml",
     ".studio.json", "data/.x.yml", "x.sh", "Makefile", "data//x.yml", "./x.yml", "x\x00.yml", "x\n.yml",
     "a" * 300 + ".yml",
     "data /x.yml", ""],
)  # fmt: skip
def test_a_hostile_path_is_never_written(run: Run, studio: FakeStudio, tmp_path: Path, path: str) -> None:
    studio.add("hall", files={"config.yml": "x"})
    studio.drafts["hall"][path or " .yml"] = "evil"
    folder = tmp_path / "a" / "b"
    result = run("pull", str(folder), "-a", "hall")
    # An archive cannot even hold some of the names: a NUL ends them, "." and ".." are not resolved.
    written = {str(found.relative_to(tmp_path)) for found in tmp_path.rglob("*") if found.is_file()}
    assert result.exit_code == 1 or written <= {"a/b/config.yml", "a/b/.studio.json", "a/b/x"}
    assert not [name for name in written if "evil" in name or "hooks" in name]


def test_a_link_in_an_archive_is_refused() -> None:
    with pytest.raises(Refused, match="archive"):
        project.unpack(archive_with(("data/x.yml", b"/etc/passwd", stat.S_IFLNK | 0o777)))


def test_a_bomb_is_not_unpacked() -> None:
    bomb = archive_with(("data/x.yml", b"\0" * (64 << 20), stat.S_IFREG | 0o644))
    with pytest.raises(Refused) as refused:
        project.unpack(bomb)
    assert "1 MiB" in refused.value.detail


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_comes_twice_is_refused() -> None:
    with pytest.raises(Refused):
        project.unpack(archive_with(("a.yml", b"1", 0), ("a.yml", b"2", 0)))


def test_a_member_without_a_name_is_refused() -> None:
    whole = bytearray(pack({"config.yml": "x", "a": "x"}))
    central, local = whole.rindex(b"PK\x01\x02"), whole.rindex(b"PK\x03\x04")
    # APPNOTE.TXT 4.3.7 and 4.3.12: the lengths of name and comment in the central header, of the name in the local one.
    whole[central + 28 : central + 30] = b"\0\0"
    whole[central + 32 : central + 34] = (1).to_bytes(2, "little")
    whole[local + 26 : local + 28] = b"\0\0"
    with pytest.raises(Refused) as refused:
        project.unpack(bytes(whole))
    assert "without a name" in refused.value.detail


@given(st.binary(max_size=300), st.integers(0, 400))
def test_a_damaged_archive_is_refused_or_read(noise: bytes, position: int) -> None:
    whole = pack(FILES)
    for octets in (noise, whole[:position] + noise + whole[position + len(noise) :]):
        try:
            found = project.unpack(octets)
        except Refused:
            continue
        assert all(project.refusal(path) is None for path in found)


def test_a_pull_does_not_write_through_a_link_in_the_folder(
    run: Run, studio: FakeStudio, folder: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder / "domain").symlink_to(outside)
    studio.add("hall", files={**FILES, "domain/new.yml": "x"})
    result = run("pull", str(folder), "-a", "hall", "--force")
    assert result.exit_code == 1
    assert not list(outside.iterdir())


def test_an_endless_archive_is_cut_off(run: Run, studio: FakeStudio, tmp_path: Path) -> None:
    studio.add("hall", files=FILES)

    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * (1 << 20)

    studio.instead = [httpx2.Response(200, content=endless())]
    result = run("pull", str(tmp_path / "new"), "-a", "hall")
    assert result.exit_code == 1
    assert "too large" in result.stderr


names = st.from_regex(r"[-_a-zA-Z0-9][-._a-zA-Z0-9]{0,7}", fullmatch=True)
endings = st.sampled_from([".yml", ".yaml"])
paths = st.builds(lambda parts, end: "/".join(parts) + end, st.lists(names, min_size=1, max_size=3), endings)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff"), max_size=40)
contents = st.dictionaries(paths, texts, max_size=6)


@given(contents)
def test_what_is_packed_comes_out_again(content: dict[str, str]) -> None:
    assert project.unpack(project.pack(content)) == content
    assert project.pack(content) == project.pack(dict(reversed(content.items())))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(files=contents)
def test_push_then_pull_gives_the_same_project(tmp_path_factory: pytest.TempPathFactory, files: dict[str, str]) -> None:
    left_out = ("test_", "endpoints.y", "credentials.y")
    wanted = {f"data/{path}": text for path, text in files.items() if not path.split("/")[-1].startswith(left_out)}
    wanted["config.yml"] = "x"
    try:
        first = lay_out(tmp_path_factory.mktemp("first"), wanted)
    except OSError:
        return  # a file and a folder of one name
    read = project.read(first).content
    assert read == wanted
    second = tmp_path_factory.mktemp("second")
    for path, text in project.unpack(project.pack(read)).items():
        project.write(second, path, text)
    assert project.read(second).content == wanted


small = st.dictionaries(st.sampled_from(["a.yml", "b.yml", "c.yml"]), st.sampled_from(["1", "2", "3"]))


@given(local=small, remote=small, base=st.none() | small)
def test_a_pull_never_loses_local_work(
    local: dict[str, str], remote: dict[str, str], base: dict[str, str] | None
) -> None:
    agreed = None if base is None else {path: project.digest(text) for path, text in base.items()}
    plan = merging.pull_plan(local, remote, agreed, force=False)
    for path in plan.changes:
        assert local.get(path) == (base or {}).get(path), "a changed file is touched"
    for path in plan.clashes:
        assert local.get(path) != remote.get(path)
        assert path not in plan.changes
    untouched = (local.keys() | remote.keys()) - plan.changes.keys()
    assert all(local.get(path) == remote.get(path) for path in untouched - {*plan.clashes, *plan.kept})


@given(local=small, remote=small, base=small)
def test_a_push_undoes_nobodys_change_unasked(
    local: dict[str, str], remote: dict[str, str], base: dict[str, str]
) -> None:
    plan = merging.push_plan(local, remote, {path: project.digest(text) for path, text in base.items()})
    for path in local.keys() | remote.keys():
        undone = remote.get(path) != base.get(path) and remote.get(path) != local.get(path)
        assert (path in plan.clashes) == undone


def archive_with(*members: tuple[str, bytes, int]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, octets, mode in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = mode << 16
            archive.writestr(info, octets)
    return buffer.getvalue()


def content(folder: Path) -> dict[str, str]:
    link = folder / ".studio.json"
    assert link.exists() is False or json.loads(link.read_text())["assistant"] == "hall"
    files = (found for found in folder.rglob("*.yml") if found.is_file())
    return {str(found.relative_to(folder)): found.read_text() for found in files}
