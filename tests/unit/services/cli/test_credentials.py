"""Which token a request carries: environment, session, refreshed once even by two commands at a time."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest
from tests.unit.services.cli.conftest import Run
from tests.unit.services.cli.fake_studio import ISSUER, NOW, URL, FakeStudio, problem

ROOT = Path(__file__).parents[4]
PERSON = {"STUDIO_URL": URL}


def sign_in(
    home: Path, *, url: str = URL, issuer: str = ISSUER, expires_at: float = NOW + 300, token: str = "good"
) -> None:
    home.mkdir(parents=True, exist_ok=True)
    session = {"url": url, "issuer": issuer, "client_id": "studio-cli", "access_token": token, "expires_at": expires_at,
               "refresh_token": "refresh-0"}  # fmt: skip
    (home / "tokens.json").write_text(json.dumps({url: session}))


def test_a_token_of_the_environment_is_sent_as_it_is(run: Run, studio: FakeStudio) -> None:
    assert run("whoami").exit_code == 0
    assert studio.requests[-1].headers["authorization"] == "Bearer good"


def test_a_token_of_the_environment_that_is_refused_ends_with_3(run: Run) -> None:
    assert run("whoami", env={**PERSON, "STUDIO_TOKEN": "bad"}).exit_code == 3


def test_a_program_signs_in_with_its_credentials(run: Run, studio: FakeStudio, home: Path) -> None:
    result = run("whoami", env={**PERSON, "STUDIO_CLIENT_ID": "studio-external", "STUDIO_CLIENT_SECRET": "s3cret"})
    assert result.exit_code == 0
    assert studio.requests[-1].headers["authorization"] == "Bearer program"
    assert not (home / "tokens.json").exists()


def test_half_a_pair_of_credentials_is_wrong_usage(run: Run) -> None:
    result = run("whoami", env={**PERSON, "STUDIO_CLIENT_ID": "studio-external"})
    assert result.exit_code == 2
    assert "STUDIO_CLIENT_SECRET" in result.stderr


def test_a_token_that_is_about_to_end_is_refreshed_first(run: Run, studio: FakeStudio, home: Path) -> None:
    sign_in(home, expires_at=NOW + 5)
    assert run("whoami", env=PERSON).exit_code == 0
    kept = json.loads((home / "tokens.json").read_text())[URL]
    assert (kept["access_token"], kept["refresh_token"]) == ("access-1", "refresh-1")


def test_a_token_that_is_refused_early_is_refreshed_once(run: Run, studio: FakeStudio, home: Path) -> None:
    sign_in(home, token="revoked")
    assert run("whoami", env=PERSON).exit_code == 0
    assert studio.refreshes == 1


def test_a_spent_refresh_token_means_signing_in_again(run: Run, studio: FakeStudio, home: Path) -> None:
    sign_in(home, expires_at=0)
    studio.refresh_token = "another"
    result = run("whoami", env=PERSON)
    assert result.exit_code == 3
    assert "studio login" in result.stderr
    assert json.loads((home / "tokens.json").read_text()) == {}


def test_a_provider_that_is_away_does_not_end_the_session(run: Run, studio: FakeStudio, home: Path) -> None:
    sign_in(home, expires_at=0)
    honest = studio.handle

    def away(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(503) if request.url.path.endswith("/token") else honest(request)

    studio.handle = away  # type: ignore[method-assign]
    assert run("whoami", env=PERSON).exit_code == 4
    assert URL in json.loads((home / "tokens.json").read_text())


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', json.dumps({URL: {"url": URL}})])
def test_a_damaged_token_file_is_no_sign_in(run: Run, home: Path, text: str) -> None:
    home.mkdir(parents=True)
    (home / "tokens.json").write_text(text)
    assert run("whoami", env=PERSON).exit_code == 3


def test_verbose_shows_requests_and_no_token(run: Run, studio: FakeStudio, home: Path) -> None:
    sign_in(home, expires_at=0)
    result = run("--verbose", "whoami", env=PERSON)
    assert f"GET {URL}/api/v1/me 200" in result.stderr
    for secret in ("access-1", "refresh-0", "refresh-1"):
        assert secret not in result.output


def test_two_commands_do_not_spend_one_refresh_token_twice(tmp_path: Path) -> None:
    studio = FakeStudio(tokens=set())
    with served(studio) as url:
        home = tmp_path / "studio"
        sign_in(home, url=url, issuer=f"{url}/auth/realms/studio", expires_at=time.time() - 1)
        environ = {
            "XDG_CONFIG_HOME": str(tmp_path),
            "STUDIO_URL": url,
            "PYTHONPATH": str(ROOT / "services"),
            "HOME": "/nowhere",
        }
        command = [sys.executable, "-m", "studio.cli", "whoami"]
        started = [
            subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(4)
        ]
        outputs = [process.communicate(timeout=60)[0].decode() for process in started]
    assert [process.returncode for process in started] == [0, 0, 0, 0], outputs
    assert studio.refreshes == 1


@contextmanager
def served(studio: FakeStudio) -> Iterator[str]:
    """The Studio in memory on a loopback port, under its own name."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            request = httpx2.Request(self.command, URL + self.path, headers=dict(self.headers), content=body)
            try:
                response = studio.handle(request)
            except KeyError as error:
                response = problem(500, "Broken", repr(error))
            content = response.read().replace(URL.encode(), base.encode())
            self.send_response(response.status_code)
            self.send_header("Content-Type", response.headers.get("content-type", "application/json"))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    base = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield base
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
