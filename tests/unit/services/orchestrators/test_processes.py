"""The processes as the image starts them: settings, readiness, memory, the end."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import aiohttp
import psutil
import pytest
from moto.server import ThreadedMotoServer
from tests.support.patience import STUCK_SECONDS
from tests.support.ports import free_port
from tests.support.tokens import ISSUER, TokenMaker

from studio.settings import DatabaseSettings

SERVICES = Path(__file__).parents[4] / "services"
OPERATOR = "system:serviceaccount:studio-system:studio-operator"
MIB = 1024 * 1024
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: here
clusters: [{name: nowhere, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: nobody, user: {token: none}}]
contexts: [{name: here, context: {cluster: nowhere, user: nobody}}]
"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def environment(studio_database: DatabaseSettings, tokens: TokenMaker, endpoint: str, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "jwks").write_text(json.dumps(tokens.jwks()))
    (tmp_path / "key").write_text("k" * 64)
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    database = studio_database
    return {
        **os.environ, "PYTHONPATH": str(SERVICES), "STUDIO": "studio", "NAMESPACE": "ns", "POD_NAME": "test",
        "PORT": str(free_port()), "KUBECONFIG": str(tmp_path / "kubeconfig"),
        "DATABASE_HOST": database.host, "DATABASE_PORT": str(database.port), "DATABASE_NAME": database.name,
        "DATABASE_USER": database.user, "DATABASE_PASSWORD_FILE": str(database.password_file),
        "DATABASE_SSLMODE": "disable", "TRACKERS_PASSWORD_FILE": str(database.password_file),
        "TRACKER_KEY_FILE": str(tmp_path / "key"), "S3_ENDPOINT": endpoint,
        "S3_ACCESS_KEY_FILE": str(tmp_path / "key"), "S3_SECRET_KEY_FILE": str(tmp_path / "key"),
        "AUTH_OPERATOR": OPERATOR, "AUTH_JWKS_FILE": str(tmp_path / "jwks"), "AUTH_ISSUER": ISSUER,
    }  # fmt: skip


@asynccontextmanager
async def started(name: str, environment: dict[str, str]) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "studio", name, env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield process, f"http://127.0.0.1:{environment['PORT']}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ready(process: asyncio.subprocess.Process, session: aiohttp.ClientSession, base: str) -> None:
    async with asyncio.timeout(STUCK_SECONDS):
        while process.returncode is None:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{base}/readyz") as response:
                    if response.status == HTTPStatus.OK:
                        return
            await asyncio.sleep(0.05)
    output, _ = await process.communicate()
    pytest.fail(f"it ended with {process.returncode}: {output.decode()}")


@pytest.mark.parametrize(("name", "limit"), [("training-orchestrator", 160), ("running-orchestrator", 160)])
async def test_it_gets_ready_stays_small_and_ends_at_once(
    name: str, limit: int, environment: dict[str, str], tokens: TokenMaker
) -> None:
    headers = {"Authorization": f"Bearer {tokens.token(OPERATOR)}"}
    async with started(name, environment) as (process, base), aiohttp.ClientSession(headers=headers) as session:
        await ready(process, session, base)
        async with session.get(f"{base}/v1/changes") as stream:  # an open stream must not hold the process
            assert stream.status == 200
            used = psutil.Process(process.pid).memory_info().rss / MIB
            print(f"{name}: {used:.0f} MiB")
            assert used < limit
            process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            await asyncio.wait_for(process.wait(), STUCK_SECONDS)
        assert process.returncode == 0
        assert time.monotonic() - began < 5


async def test_a_missing_setting_is_said_in_a_sentence(environment: dict[str, str]) -> None:
    del environment["S3_ENDPOINT"]
    async with started("training-orchestrator", environment) as (process, _):
        output, _ = await process.communicate()
    assert process.returncode == 2
    assert b"the environment variable S3_ENDPOINT is not set" in output


async def test_an_unknown_process(environment: dict[str, str]) -> None:
    async with started("nonsense", environment) as (process, _):
        output, _ = await process.communicate()
    assert process.returncode == 2
    assert b"usage: python -m studio (training-orchestrator |" in output
