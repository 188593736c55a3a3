"""The program itself: entry points, start-up, output without a terminal, kubectl."""

import json
import os
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.unit.services.cli.conftest import Run
from tests.unit.services.cli.fake_studio import FakeStudio, condition

from studio.cli import kubectl, render
from studio.cli.cleaning import clean
from studio.cli.errors import UsageError

ROOT = Path(__file__).parents[4]


def python(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    known = {"PYTHONPATH": str(ROOT / "services"), "PATH": os.environ["PATH"], "HOME": "/nowhere", **environ}
    return subprocess.run(
        [sys.executable, *arguments], env=known, capture_output=True, text=True, timeout=60, check=False
    )


def test_it_runs_from_the_checkout() -> None:
    assert "Exit codes" in python("-m", "studio.cli", "--help").stdout


def test_starting_loads_nothing_heavy() -> None:
    script = "import sys, studio.cli.app; print(*sys.modules)"
    loaded = {name.partition(".")[0] for name in python("-c", script).stdout.split()}
    assert "typer" in loaded
    assert not loaded & {
        "httpx2",
        "pydantic",
        "yaml",
        "aiohttp",
        "kubernetes",
        "fastapi",
        "sqlalchemy",
        "structlog",
        "boto3",
    }


def test_the_extra_is_the_group() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["optional-dependencies"]["cli"] == project["dependency-groups"]["cli"]


def test_nothing_is_cut_off_or_coloured_without_a_terminal(run: Run, studio: FakeStudio) -> None:
    long = "x" * 300
    studio.add("hall", ready=False, conditions=[condition("Stalled", "True", "InvalidContent", long)])
    result = run("assistants", "list")
    assert long in result.stdout
    assert "\x1b" not in result.stdout


def test_an_error_is_one_line_in_a_narrow_pipe(run: Run) -> None:
    result = run("status", env={"COLUMNS": "20"})
    assert "No Studio is configured" in result.stderr.splitlines()[0]


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "alink"),
        ("over\rwritten", "overwritten"),
        ("\u202egnp.exe", "gnp.exe"),
        ("\x9b31mred", "31mred"),
        ("tab\tand\nline", "tab\tand\nline"),
    ],
)
def test_text_of_strangers_does_nothing_to_the_terminal(text: str, harmless: str) -> None:
    assert clean(text) == harmless


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (7200, "2 h"), (90_000, "1 d")]
)
def test_durations(seconds: float, words: str) -> None:
    assert render.duration(seconds) == words


def test_sizes() -> None:
    assert [render.size(count) for count in (None, 5, 2048, 3 << 20, 5 << 30)] == [
        "0 B", "5 B", "2.0 KiB", "3.0 MiB", "5.0 GiB",
    ]  # fmt: skip


@pytest.fixture
def fake_kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubectl that prints what is in the file that is given."""
    program = tmp_path / "bin" / "kubectl"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncat {tmp_path}/answer\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return tmp_path / "answer"


def studio_manifest(name: str, url: str | None = None) -> dict[str, object]:
    return {"metadata": {"name": name}, "spec": {}, "status": {"url": url} if url else {}}


def test_kubectl_tells_where_the_studio_is(fake_kubectl: Path) -> None:
    fake_kubectl.write_text(json.dumps({"items": [studio_manifest("studio", "https://studio.example.com/")]}))
    assert kubectl.public_url() == "https://studio.example.com"


def test_several_studios_are_a_question(fake_kubectl: Path) -> None:
    fake_kubectl.write_text(json.dumps({"items": [studio_manifest("a", "http://a"), studio_manifest("b", "http://b")]}))
    with pytest.raises(UsageError, match="several"):
        kubectl.public_url()


@pytest.mark.parametrize("answer", ["", "{}", "[]", '{"items": []}', '{"items": [{}]}', '{"items": null}'])
def test_a_kubectl_that_cannot_tell_is_no_error(fake_kubectl: Path, answer: str) -> None:
    fake_kubectl.write_text(answer)
    assert kubectl.public_url() is None


def test_kubectl_completes_commands() -> None:
    script = "from studio.cli.completion import complete; complete()"
    found = python("-c", script, "conversations", "").stdout.split()
    assert {"list", "show", "tag"} <= set(found)
    assert found[-1] == ":4"


def test_completion_of_names_is_silent_without_a_studio() -> None:
    script = "from studio.cli.completion import complete; complete()"
    ended = python("-c", script, "chat", "")
    assert (ended.stdout.split(), ended.stderr) == ([":4"], "")
