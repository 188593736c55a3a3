"""A Studio's public address for as long as a test needs it, and the person who administrates it."""

import base64
import contextlib
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit

from stage.kubectl import REPOSITORY
from studio_e2e.space import Space
from studio_e2e.waiting import NotYet, eventually

ANSWERS_WITHIN = 60.0


def free_origin() -> str:
    """A public URL for a Studio, on a loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://localhost:{probe.getsockname()[1]}"


@contextlib.contextmanager
def forwarded(space: Space, studio: str = "studio") -> Iterator[str]:
    """The publicUrl of a Studio, `http://localhost:<port>`, is its entry proxy while the block runs."""
    url: str = space.must_get("studio", studio)["spec"]["publicUrl"]
    port = str(urlsplit(url).port)
    command = [sys.executable, "-m", "stage", "forward", "--namespace", space.name, "--port", port]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as forwarder:
        try:
            wait_answers(url)
            yield url
        finally:
            forwarder.terminate()


def wait_answers(url: str) -> None:
    """Until the back end answers at a public address."""
    eventually(f"{url} answers", lambda: _answers(f"{url}/api/v1/config"), within=ANSWERS_WITHIN)


def administrator(space: Space, studio: str = "studio") -> tuple[str, str]:
    """Name and password of the administrator that the operator made."""
    data = space.must_get("secret", f"{studio}-administrator")["data"]
    return base64.b64decode(data["username"]).decode(), base64.b64decode(data["password"]).decode()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (OSError, urllib.error.URLError) as error:
        raise NotYet(str(error)) from error
