"""The OpenAPI description: up to date, and true for whatever is sent."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Err
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.support.serving import Client
from tests.unit.services.backend.stage import Stage

from studio.backend import openapi

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# They answer without an end; the tests of streams read them.
STREAMS = ("/assistants/events", "/assistants/{assistant}/events", "/trainings/{id}/log", "/runs/{id}/log")
EXAMPLES = 25


@schemathesis.serializer("application/zip")
def as_it_is(_: Any, value: Any) -> bytes:
    """Archives are sent as the bytes that were made up."""
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


def test_the_committed_description_is_up_to_date() -> None:
    assert openapi.main(["--check"]) == 0


@pytest.fixture
async def busy(stage: Stage) -> Stage:
    """A stage on which most things exist."""
    from tests.unit.services.backend.test_conversations import store
    from tests.unit.services.backend.test_model_service import claim, train, want

    stage.put_assistant()
    await want(stage, "a")
    await stage.admin("POST", "/api/v1/assistants/concierge/trainings")
    await train(stage, await claim(stage), b"model")
    await store(stage, "mine")
    await stage.admin("PUT", "/api/v1/assistants/concierge/content/files/config.yml", data=b"language: en")
    return stage


async def test_whatever_is_sent_is_answered_as_described(busy: Stage) -> None:
    """Generated requests against every operation: no 5xx, no answer that is not described."""
    description = busy.app.openapi()
    schema = schemathesis.openapi.from_dict(description)
    headers = {"Authorization": f"Bearer {busy.people.token('admin', exp=9_999_999_999)}"}
    failures: list[str] = []

    def attack() -> None:
        for result in schema.get_all_operations():
            if isinstance(result, Err):
                failures.append(str(result.err()))
                continue
            operation: Any = result.ok()
            if operation.path.removeprefix("/api/v1") in STREAMS:
                continue

            @settings(
                max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            @schemathesis_given(operation)
            def once(case: Any) -> None:
                case.path_parameters = _existing(case.path_parameters)
                if "/chat/" in case.operation.path:
                    case.query = {key: value for key, value in (case.query or {}).items() if key != "wait"}
                case.call_and_validate(base_url=busy.base, headers=headers, checks=CHECKS, timeout=20)

            try:
                once()
            except Exception as error:  # noqa: BLE001 (all operations are tried, whatever one of them does)
                failures.append(f"{operation.method.upper()} {operation.path}: {error}")

    done = asyncio.Event()
    loop = asyncio.get_running_loop()

    def attack_and_say_so() -> None:
        attack()
        loop.call_soon_threadsafe(done.set)

    thread = threading.Thread(target=attack_and_say_so)
    thread.start()
    await done.wait()
    thread.join()
    assert failures == []


def schemathesis_given(operation: Any) -> Callable[[Callable[[Any], None]], Callable[[], None]]:
    """Hypothesis' decorator for the requests of an operation, good ones and bad ones."""
    from hypothesis import given, strategies

    modes = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]
    return given(case=strategies.one_of(*(operation.as_strategy(generation_mode=mode) for mode in modes)))


def _existing(parameters: dict[str, Any] | None) -> dict[str, Any]:
    """Half of the requests are about what exists, or they would all end at the first 404."""
    given = dict(parameters or {})
    if len(str(given)) % 2:
        given |= {key: value for key, value in {"assistant": "concierge", "version": "latest"}.items() if key in given}
    return given


async def test_errors_of_the_frame_are_problems_too(stage: Stage) -> None:
    for method, path, status in (
        ("GET", "/api/v1/nonsense", 404),
        ("GET", "/", 404),
        ("PATCH", "/api/v1/assistants", 405),
        ("POST", "/api/v1/assistants", 422),
        ("GET", "/api/v1/assistants/", 404),
    ):
        token = stage.people.token("admin")
        async with stage.session.request(
            method, stage.base + path, headers={"Authorization": f"Bearer {token}", "X-Request-Id": "r-1"},
            allow_redirects=False,
        ) as answer:  # fmt: skip
            assert answer.status == status, path
            assert answer.content_type == "application/problem+json"
            assert answer.headers["X-Request-Id"] == "r-1"
            problem = await answer.json()
        assert (problem["status"], problem["instance"], problem["request_id"]) == (status, path, "r-1")


async def test_the_description_is_served(stage: Stage) -> None:
    status, description = await Client(stage.session, stage.base, None)("GET", "/api/v1/openapi.json")
    assert status == 200
    assert not any(path.startswith("/internal") for path in description["paths"])
    assert (await Client(stage.session, stage.base, None)("GET", "/docs"))[0] == 404
    _, config = await Client(stage.session, stage.base, None)("GET", "/api/v1/config")
    assert config == {
        "public_url": "https://studio.example.com", "version": "1.2.3", "cli_client_id": "studio-cli",
        "issuer": "https://studio.example.com/auth/realms/studio", "audience": "studio-api",
        "web_client_id": "studio-web",
    }  # fmt: skip


async def test_probes_and_metrics(stage: Stage) -> None:
    for path in ("/healthz", "/readyz"):
        assert await stage.admin("GET", path) == (200, "ok")
    status, text = await stage.admin("GET", "/metrics")
    assert status == 200
    assert "studio_http_requests_total" in text
