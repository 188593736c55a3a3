"""The command line, as a process of its own, against the real back end."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.patience import STUCK_SECONDS
from tests.unit.services.backend.stage import Stage

ROOT = Path(__file__).parents[4]
EXAMPLE = ROOT / "examples/concert-hall/content"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


Studio = Callable[..., Awaitable[Ended]]


@pytest.fixture
def studio(stage: Stage, tmp_path: Path) -> Studio:
    """Run `studio ARGUMENTS` as somebody with a role."""

    async def run(*arguments: str, role: str = "admin", stdin: str = "") -> Ended:
        environ = {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "services"), "XDG_CONFIG_HOME": str(tmp_path / "home"),
            "STUDIO_URL": stage.base, "STUDIO_TOKEN": stage.people.token(role),
        }  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "studio.cli", *arguments, env=environ, cwd=tmp_path,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate(stdin.encode())
        return Ended(process.returncode or 0, out.decode(), err.decode())

    return run


async def test_a_project_goes_to_the_studio_and_comes_back(stage: Stage, studio: Studio, tmp_path: Path) -> None:
    assert (await studio("assistants", "create", "hall", "--language", "en")).code == 0
    pushed = await studio("push", str(EXAMPLE), "-a", "hall", "-m", "first", "--dry-run", "-o", "json")
    assert pushed.data["changes"] == dict.fromkeys(["config.yml", "domain.yml", "nlu.yml", "rules.yml"], "add")
    project = tmp_path / "project"
    project.mkdir()
    for file in EXAMPLE.glob("*.yml"):
        (project / file.name).write_bytes(file.read_bytes())
    first = await studio("push", str(project), "-a", "hall", "-m", "first", "-o", "json")
    assert first.data["revision"] == 1
    again = await studio("push", str(project))
    assert "No file differs" in again.err
    assert "Nothing to publish: revision 1" in again.err
    pulled = tmp_path / "pulled"
    assert (await studio("pull", str(pulled), "-a", "hall")).code == 0
    assert {f.name: f.read_bytes() for f in pulled.glob("*.yml")} == {
        f.name: f.read_bytes() for f in EXAMPLE.glob("*.yml")
    }
    (pulled / "nlu.yml").unlink()
    second = await studio("push", str(pulled), "-o", "json")
    assert (second.data["changes"], second.data["revision"]) == ({"nlu.yml": "delete"}, 2)
    behind = await studio("push", str(project))
    assert behind.code == 1, "the deleted file would come back"
    assert "nlu.yml changed in the Studio" in behind.err
    assert (await studio("pull", str(project))).code == 0
    assert not (project / "nlu.yml").exists()


async def test_lists_are_empty_or_tell(stage: Stage, studio: Studio) -> None:
    await put_assistant(stage)
    assert [item["name"] for item in (await studio("assistants", "list", "-o", "json")).data] == ["concierge"]
    for command in (
        ["trainings", "list"],
        ["conversations", "list"],
        ["dead-letters", "list"],
        ["conversations", "tags"],
    ):
        assert (await studio(*command, "-o", "json")).data == []
        assert "nothing found" in (await studio(*command)).out
    assert "concierge ready answers" in (await studio("status")).out
    assert (await studio("whoami", "-o", "json", role="viewer")).data["roles"] == ["viewer"]


async def test_a_chat(stage: Stage, studio: Studio) -> None:
    await put_assistant(stage)
    said = await studio("chat", "concierge", stdin="hello\n1\n")
    assert said.code == 0, said.err
    assert said.out.count("Hello!") == 2
    assert "1. Hi" in said.out


async def test_refusals_are_told_in_words(stage: Stage, studio: Studio) -> None:
    forbidden = await studio("assistants", "create", "hall", role="viewer")
    assert forbidden.code == 1
    assert "request id" in forbidden.err
    invalid = await studio("assistants", "create", "Hall!")
    assert invalid.code == 1
    assert "name" in invalid.err
    absent = await studio("models", "list", "nobody")
    assert absent.code == 1
    assert "Traceback" not in forbidden.err + invalid.err + absent.err


async def test_a_training_without_content_is_refused_in_words(stage: Stage, studio: Studio) -> None:
    await put_assistant(stage)
    refused = await studio("train", "concierge")
    assert refused.code == 1
    assert (await studio("logs", "concierge")).code == 1
    assert "Traceback" not in refused.err


async def put_assistant(stage: Stage) -> None:
    """An assistant that the back end has seen."""
    stage.put_assistant()
    known = stage.services.live.assistants.objects
    await until(lambda: "concierge" in known)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(STUCK_SECONDS):
        while not condition():  # noqa: ASYNC110 (the watch tells nobody)
            await asyncio.sleep(0.01)
