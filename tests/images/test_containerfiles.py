"""Rules that every Containerfile keeps."""

import re
from pathlib import Path

import pytest

from builder import catalog, keys, staging

ROOT = Path(__file__).resolve().parents[2]
CONTAINERFILES = sorted((ROOT / "images").glob("*/Containerfile"))


def instructions(path: Path) -> list[str]:
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    return [line.strip() for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines() if line.strip()]


@pytest.fixture(params=CONTAINERFILES, ids=lambda path: path.parent.name)
def lines(request: pytest.FixtureRequest) -> list[str]:
    return instructions(request.param)


def test_there_are_images() -> None:
    assert {"operator", "services", "engine", "database", "object-store", "actions"} <= set(catalog.discover(ROOT))


def test_the_last_user_is_no_root(lines: list[str]) -> None:
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert users[-1] == "65532:65532"


def test_nothing_is_fetched_by_add(lines: list[str]) -> None:
    assert not [line for line in lines if line.startswith("ADD ")]


def test_nothing_floats(lines: list[str]) -> None:
    assert not [line for line in lines if re.search(r":latest\b", line)]
    for line in lines:
        if line.startswith("FROM "):
            assert line.split()[1] == "scratch" or line.split()[1].startswith("${")


def test_labels(lines: list[str]) -> None:
    labels = " ".join(line for line in lines if line.startswith("LABEL "))
    assert "org.opencontainers.image.title=" in labels
    assert "org.opencontainers.image.version=" in labels


def test_python_locks_have_hashes() -> None:
    for name in ("engine", "actions"):
        text = (ROOT / f"requirements/{name}.txt").read_text()
        packages = re.findall(r"^[a-z0-9][^\s=]*==\S+ (?:; [^\\]+)?\\$", text, re.MULTILINE)
        assert packages
        assert len(packages) == len(re.findall(r"^[a-z0-9].*==", text, re.MULTILINE))


def test_build_context_leaves_out_what_keys_leave_out() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    for name in keys.IGNORED_NAMES:
        assert name in ignored or f"**/{name}" in ignored
    assert all(f"!{Path(path).parent}" in ignored for path in staging.STAGED)
