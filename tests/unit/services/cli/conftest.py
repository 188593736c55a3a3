"""The command line against a Studio in memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.services.cli.fake_studio import URL, FakeStudio
from typer.testing import CliRunner, Result

from studio.cli.app import app
from studio.cli.program import World

Run = Callable[..., Result]


@pytest.fixture
def studio() -> FakeStudio:
    return FakeStudio()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of configuration and tokens."""
    return tmp_path / "home" / "studio"


@pytest.fixture
def run(studio: FakeStudio, home: Path) -> Run:
    """Run the program; a person with STUDIO_TOKEN unless `env` says otherwise."""

    def invoke(*arguments: str, env: dict[str, str] | None = None, stdin: str | None = None) -> Result:
        environ = {
            "XDG_CONFIG_HOME": str(home.parent),
            **({"STUDIO_URL": URL, "STUDIO_TOKEN": "good"} if env is None else env),
        }
        world = World(environ, studio.transport, studio.clock, studio.clock.sleep, lambda _url: True)
        return CliRunner().invoke(app, list(arguments), obj=world, input=stdin, catch_exceptions=False)

    return invoke


def data(result: Result) -> Any:
    """What `-o json` printed; the command must have worked."""
    import json

    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)
