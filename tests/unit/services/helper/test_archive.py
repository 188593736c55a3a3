"""Archives that want to do harm, and those that do not."""

import functools
import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.model_service.helper.archive import Limits, UnsafeArchive, digest, model_members, open_plain, unpack_content
from studio_operator.planning.content import prepare

GOOD = {"config.yml": b"language: en\n", "domain.yml": b"intents: []\n", "nlu.yml": b"nlu: []\n"}


def _tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for info, data in members:
            info.size = len(data) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(data))
    return path


def _file(name: str, data: bytes = b"x") -> tuple[tarfile.TarInfo, bytes]:
    return tarfile.TarInfo(name), data


def _special(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def test_content_goes_where_the_engine_looks(tmp_path: Path) -> None:
    more = {"domain_faq.yaml": b"d", "test_stories.yml": b"t", "endpoints.yml": b"e", "credentials.yml": b"c"}
    archive = _tar(tmp_path / "c.tar.gz", *(_file(name, data) for name, data in (GOOD | more).items()))
    names = unpack_content(archive, tmp_path / "content")
    assert names == sorted(GOOD | more)
    found = {str(p.relative_to(tmp_path / "content")) for p in (tmp_path / "content").rglob("*") if p.is_file()}
    assert found == {"config.yml", "domain/domain.yml", "domain/domain_faq.yaml", "data/nlu.yml"}
    assert (tmp_path / "content/data/nlu.yml").read_bytes() == b"nlu: []\n"


EVIL: dict[str, Callable[[], list[tuple[tarfile.TarInfo, bytes]]]] = {
    "parent": lambda: [_file("../evil")],
    "deep parent": lambda: [_file("a/../../evil")],
    "absolute": lambda: [_file("/etc/evil")],
    "symlink": lambda: [_special("link", tarfile.SYMTYPE, "/etc/passwd")],
    "symlink, then through it": lambda: [_special("d", tarfile.SYMTYPE, "/tmp"), _file("d/evil")],
    "hard link": lambda: [_special("link", tarfile.LNKTYPE, "/etc/passwd")],
    "device": lambda: [_special("null", tarfile.CHRTYPE)],
    "pipe": lambda: [_special("pipe", tarfile.FIFOTYPE)],
    "twice": lambda: [_file("a"), _file("a")],
    "backslash": lambda: [_file("..\\evil")],
    "dots": lambda: [_file("..")],
}


@pytest.mark.parametrize("reader", ["content", "model"])
@pytest.mark.parametrize("members", EVIL.values(), ids=EVIL)
def test_evil_archives_are_refused(
    tmp_path: Path, reader: str, members: Callable[[], list[tuple[tarfile.TarInfo, bytes]]]
) -> None:
    archive = _tar(tmp_path / "a.tar.gz", *(_file(n, d) for n, d in GOOD.items()), *members())
    read = functools.partial(unpack_content, target=tmp_path / "content") if reader == "content" else model_members
    with pytest.raises(UnsafeArchive):
        read(archive)
    assert not (tmp_path / "evil").exists()


def test_content_of_the_operator_with_folders(tmp_path: Path) -> None:
    files = {
        "config.yml": "language: en\n", "domain.yml": "intents: []\n", "domain_faq.yml": "intents: []\n",
        "domain/faq.yml": "intents: []\n", "domain/deep/more.yml": "intents: []\n", "nlu.yml": "nlu: []\n",
        "data/nlu.yml": "nlu: []\n", "data/config.yml": "nlu: []\n", "data/faq/rules.yml": "rules: []\n",
        "tests/stories.yml": "stories: []\n", "test_stories.yml": "stories: []\n",
        "data/test_more.yml": "stories: []\n", "domain/test_x.yml": "intents: []\n",
    }  # fmt: skip
    content = prepare(files, assistant_id="ns.a", language="en", engine_image="engine:1")
    path = tmp_path / "c.tar.gz"
    path.write_bytes(content.archive())
    assert unpack_content(path, tmp_path / "content") == sorted(files)
    found = {str(p.relative_to(tmp_path / "content")) for p in (tmp_path / "content").rglob("*") if p.is_file()}
    assert found == {
        "config.yml", "domain/domain.yml", "domain/domain_faq.yml", "domain/domain/faq.yml",
        "domain/domain/deep/more.yml", "data/nlu.yml", "data/data/nlu.yml", "data/data/config.yml",
        "data/data/faq/rules.yml",
    }  # fmt: skip


@pytest.mark.parametrize(
    "names", [("sub/a.yml", "sub"), ("sub", "sub/a.yml"), ("a//b.yml",), ("a/./b.yml",), ("a/b.yml/",), ("a/b.yml\n",)]
)
def test_paths_that_mean_two_things_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    archive = _tar(tmp_path / "a.tar.gz", *(_file(n, d) for n, d in GOOD.items()), *(_file(n) for n in names))
    with pytest.raises(UnsafeArchive):
        unpack_content(archive, tmp_path / "x")


def test_config_is_there(tmp_path: Path) -> None:
    with pytest.raises(UnsafeArchive, match=r"config\.yml"):
        unpack_content(_tar(tmp_path / "b.tar.gz", _file("nlu.yml")), tmp_path / "y")


def test_bomb_of_zeros(tmp_path: Path) -> None:
    archive = _tar(tmp_path / "a.tar.gz", _file("big", bytes(3 << 20)), *(_file(n, d) for n, d in GOOD.items()))
    assert archive.stat().st_size < 20_000
    limits = Limits(unpacked=1 << 20, members=10)
    with pytest.raises(UnsafeArchive, match="unpacks to more"):
        unpack_content(archive, tmp_path / "content", limits=limits)
    with pytest.raises(UnsafeArchive, match="unpacks to more"):
        model_members(archive, limits=limits)


def test_many_members(tmp_path: Path) -> None:
    archive = _tar(tmp_path / "a.tar.gz", *(_file(f"f{n}") for n in range(20)))
    with pytest.raises(UnsafeArchive, match="more than 10 members"):
        model_members(archive, limits=Limits(unpacked=1 << 20, members=10))


def test_a_header_as_bomb(tmp_path: Path) -> None:
    """A PAX header is read into memory as a whole: two gigabytes of it must not be."""
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 2 << 30
    path = tmp_path / "a.tar.gz"
    with gzip.open(path, "wb") as file:
        file.write(info.tobuf(tarfile.USTAR_FORMAT) + bytes(1 << 20))
    with pytest.raises(UnsafeArchive):
        model_members(path)


def test_sparse_files_are_not_plain(tmp_path: Path) -> None:
    with pytest.raises(UnsafeArchive):
        model_members(_tar(tmp_path / "a.tar.gz", _special("s", tarfile.GNUTYPE_SPARSE)))


@pytest.mark.parametrize(
    "data",
    [b"", b"not gzip", gzip.compress(b"not a tar" * 100), gzip.compress(bytes(2000))[:-9]],
    ids=["empty", "no gzip", "no tar", "cut off"],
)
def test_what_is_no_archive(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(data)
    with pytest.raises(UnsafeArchive):
        model_members(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_is_refused_or_harmless(tmp_path: Path, data: st.DataObject) -> None:
    """A flipped byte anywhere gives either UnsafeArchive or names that stay inside."""
    whole = bytearray(_tar(tmp_path / "a.tar.gz", *(_file(n, d) for n, d in GOOD.items())).read_bytes())
    raw = bytearray(gzip.decompress(whole))
    where = data.draw(st.integers(0, len(raw) - 1))
    raw[where] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "b.tar.gz"
    path.write_bytes(gzip.compress(bytes(raw), 1))
    try:
        names = model_members(path)
    except UnsafeArchive:
        return
    assert not any(name.startswith("/") or ".." in name.split("/") for name in names)


def test_links_made_by_the_engine_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("token")
    (tmp_path / "model").symlink_to(tmp_path / "secret")
    with pytest.raises(UnsafeArchive):
        open_plain(tmp_path / "model")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnsafeArchive):
        open_plain(tmp_path / "pipe")
    with pytest.raises(UnsafeArchive):
        digest(tmp_path)
