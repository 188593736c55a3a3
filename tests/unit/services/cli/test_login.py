"""Signing in: the device flow, its end in every way, and what is kept of it."""

import json
from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.services.cli.conftest import Run
from tests.unit.services.cli.fake_studio import ISSUER, NOW, URL, FakeStudio

from studio.cli import login
from studio.cli.login import Answer, Failed, SignedIn, Waiting

SIGNED_IN = (200, {"access_token": "good", "token_type": "Bearer", "expires_in": 300, "refresh_token": "refresh-0"})
PENDING = (400, {"error": "authorization_pending"})
SLOW_DOWN = (400, {"error": "slow_down"})
PERSON = {"STUDIO_URL": URL}


def test_login_shows_the_code_and_keeps_the_tokens_private(run: Run, studio: FakeStudio, home: Path) -> None:
    studio.device_answers = [PENDING, SIGNED_IN]
    result = run("login", env=PERSON)
    assert result.exit_code == 0, result.output
    assert "WDJB-MJHT" in result.stderr
    assert "as ada" in result.stderr
    assert (home / "tokens.json").stat().st_mode & 0o777 == 0o600
    assert "good" not in result.output
    assert run("whoami", env=PERSON).exit_code == 0


def test_slow_down_adds_five_seconds_for_good(run: Run, studio: FakeStudio) -> None:
    studio.device_answers = [PENDING, SLOW_DOWN, PENDING, SLOW_DOWN, SIGNED_IN]
    run("login", env=PERSON)
    assert studio.clock.slept == [5.0, 5.0, 10.0, 10.0, 15.0]


def test_a_provider_that_does_not_answer_is_asked_less_often(run: Run, studio: FakeStudio) -> None:
    studio.device_answers = [(503, {}), (503, {}), SIGNED_IN]
    assert run("login", env=PERSON).exit_code == 0
    assert studio.clock.slept == [5.0, 10.0, 20.0]


def test_denied(run: Run, studio: FakeStudio, home: Path) -> None:
    studio.device_answers = [(400, {"error": "access_denied"})]
    result = run("login", env=PERSON)
    assert result.exit_code == 3
    assert "refused in the browser" in result.stderr
    assert not (home / "tokens.json").exists()


@pytest.mark.parametrize("answer", [(400, {"error": "expired_token"}), PENDING])
def test_a_code_that_nobody_enters_runs_out(run: Run, studio: FakeStudio, answer: tuple[int, dict[str, str]]) -> None:
    studio.device_answers = [answer] * 200
    result = run("login", env=PERSON)
    assert result.exit_code == 3
    assert "ran out" in result.stderr
    assert studio.clock.now < NOW + 600


def test_a_client_that_may_not_use_the_flow_is_told_why(run: Run, studio: FakeStudio) -> None:
    studio.device_answers = [(401, {"error": "unauthorized_client", "error_description": "Client not enabled"})]
    result = run("login", env=PERSON)
    assert result.exit_code == 3
    assert "Client not enabled" in result.stderr


def test_the_discovery_document_of_another_issuer_is_refused(run: Run, studio: FakeStudio) -> None:
    config = {"issuer": f"{URL}/auth/realms/other", "cli_client_id": "studio-cli", "version": "1"}
    honest = studio.handle

    def lying(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/openid-configuration"):
            return httpx2.Response(200, json={"issuer": ISSUER, "token_endpoint": "http://evil/token"})
        return honest(request)

    studio.handle = lying  # type: ignore[method-assign]
    studio.instead = [httpx2.Response(200, json=config)]
    result = run("login", env=PERSON)
    assert result.exit_code == 4
    assert "not the expected one" in result.stderr


def test_logout_ends_the_session_at_the_provider(run: Run, studio: FakeStudio, home: Path) -> None:
    studio.device_answers = [SIGNED_IN]
    run("login", env=PERSON)
    assert "Signed out." in run("logout", env=PERSON).stderr
    assert studio.refresh_token == "revoked"
    assert json.loads((home / "tokens.json").read_text()) == {}
    result = run("whoami", env=PERSON)
    assert result.exit_code == 3
    assert "studio login" in result.stderr
    assert "Nobody" in run("logout", env=PERSON).stderr


def test_tokens_are_only_sent_to_the_address_they_are_of(run: Run, studio: FakeStudio) -> None:
    run("config", "set-url", URL, env={})
    studio.device_answers = [SIGNED_IN]
    run("login", env={})
    run("config", "set-url", "http://other.localhost", env={})
    assert run("whoami", env={}).exit_code == 3
    assert "authorization" not in studio.requests[-1].headers


states = st.builds(
    Waiting,
    device_code=st.just("d"),
    user_code=st.just("u"),
    verification_uri=st.just("v"),
    verification_uri_complete=st.none(),
    interval=st.floats(1, 600),
    next_at=st.just(1000.0),
    expires_at=st.floats(0, 5000),
)
answers = st.builds(
    Answer,
    status=st.sampled_from([0, 200, 400, 401, 429, 500, 503]),
    body=st.fixed_dictionaries(
        {},
        optional={
            "error": st.sampled_from(
                ["authorization_pending", "slow_down", "access_denied", "expired_token", "x", 5, None]
            ),
            "access_token": st.one_of(st.text(min_size=1), st.integers()),
            "expires_in": st.one_of(st.integers(), st.none(), st.text()),
            "token_type": st.sampled_from(["Bearer", "bearer", "mac"]),
            "refresh_token": st.one_of(st.text(), st.integers()),
        },
    ),
)


@given(states, answers)
def test_the_flow_never_polls_faster_nor_after_its_end(state: Waiting, answer: Answer) -> None:
    after = login.advance(state, answer, 1000.0)
    if isinstance(after, Waiting):
        assert after.interval >= state.interval
        assert 1000.0 + state.interval <= after.next_at < after.expires_at
    if isinstance(after, SignedIn):
        assert answer.status == 200
        assert after.tokens.access_token == answer.body["access_token"]
    if isinstance(after, Failed):
        assert after.message


@given(answers)
def test_a_strange_first_answer_is_a_failure_in_words(answer: Answer) -> None:
    assert isinstance(login.begin(answer, 0.0), Failed)
