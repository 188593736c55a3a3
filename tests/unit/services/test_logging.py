import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from studio.logging import configure, redact


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], level = before
    root.setLevel(level)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_ours_and_theirs_look_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "tester")
    structlog.get_logger("ours").info("a thing", n=1)
    logging.getLogger("theirs").warning("a %s", "thing", extra={"n": 1})
    structlog.get_logger("ours").debug("unseen")
    ours, theirs = lines(capsys)
    for line, level in ((ours, "info"), (theirs, "warning")):
        assert (line["event"], line["n"], line["level"], line["process"]) == ("a thing", 1, level, "tester")
        assert line["timestamp"].endswith("Z")


def test_tracebacks_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure("INFO", "tester")
    try:
        raise ValueError("postgresql://studio:hunter2@host/db")  # noqa: TRY301
    except ValueError:
        structlog.get_logger("ours").exception("failed")
        logging.getLogger("theirs").exception("failed")
    for line in lines(capsys):
        assert "ValueError" in line["exception"]
        assert "hunter2" not in line["exception"]


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="LOUD"):
        configure("loud", "tester")


@pytest.mark.parametrize(
    "event",
    [
        {"password": "hunter2"},
        {"database_password": "hunter2"},
        {"outer": {"apiToken": 1, "api-token": "hunter2"}},
        {"list": [{"secret_key": "hunter2"}]},
        {"event": "Authorization: Bearer hunter2hunter2"},
        {"event": "https://s3/x?X-Amz-Signature=hunter2&a=b"},
        {"error": ValueError("redis://:hunter2@host")},
    ],
)
def test_secrets_are_blanked(event: dict[str, Any]) -> None:
    assert "hunter2" not in str(redact(None, "", event))


def test_what_is_no_secret_stays() -> None:
    event = {"event": "hello", "key": "Assistant/n/a", "token_file": "/x", "secret": "studio-database", "n": 1}
    assert redact(None, "", event) == event
