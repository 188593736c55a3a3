"""A real Keycloak for tests: distribution and scripts of the image, on a free loopback port, with PostgreSQL."""

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import postgres
from tests.support.ports import free_port

SCRIPTS = Path(__file__).resolve().parents[2] / "images" / "keycloak"
CLIENT, SECRET = "studio-operator", "${not-a-variable} 'quoted' \\"
START_SECONDS = 180


@dataclass(frozen=True)
class Keycloak:
    """A running server; `url` is what the operator uses and, since tests have no proxy, what people see."""

    url: str


def missing() -> str | None:
    """Why there can be no Keycloak on this machine; None: there can."""
    lacking = [program for program in ("java", "mvn") if not shutil.which(program)]
    return f"{' and '.join(lacking)} missing: install openjdk-17-jre-headless and maven" if lacking else None


@contextmanager
def server(database: postgres.Server) -> Iterator[Keycloak]:
    """Start on a database of its own; with a warm cache in some ten seconds."""
    home = _home()
    with tempfile.TemporaryDirectory(prefix="studio-keycloak-") as name, postgres.database(database) as database_name:
        folder = Path(name)
        (folder / "database").write_text(postgres.PASSWORD)
        (folder / "client").write_text(SECRET)
        port, management = free_port(), free_port()
        settings = {
            "KEYCLOAK_HOME": str(home),
            "KC_DB_URL": f"jdbc:postgresql://127.0.0.1:{database.port}/{database_name}?sslmode=disable",
            "KC_DB_USERNAME": postgres.SUPERUSER,
            "KC_DB_PASSWORD_FILE": str(folder / "database"),
            "KC_DB_POOL_MAX_SIZE": "10",
            "KC_BOOTSTRAP_ADMIN_CLIENT_ID": CLIENT,
            "KC_BOOTSTRAP_ADMIN_CLIENT_SECRET_FILE": str(folder / "client"),
            "KC_CACHE": "local",
            "KC_HOSTNAME": f"http://localhost:{port}/auth",
            "KC_HTTP_ENABLED": "true",
            "KC_HTTP_HOST": "127.0.0.1",
            "KC_HTTP_PORT": str(port),
            "KC_HTTP_MANAGEMENT_HOST": "127.0.0.1",
            "KC_HTTP_MANAGEMENT_PORT": str(management),
            "KC_LOG_LEVEL": "info,io.smallrye.health:warn",
            "JDK_JAVA_OPTIONS": "-Xmx384m",
        }
        log = folder / "log"
        with log.open("w") as output:
            process = subprocess.Popen(
                ["sh", SCRIPTS / "entrypoint"], env={**os.environ, **settings}, stdout=output, stderr=output
            )
        try:
            _wait(process, f"http://127.0.0.1:{management}/health/ready", log)
            yield Keycloak(f"http://localhost:{port}/auth")
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _home() -> Path:
    """The built distribution in the user's cache; made once for each version of the scripts."""
    scripts = b"".join((SCRIPTS / name).read_bytes() for name in ("fetch", "build"))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "studio-operator" / "keycloak"
    home = cache / hashlib.sha256(scripts).hexdigest()[:12]
    if not home.exists():
        cache.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=cache))
        commands: list[list[str | Path]] = [
            ["sh", SCRIPTS / "fetch", unfinished],
            [
                "tar",
                "-xzf",
                unfinished / "keycloak.tar.gz",
                "-C",
                unfinished,
                "--strip-components=1",
                "--no-same-owner",
            ],
            ["sh", SCRIPTS / "build", unfinished],
        ]
        for command in commands:
            subprocess.run(command, check=True, capture_output=True, timeout=600)
        (unfinished / "keycloak.tar.gz").unlink()
        shutil.rmtree(unfinished / "data", ignore_errors=True)
        for older in cache.glob("????????????"):
            shutil.rmtree(older)
        unfinished.replace(home)
    return home


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"Keycloak did not become ready: {log.read_text()[-4000:]}")
