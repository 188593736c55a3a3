"""What the event broker's entrypoint refuses, before any Java starts."""

import os
import subprocess
from pathlib import Path

import pytest

ENTRYPOINT = Path(__file__).parents[3] / "images/event-broker/entrypoint"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    secrets, volume = tmp_path / "secrets", tmp_path / "volume"
    secrets.mkdir()
    volume.mkdir()
    for key in ("admin-password", "engine-password"):
        (secrets / key).write_text("a.Good_pass~word-1")
    return {
        **os.environ,
        "EVENT_BROKER_ADVERTISED": "localhost:9092",
        "EVENT_BROKER_HOME": str(tmp_path),
        "EVENT_BROKER_SECRETS": str(secrets),
        "EVENT_BROKER_VOLUME": str(volume),
    }


def refused(environment: dict[str, str]) -> str:
    done = subprocess.run([ENTRYPOINT], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    return done.stderr


def test_the_address_of_clients_is_needed(environment: dict[str, str]) -> None:
    assert "set EVENT_BROKER_ADVERTISED" in refused({**environment, "EVENT_BROKER_ADVERTISED": ""})


@pytest.mark.parametrize("password", ['quo"te', "back\\slash", "line\n", "${env::HOME}", "sp ace"])
def test_a_password_that_would_change_the_settings_is_refused_and_not_shown(
    environment: dict[str, str], password: str
) -> None:
    file = Path(environment["EVENT_BROKER_SECRETS"]) / "engine-password"
    file.write_text(password)
    said = refused(environment)
    assert "engine-password has a character other than letters, digits" in said
    assert password not in said


def test_a_missing_and_an_empty_password_are_named(environment: dict[str, str]) -> None:
    file = Path(environment["EVENT_BROKER_SECRETS"]) / "admin-password"
    file.write_text("")
    assert "admin-password is empty: fill that key of the Secret" in refused(environment)
    file.unlink()
    assert "admin-password: mount the Secret there" in refused(environment)


def test_a_limit_that_is_no_number_is_refused(environment: dict[str, str]) -> None:
    assert "must be a number of bytes" in refused({**environment, "EVENT_BROKER_RETENTION_BYTES": "5Gi"})


def test_files_of_somebody_else_are_not_touched(environment: dict[str, str]) -> None:
    data = Path(environment["EVENT_BROKER_VOLUME"]) / "data"
    data.mkdir()
    (data / "precious").touch()
    assert "has files but no meta.properties: not touched" in refused(environment)
    assert (data / "precious").exists()
